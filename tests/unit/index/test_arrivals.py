"""The order in which studies arrived."""

from __future__ import annotations

from dataclasses import replace

from fastdicom.dataset.record import Delete, Put
from fastdicom.index.environment import Index
from tests.support.records import put


def at(time: float, made: Put) -> Put:
    return replace(made, file=replace(made.file, received_at=time))


def order(index: Index) -> list[str]:
    return [study.study_instance_uid for study in index.arrived()]


def test_studies_stand_in_the_order_in_which_they_came(index: Index) -> None:
    index.apply([at(1000, put("1.1", "2.1", "3.1", PatientID="P1", size=7))])
    index.apply([at(1001, put("1.2", "2.2", "3.2")), at(1002, put("1.3", "2.3", "3.3"))])
    first = index.arrived(count=1)[0]
    assert (first.study_instance_uid, first.patient_id, first.received) == ("3.1", "P1", 1000)
    assert (first.instances, first.length) == (1, 7)
    assert [one.study_instance_uid for one in index.arrived(first.place)] == ["3.2", "3.3"]


def test_a_study_that_gets_a_late_instance_goes_to_the_end(index: Index) -> None:
    index.apply([at(1000, put("1.1", "2.1", "3.1")), at(1000, put("1.2", "2.2", "3.2"))])
    index.apply([at(1030, put("1.3", "2.1", "3.1"))])
    assert order(index) == ["3.1", "3.2"]  # half a minute is no difference
    index.apply([at(2000, put("1.4", "2.1", "3.1"))])
    assert order(index) == ["3.2", "3.1"]
    assert [one.instances for one in index.arrived()] == [1, 3]


def test_the_order_is_that_of_the_commits_whatever_the_clock_says(index: Index) -> None:
    for number, time in enumerate((5000, 4e9, 0, 5100)):
        index.apply([at(time, put(f"1.{number}", f"2.{number}", f"3.{number}"))])
    assert order(index) == ["3.0", "3.1", "3.2", "3.3"]


def test_a_deleted_study_has_no_place_any_more(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1"), put("1.2", "2.1", "3.1"), put("1.3", "2.3", "3.3")])
    index.apply([Delete("1.1")])
    assert order(index) == ["3.1", "3.3"]
    index.apply([Delete("1.2")])
    assert order(index) == ["3.3"]


def test_a_replacement_that_moves_to_another_study_takes_the_empty_one_along(index: Index) -> None:
    index.apply([put("1.1", "2.1", "3.1")])
    index.apply([put("1.1", "2.9", "3.9", path="b0/new.dcm", replace=True)])
    assert order(index) == ["3.9"]


def test_the_instances_of_a_study_are_given_some_at_a_time(index: Index) -> None:
    index.apply([put(f"1.{n}", f"2.{n % 3}", "3.1") for n in range(10)] + [put("9.1", "9.2", "9.3")])
    (study, _) = index.arrived()
    assert len(index.study_entries(study, 4)) == 4
    assert len(index.study_entries(study, 100)) == 10
    selected = index.series_of(study)
    assert len(selected) == 3
