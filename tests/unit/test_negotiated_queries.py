"""Extended negotiation over a real association, with our own client: what is granted works, PS3.4 C.5.1.1."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fastdicom import Config, Engine, Refused, connect
from fastdicom.client import PeerConnection
from fastdicom.dataset.terms import EXTENSIONS, Extension
from tests.support.records import put

NAMES = {"3.1": "Meyer^Anna", "3.2": "Maier^Anna", "3.3": "Müller^Jörg"}
TIMES = {"3.1": ("20240101", "2300"), "3.2": ("20240102", "0100"), "3.3": ("20240102", "2300")}


@contextmanager
def node(folder: Path, **config: Any) -> Iterator[Engine]:
    """A running engine with three studies."""
    with Engine(Config(port=0, archive=folder / "archive", **config)) as engine:
        engine.archive.index.apply(
            [
                put(
                    f"1.{uid}", f"2.{uid}", uid, charset="ISO_IR 192", codec="utf-8", PatientName=NAMES[uid],
                    StudyDate=TIMES[uid][0], StudyTime=TIMES[uid][1], TimezoneOffsetFromUTC="+0000",
                )
                for uid in NAMES
            ]
        )  # fmt: skip
        yield engine


def client(engine: Engine, *extensions: Extension, calling: str = "READER") -> PeerConnection:
    return connect(*engine.addresses[0], calling=calling, extensions=extensions)


def studies(peer: PeerConnection, **keys: str) -> list[str]:
    return sorted(str(one.StudyInstanceUID) for one in peer.find(StudyInstanceUID="", **keys))


ALL = {"unknown_peers": ["echo", "find"]}


def test_nothing_is_granted_unless_it_is_configured(tmp_path: Path) -> None:
    with node(tmp_path, access=ALL) as engine, client(engine, *EXTENSIONS) as peer:
        assert peer.granted() == peer.granted("PATIENT") == frozenset()
        with pytest.raises(Refused, match="StudyInstanceUID"):
            list(peer.find(level="SERIES", Modality=""))
        assert studies(peer, StudyDate="20240101-20240102", StudyTime="2200-0200") == []


def test_nothing_is_granted_that_was_not_asked_for(tmp_path: Path) -> None:
    query = dict.fromkeys(EXTENSIONS, True)
    with node(tmp_path, access=ALL, query=query) as engine, client(engine) as peer:
        assert peer.granted() == frozenset()
        with pytest.raises(Refused, match="StudyInstanceUID"):
            list(peer.find(level="SERIES", SeriesInstanceUID=""))


def test_relational_queries_need_no_keys_above(tmp_path: Path) -> None:
    with (
        node(tmp_path, access=ALL, query={"relational": True}) as engine,
        client(engine, "relational", "fuzzy") as peer,
    ):
        assert peer.granted() == {"relational"}
        found = {str(one.SeriesInstanceUID) for one in peer.find(level="SERIES", SeriesInstanceUID="")}
        assert found == {"2.3.1", "2.3.2", "2.3.3"}
        found = {str(one.SOPInstanceUID) for one in peer.find(level="IMAGE", SOPInstanceUID="1.3.2")}
        assert found == {"1.3.2"}


def test_a_date_and_its_time_are_one_moment(tmp_path: Path) -> None:
    with (
        node(tmp_path, access=ALL, query={"datetime": True}) as engine,
        client(engine, "datetime") as peer,
        client(engine) as plain,
    ):
        keys = {"StudyDate": "20240101-20240102", "StudyTime": "2200-0200"}
        assert studies(peer, **keys) == ["3.1", "3.2"]
        assert studies(plain, **keys) == []


def test_names_that_sound_alike(tmp_path: Path) -> None:
    with (
        node(tmp_path, access=ALL, query={"fuzzy": True}) as engine,
        client(engine, "fuzzy") as peer,
        client(engine) as plain,
    ):
        assert studies(peer, PatientName="Mayr^Anna") == ["3.1", "3.2"]
        assert studies(plain, PatientName="Mayr^Anna") == []


def test_times_on_the_askers_clock(tmp_path: Path) -> None:
    with (
        node(tmp_path, access=ALL, query={"timezone": True}) as engine,
        client(engine, "timezone") as peer,
        client(engine) as plain,
    ):
        keys = {"StudyDate": "20240102", "StudyTime": "", "TimezoneOffsetFromUTC": "+0200"}
        assert studies(peer, **keys) == ["3.1", "3.2"]
        assert studies(plain, **keys) == ["3.2", "3.3"]


def test_a_peers_own_grants_and_character_set(tmp_path: Path) -> None:
    peers = [
        {"ae_title": "OLD", "charset": "ISO_IR 100", "grants": ["relational"]},
        {"ae_title": "STRICT", "grants": []},
    ]
    with node(tmp_path, access=ALL, query={"fuzzy": True}, peers=peers) as engine:
        with client(engine, *EXTENSIONS, calling="OLD") as peer:
            assert peer.granted() == {"relational"}
            (answer,) = peer.find(PatientName="", StudyInstanceUID="3.3")
            assert (answer.SpecificCharacterSet, answer.PatientName) == ("ISO_IR 100", "Müller^Jörg")
        with client(engine, *EXTENSIONS, calling="STRICT") as peer:
            assert peer.granted() == frozenset()
            (answer,) = peer.find(PatientName="", StudyInstanceUID="3.3")
            assert (answer.SpecificCharacterSet, answer.PatientName) == ("ISO_IR 192", "Müller^Jörg")
        with client(engine, *EXTENSIONS) as peer:
            assert peer.granted() == {"fuzzy"}


def test_a_peers_character_set_overrules_what_it_says(tmp_path: Path) -> None:
    peers = [{"ae_title": "OLD", "charset": "ISO_IR 144"}]
    with node(tmp_path, access=ALL, peers=peers) as engine:
        engine.archive.index.apply(
            [put("1", "2", "3", PatientName="Люк", charset="ISO_IR 144", codec="iso8859-5")]
        )
        with client(engine, calling="OLD") as peer:
            wrong = "Люк".encode("iso8859-5").decode("latin_1")
            (answer,) = peer.find(PatientName=wrong, StudyInstanceUID="", SpecificCharacterSet="ISO_IR 100")
            assert (answer.SpecificCharacterSet, str(answer.PatientName)) == ("ISO_IR 144", "Люк")


@pytest.mark.parametrize("folds", [True, False])
def test_folding_accents_is_an_option(tmp_path: Path, folds: bool) -> None:
    with node(tmp_path, access=ALL, query={"accent_folding": folds}) as engine, client(engine) as peer:
        assert studies(peer, PatientName="muller*") == (["3.3"] if folds else [])
        assert studies(peer, PatientName="MÜLLER*") == ["3.3"]
        assert [
            str(one.StudyInstanceUID) for one in engine.find(PatientName="muller*", StudyInstanceUID="")
        ] == (["3.3"] if folds else [])


def test_too_many_answers_end_with_a_failure_after_those_that_fit(tmp_path: Path) -> None:
    limits = {"answers_max": 2}
    with node(tmp_path, access=ALL, limits=limits) as engine, client(engine) as peer:
        answers = peer.find(StudyInstanceUID="")
        assert [str(next(answers).StudyInstanceUID) for _ in range(2)] == ["3.1", "3.2"]
        with pytest.raises(Refused, match="more than 2 matches") as caught:
            next(answers)
        assert caught.value.status == 0xA700
        assert studies(peer, StudyDate="20240102") == ["3.2", "3.3"]


def test_files_that_are_not_there_are_logged_and_answered_empty(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with node(tmp_path, access=ALL) as engine, client(engine) as peer, caplog.at_level(logging.INFO):
        answers = list(peer.find(StudyInstanceUID="", KVP=""))
    assert [one.KVP for one in answers] == [None] * 3
    assert "3 answers took 3 files to read" in caplog.text
