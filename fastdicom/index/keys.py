"""The ordered keys that entities are found by, and how values become parts of them.

A key is a first sieve: it holds at most KEY_VALUE_LENGTH_MAX bytes of a folded value, and whatever it finds
is matched against the row again. LMDB keys have at most 511 bytes.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

from fastdicom.index.folding import folded_name, trimmed_values
from fastdicom.index.schema import SERIAL, opaque
from fastdicom.kernels.rows import value_of

PATIENT, STUDY, SERIES = 0, 1, 2
IDENTITY = 9  # the level byte of a patient's identity
KEY_VALUE_LENGTH_MAX = 200
_PREFIX = struct.Struct(">BI")

PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
ISSUER_OF_PATIENT_ID = 0x00100021
STUDY_DATE = 0x00080020
ACCESSION_NUMBER = 0x00080050
STUDY_ID = 0x00200010
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
PATIENT_BIRTH_DATE = 0x00100030
SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018

_OF_PATIENTS = ((PATIENT_NAME, "PN"), (PATIENT_ID, "LO"), (PATIENT_BIRTH_DATE, "DA"))
KEYED: dict[int, dict[int, str]] = {
    PATIENT: dict(_OF_PATIENTS),
    STUDY: {
        **dict(_OF_PATIENTS),
        STUDY_DATE: "DA",
        ACCESSION_NUMBER: "SH",
        STUDY_ID: "SH",
        STUDY_INSTANCE_UID: "UI",
    },
    SERIES: {SERIES_INSTANCE_UID: "UI"},
}
"""Level -> the attributes with a key, and their VRs."""


def key_prefix(level: int, tag: int) -> bytes:
    """What all keys of one attribute at one level begin with."""
    return _PREFIX.pack(level, tag)


def sought(value: bytes) -> bytes:
    """A folded value as it stands in a key, with its end mark."""
    return value[:KEY_VALUE_LENGTH_MAX] + b"\0"


def folded_values(vr: str, value: bytes) -> list[bytes]:
    """The values of an element as keys have them; each component group of a name by itself."""
    if vr == "PN":
        names = (folded_name(name) for name in value.decode("utf-8", "replace").split("\\"))
        return [group.encode("utf-8") for name in names for group in name.split("=") if group]
    if vr == "DA":
        return [one.replace(b".", b"")[:8] for one in trimmed_values(value)]
    if vr == "UI":
        return [opaque(one) for one in trimmed_values(value)]
    return trimmed_values(value)


def keys_of(level: int, serial: int, *datasets: bytes) -> Iterator[bytes]:
    """All keys of an entity, made from the Data Sets in its row."""
    suffix = SERIAL.pack(serial)
    for tag, vr in KEYED[level].items():
        for dataset in datasets:
            value = value_of(dataset, tag)
            if value:
                prefix = key_prefix(level, tag)
                for one in dict.fromkeys(folded_values(vr, value)):
                    yield prefix + sought(one) + suffix


def patient_identity(patient: bytes, study_instance_uid: str) -> bytes:
    """The key that makes two instances ones of the same patient: Patient ID with its issuer.

    Who has no Patient ID is a patient of one study: to merge all of them would make one person of many.
    """
    patient_id = (value_of(patient, PATIENT_ID) or b"").strip(b" \0")
    if patient_id:
        issuer = (value_of(patient, ISSUER_OF_PATIENT_ID) or b"").strip(b" \0")
        identity = b"I" + patient_id + b"\0" + issuer
    else:
        identity = b"S" + study_instance_uid.encode("utf-8", "surrogatepass")
    if len(identity) > KEY_VALUE_LENGTH_MAX:
        identity = b"H" + hashlib.sha256(identity).digest()
    return key_prefix(IDENTITY, PATIENT_ID) + identity
