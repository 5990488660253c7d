"""Instances that are known to be damaged: marked, answered as such, healed."""

from __future__ import annotations

import pytest

from fastdicom.dataset.record import Delete, Kept, Replaced
from fastdicom.index import damage
from fastdicom.index.environment import Index
from tests.support.answers import found
from tests.support.asking import ask
from tests.support.records import put


@pytest.fixture
def marked(index: Index) -> Index:
    """An index with two patients; instance 1.1 of the first is damaged."""
    index.apply([put("1.1", "2.1", "3.1", PatientID="P1"), put("1.2", "2.1", "3.1", PatientID="P1")])
    index.apply([put("1.3", "2.2", "3.1", PatientID="P1"), put("1.4", "2.4", "3.4", PatientID="P2")])
    entry = index.get("1.1")
    assert entry is not None
    assert index.mark(entry.file.path, "its Data Set is another one", 1000.0)
    assert not index.mark(entry.file.path, "known", 1001.0)
    return index


def availability(index: Index, level: str, model: str = "STUDY", **keys: str) -> dict[str, str]:
    unique = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID"}
    key = unique.get(level, "SOPInstanceUID")
    answers = found(index, ask(level, model, **{key: ""}, **keys))
    return {getattr(answer, key): answer.InstanceAvailability for answer in answers}


@pytest.mark.parametrize("listed", [True, False])
def test_every_level_says_what_cannot_be_retrieved_whole(
    marked: Index, listed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the list of damaged entities, and from a look below each when that would be too long."""
    if not listed:
        monkeypatch.setattr(damage, "LISTED_MAX", 0)
    assert availability(marked, "PATIENT", "PATIENT") == {"P1": "UNAVAILABLE", "P2": "ONLINE"}
    assert availability(marked, "STUDY") == {"3.1": "UNAVAILABLE", "3.4": "ONLINE"}
    assert availability(marked, "SERIES", StudyInstanceUID="3.1") == {"2.1": "UNAVAILABLE", "2.2": "ONLINE"}
    assert availability(marked, "IMAGE", StudyInstanceUID="3.1", SeriesInstanceUID="2.1") == {
        "1.1": "UNAVAILABLE",
        "1.2": "ONLINE",
    }


def test_a_damaged_instance_is_listed_and_selected_with_what_is_wrong(marked: Index) -> None:
    assert [entry.sop_instance_uid for entry in marked.damaged()] == ["1.1"]
    assert marked.damaged_count() == 1
    by_uid = {
        one.sop_instance_uid: one.damage for one in marked.instances(ask("STUDY", StudyInstanceUID="3.1"))
    }
    assert by_uid == {"1.1": "its Data Set is another one", "1.2": "", "1.3": ""}


def test_it_heals_when_it_is_sent_again_though_duplicates_are_kept(marked: Index) -> None:
    old = marked.get("1.1")
    assert old is not None
    (outcome,) = marked.apply([put("1.1", "2.1", "3.1", path="b0/new.dcm", PatientID="P1")])
    assert outcome == Replaced(old.file)
    assert marked.trash() == [old.file.path]
    assert marked.damaged_count() == 0
    assert availability(marked, "STUDY")["3.1"] == "ONLINE"
    (outcome,) = marked.apply([put("1.1", "2.1", "3.1", path="b0/newer.dcm", PatientID="P1")])
    assert isinstance(outcome, Kept)


def test_it_heals_when_it_is_found_whole(marked: Index) -> None:
    entry = marked.get("1.1")
    assert entry is not None
    assert marked.mark(entry.file.path, "", 0.0)
    assert not marked.mark(entry.file.path, "", 0.0)
    assert marked.damaged_count() == 0


def test_a_mark_goes_with_its_instance(marked: Index) -> None:
    entry = marked.get("1.1")
    assert entry is not None
    marked.apply([Delete("1.1")])
    assert marked.damaged_count() == 0
    assert not marked.mark(entry.file.path, "too late", 1.0)
    assert marked.damaged_count() == 0
