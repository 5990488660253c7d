"""Random puts, replacements and deletions: the index against a dict of what should be there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from fastdicom.dataset.record import Delete, Put
from fastdicom.index.environment import Counts, Index
from tests.support.answers import found
from tests.support.asking import ask
from tests.support.records import put

Change = tuple[str, int, int, int, int, bool]

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("put", "put", "put", "delete")),
        st.integers(0, 7),  # instance
        st.integers(0, 3),  # series
        st.integers(0, 2),  # study
        st.integers(0, 2),  # patient
        st.booleans(),  # replace
    ),
    max_size=40,
)
MODALITIES = ("CT", "MR", "SR", "")


class Model:
    """What should be in the index: instances, and the patient that each study has."""

    def __init__(self) -> None:
        self.instances: dict[str, Put] = {}
        self.patients: dict[str, str] = {}  # study -> patient ID
        self.modality: dict[tuple[str, str], str] = {}  # (study, series) -> its row's modality

    def put(self, change: Put, patient: str, modality: str) -> None:
        record = change.record
        old = self.instances.get(record.sop_instance_uid)
        if old is not None and not change.replace:
            return
        series = (record.study_instance_uid, record.series_instance_uid)
        if old is not None:
            self._remove(record.sop_instance_uid)
            self.patients[record.study_instance_uid] = patient
            self.modality[series] = modality
        self.instances[record.sop_instance_uid] = change
        self.patients.setdefault(record.study_instance_uid, patient)
        self.modality.setdefault(series, modality)

    def delete(self, uid: str) -> None:
        if uid in self.instances:
            self._remove(uid)

    def _remove(self, uid: str) -> None:
        gone = self.instances.pop(uid).record
        left = {
            (one.record.study_instance_uid, one.record.series_instance_uid) for one in self.instances.values()
        }
        if (gone.study_instance_uid, gone.series_instance_uid) not in left:
            self.modality.pop((gone.study_instance_uid, gone.series_instance_uid), None)
        if gone.study_instance_uid not in {study for study, _ in left}:
            self.patients.pop(gone.study_instance_uid, None)

    def counts(self) -> Counts:
        sizes = sum(one.file.size for one in self.instances.values())
        return Counts(
            len(set(self.patients.values())),
            len(self.patients),
            len(self.modality),
            len(self.instances),
            sizes,
        )


def apply(index: Index, model: Model, changes: list[Change], batch_size: int) -> None:
    batch: list[Put | Delete] = []
    for number, (what, sop, series, study, patient, replace) in enumerate(changes):
        if what == "delete":
            batch.append(Delete(f"1.{sop}"))
            model.delete(f"1.{sop}")
        else:
            modality = MODALITIES[(series + patient) % 4]
            change = put(
                f"1.{sop}",
                f"2.{series}",
                f"3.{study}",
                path=f"b/{number}",
                size=number + 1,
                replace=replace,
                PatientID=f"P{patient}",
                Modality=modality,
                PatientName=f"Nä{patient}" if replace else f"N{patient}",
                charset="ISO_IR 100",
                codec="latin-1",
            )
            batch.append(change)
            model.put(change, f"P{patient}", modality)
        if len(batch) == batch_size:
            index.apply(batch)
            batch = []
    index.apply(batch)


def check(index: Index, model: Model) -> None:
    assert index.counts() == model.counts()
    assert {entry.sop_instance_uid for entry in index.entries()} == set(model.instances)
    assert set(index.paths()) == {one.file.path for one in model.instances.values()}
    check_studies(index, model)
    check_patients(index, model)
    for study, series in model.modality:
        records = [one.record for one in model.instances.values()]
        below = [
            one for one in records if (one.study_instance_uid, one.series_instance_uid) == (study, series)
        ]
        keys = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
        (answer,) = found(index, ask("SERIES", **keys, NumberOfSeriesRelatedInstances=""))
        assert answer.NumberOfSeriesRelatedInstances == len(below)
        assert len(found(index, ask("IMAGE", **keys, SOPInstanceUID=""))) == len(below)


def check_studies(index: Index, model: Model) -> None:
    keys = dict.fromkeys(
        (
            "PatientID",
            "StudyInstanceUID",
            "NumberOfStudyRelatedSeries",
            "NumberOfStudyRelatedInstances",
            "ModalitiesInStudy",
        ),
        "",
    )
    answers = {answer.StudyInstanceUID: answer for answer in found(index, ask("STUDY", **keys))}
    assert set(answers) == set(model.patients)
    instances = Counter(one.record.study_instance_uid for one in model.instances.values())
    for study, patient in model.patients.items():
        answer = answers[study]
        modalities = {value for (of, _), value in model.modality.items() if of == study} - {""}
        told = answer.ModalitiesInStudy
        assert set([told] if isinstance(told, str) else told or ()) - {""} == modalities
        assert answer.PatientID == patient
        assert answer.NumberOfStudyRelatedInstances == instances[study]
        assert answer.NumberOfStudyRelatedSeries == sum(of == study for of, _ in model.modality)
        assert len(found(index, ask("STUDY", StudyInstanceUID=study, PatientID=patient))) == 1


def check_patients(index: Index, model: Model) -> None:
    keys = dict.fromkeys(
        (
            "PatientID",
            "NumberOfPatientRelatedStudies",
            "NumberOfPatientRelatedSeries",
            "NumberOfPatientRelatedInstances",
        ),
        "",
    )
    answers = {answer.PatientID: answer for answer in found(index, ask("PATIENT", "PATIENT", **keys))}
    assert set(answers) == set(model.patients.values())
    for patient, answer in answers.items():
        studies = {study for study, of in model.patients.items() if of == patient}
        assert answer.NumberOfPatientRelatedStudies == len(studies)
        assert answer.NumberOfPatientRelatedSeries == sum(of in studies for of, _ in model.modality)
        assert answer.NumberOfPatientRelatedInstances == sum(
            one.record.study_instance_uid in studies for one in model.instances.values()
        )
        uids = {
            entry.sop_instance_uid for entry in index.instances(ask("PATIENT", "PATIENT", PatientID=patient))
        }
        assert len(uids) == answer.NumberOfPatientRelatedInstances


@settings(max_examples=60, deadline=None)
@given(CHANGES, st.integers(1, 12))
def test_all_levels_agree_with_a_dict(changes: list[Change], batch_size: int) -> None:
    with TemporaryDirectory() as folder, Index.open(Path(folder), sync=False) as index:
        model = Model()
        apply(index, model, changes, batch_size)
        check(index, model)
        index.apply([Delete(uid) for uid in model.instances])
        assert index.counts() == Counts(0, 0, 0, 0, 0)
        assert leftovers(index) == {}


def leftovers(index: Index) -> dict[str, int]:
    """Databases that hold anything although no instance is left."""
    with index._store.reading() as transaction:
        sizes = {name: transaction.stat(handle)["entries"] for name, handle in index._store.databases.items()}
    return {name: size for name, size in sizes.items() if size and name not in ("meta", "trash", "notes")}
