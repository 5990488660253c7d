"""The queries of a day, as identifiers on the wire."""

from __future__ import annotations

from typing import NamedTuple

from bench.querying.archives import ROOT, STUDIES_OF_A_PATIENT, date_of
from tests.support.rawelements import (
    ACCESSION_NUMBER,
    INSTANCE_NUMBER,
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    SPECIFIC_CHARACTER_SET,
    STUDY_DATE,
    STUDY_DESCRIPTION,
    STUDY_INSTANCE_UID,
    identifier,
)

MODALITIES_IN_STUDY, SERIES_OF_STUDY, INSTANCES_OF_STUDY = 0x00080061, 0x00201206, 0x00201208
RETURNED = dict.fromkeys(
    (PATIENT_NAME, PATIENT_ID, 0x00100030, STUDY_INSTANCE_UID, STUDY_DATE, 0x00080030, ACCESSION_NUMBER,
     STUDY_DESCRIPTION, 0x00080090), "",
)  # fmt: skip
COUNTS = {MODALITIES_IN_STUDY: "", SERIES_OF_STUDY: "", INSTANCES_OF_STUDY: ""}

Keys = dict[int, str]


class Question(NamedTuple):
    """One query. point: it names one entity. sent: it is asked over the network too."""

    name: str
    level: str
    keys: Keys
    point: bool = False
    sent: bool = True

    @property
    def identifier(self) -> bytes:
        """In Implicit VR Little Endian, in Study Root."""
        return identifier(self.level, {SPECIFIC_CHARACTER_SET: "ISO_IR 192", **self.keys})


def _study(name: str, keys: Keys, *, point: bool = False, sent: bool = True) -> Question:
    return Question(name, "STUDY", {**RETURNED, **keys}, point, sent)


def questions(studies: int) -> list[Question]:
    """Those that name one entity take it from the middle of an archive of so many studies."""
    study = studies // 2
    uid = f"{ROOT}.1.{study}"
    series = {STUDY_INSTANCE_UID: uid, SERIES_INSTANCE_UID: "", MODALITY: "", 0x00201209: ""}
    image = {
        STUDY_INSTANCE_UID: uid, SERIES_INSTANCE_UID: f"{ROOT}.2.{study}.0",
        SOP_INSTANCE_UID: "", INSTANCE_NUMBER: "",
    }  # fmt: skip
    return [
        _study("patient ID", {PATIENT_ID: f"PID{study // STUDIES_OF_A_PATIENT:08}"}, point=True),
        _study("accession number", {ACCESSION_NUMBER: f"ACC{study:09}"}, point=True),
        _study("study UID", {STUDY_INSTANCE_UID: uid}, point=True),
        Question("series of a study", "SERIES", series, True),
        Question("images of a series", "IMAGE", image, True),
        _study("name prefix", {PATIENT_NAME: "SMITH1*"}),
        _study("name, accent folded", {PATIENT_NAME: "muller12^*"}, sent=False),
        _study("one day", {STUDY_DATE: date_of(study)}),
        _study("one day, CT", {STUDY_DATE: date_of(study), MODALITIES_IN_STUDY: "CT"}, sent=False),
        _study("name, inner wild card", {PATIENT_NAME: "*77^JOHN"}),
        _study("description, inner wild card", {STUDY_DESCRIPTION: "*KNEE*"}),
        _study("nothing matches, all rows", {STUDY_DESCRIPTION: "*NOWHERE*"}),
        _study("all studies", {}),
        _study("all studies with counts", COUNTS),
    ]
