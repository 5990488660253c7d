"""The last failures: bounded, counted, and still there after a restart."""

from __future__ import annotations

import json

from fastdicom.monitoring.incidents import KEPT, Incidents


def test_the_same_failure_again_is_counted() -> None:
    now = [100.0]
    incidents = Incidents(lambda: now[0])
    for moment in (100.0, 101.0, 105.0):
        now[0] = moment
        incidents.image("C-STORE refused", "CT1", "10.0.0.7", "A700H: full")
    incidents.image("C-STORE refused", "CT2", "10.0.0.8", "A700H: full")
    first, second = incidents.figures()["images"]
    assert (second["peer"], second["count"]) == ("CT2", 1) or (first["peer"], first["count"]) == ("CT2", 1)
    repeated = first if first["peer"] == "CT1" else second
    assert (repeated["count"], repeated["first"], repeated["last"]) == (3, 100.0, 105.0)


def test_a_flood_of_others_does_not_push_out_images() -> None:
    incidents = Incidents()
    incidents.image("C-STORE refused", "CT1", "10.0.0.7", "A700H: full")
    for number in range(1000):
        incidents.other("protocol violation", "", f"10.9.9.{number}", "nonsense")
    figures = incidents.figures()
    assert len(figures["images"]) == 1
    assert len(figures["others"]) == KEPT
    assert figures["others"][0]["address"] == "10.9.9.999" or figures["others"][-1]["address"] == "10.9.9.950"


def test_a_long_reason_is_cut() -> None:
    incidents = Incidents()
    incidents.other("x", "", "", "y" * 100_000)
    assert len(incidents.figures()["others"][0]["reason"]) == 200


def test_they_survive_as_json_and_nonsense_is_left_out() -> None:
    before, after = Incidents(), Incidents()
    before.image("C-STORE refused", "CT1", "10.0.0.7", "A700H: full")
    before.image("C-STORE refused", "CT2", "10.0.0.7", "A700H: full")
    told = json.loads(json.dumps(before.figures()))
    told["others"] = [{"what": "half"}, 7, {**told["images"][0], "last": "soon"}]
    after.restore(told)
    after.restore({"images": "nonsense"})
    assert after.figures()["images"] == before.figures()["images"]
    assert after.figures()["others"] == []
