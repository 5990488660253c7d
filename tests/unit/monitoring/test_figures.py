"""Counting: by service and peer, right while associations last and after they end, peers bounded."""

from __future__ import annotations

import threading

import pytest

from fastdicom import events
from fastdicom.events import Alert, Ending, Observer, Observers
from fastdicom.monitoring.figures import UNKNOWN, Figures, Key, outcome_of
from fastdicom.services.ports import Caller

CT = "1.2.840.10008.5.1.4.1.1.2"
END = Ending(events.RELEASED, "", 10, 20)


def caller(number: int = 1, title: str = "CT1") -> Caller:
    return Caller(number, title, "NODE", "10.0.0.7", frozenset())


def store(figures: Figures, who: Caller, code: int = 0, action: str = "C") -> None:
    figures.stored(who, CT, code, None, action if code == 0 else "", 1000, 0.004, "")


def test_figures_are_the_same_during_and_after_an_association() -> None:
    figures = Figures(["CT1"])
    figures.associated(caller())
    for action in "CCRU":
        store(figures, caller(), action=action)
    store(figures, caller(), code=0xA700)
    figures.served(caller(), "echo", 0, 0.001, "")
    figures.interrupted(caller(), CT, 7)
    during = figures.snapshot()
    figures.dissociated(caller(), END)
    after = figures.snapshot()
    for snapshot in (during, after):
        stores = snapshot.services[Key("store", "CT1")]
        assert (stores.latency.count, stores.bytes, stores.statuses) == (5, 5000, {0: 4, 0xA700: 1})
        assert snapshot.images == {
            "stored": 2, "duplicate": 1, "replaced": 1, "refused": 1, "interrupted": 1, "unsent": 0,
        }  # fmt: skip
    assert (during.endings, after.endings) == ({}, {("CT1", "released"): 1})


def test_peers_that_are_not_configured_are_one() -> None:
    figures = Figures(["CT1"])
    for number in range(300):
        store(figures, caller(number, f"EVIL{number}"))
        figures.sent(caller(number, f"EVIL{number}"), f"THERE{number}", 0, 5, 0.1)
        figures.dissociated(caller(number, f"EVIL{number}"), END)
    assert set(figures.snapshot().services) == {Key("store", UNKNOWN), Key("send", UNKNOWN)}


def test_statuses_that_a_destination_makes_up_are_few() -> None:
    figures = Figures()
    for code in range(0x10000):
        figures.sent(caller(), "PACS", code, 1, 0.1)
    sent = figures.snapshot().by_service("send")
    assert sent.latency.count == 0x10000
    assert len(sent.statuses) < 64


def test_a_refused_image_is_an_incident_with_peer_and_reason() -> None:
    figures = Figures()
    figures.stored(caller(), CT, 0xA700, None, "", 5, 0.1, "10 bytes are free")
    (incident,) = figures.incidents.figures()["images"]
    assert (incident["peer"], incident["address"]) == ("CT1", "10.0.0.7")
    assert "A700H" in incident["reason"] and "10 bytes are free" in incident["reason"]


def test_alerts_are_counted_by_kind() -> None:
    figures = Figures()
    for kind in (*events.ALERT_KINDS, events.LIMIT):
        figures.alerted(Alert(kind, "x"))
    assert figures.snapshot().alerts == {
        kind: 2 if kind == events.LIMIT else 1 for kind in events.ALERT_KINDS
    }
    assert [one["what"] for one in figures.incidents.figures()["images"]] == ["damaged object"]


def test_nothing_is_lost_when_many_associations_end_while_somebody_reads() -> None:
    figures = Figures()
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not done.is_set():
            seen.append(figures.snapshot().by_service("store").latency.count)

    def serve(number: int) -> None:
        for turn in range(20):
            who = caller(number * 100 + turn)
            figures.associated(who)
            for _ in range(20):
                store(figures, who)
            figures.dissociated(who, END)

    reader = threading.Thread(target=read)
    reader.start()
    threads = [threading.Thread(target=serve, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    assert figures.snapshot().by_service("store").latency.count == 8 * 20 * 20
    assert seen == sorted(seen)  # a counter never goes back


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(0, "success"), (0xB000, "warning"), (0x0107, "warning"), (0xFE00, "cancelled"), (0xA700, "refused"),
     (0x0124, "refused"), (0xA900, "failed"), (0xC123, "failed")],
)  # fmt: skip
def test_outcomes(code: int, outcome: str) -> None:
    assert outcome_of(code) == outcome


def test_an_observer_that_fails_does_not_keep_others_from_hearing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Observer):
        def began(self) -> None:
            raise KeyError("our own fault")

    heard: list[str] = []

    class Listening(Observer):
        def began(self) -> None:
            heard.append("began")

    both = Observers([Broken(), Listening()])
    both.began()
    both.ended()
    assert heard == ["began"] and "our own fault" in caplog.text
