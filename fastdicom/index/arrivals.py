"""The order in which studies arrived: which one retention takes first.

The order is that of the commits, not of the clock: a clock that jumps neither hides a study nor brings it
forward. A study stands where its last instance came in; to spare the index a write for each instance it moves
only when GRAIN_S have passed since it last did.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastdicom.dataset.record import StoredEntry
from fastdicom.index.below import keys_below
from fastdicom.index.entries import Entries
from fastdicom.index.packed import row_of
from fastdicom.index.schema import PAIR, SERIAL, Tally
from fastdicom.kernels.rows import parts, value_of

GRAIN_S = 60.0
_PATIENT_ID = 0x00100020
_STUDY_INSTANCE_UID = 0x0020000D
_TIME = struct.Struct("<d")


class ArrivedStudy(NamedTuple):
    """A study in the order of arrival. received: its time, as the clock was then. length: bytes of its files.
    patient: its patient's attributes, Explicit VR Little Endian in UTF-8.

    place: to go on behind it. serial: for `study_entries`.
    """

    place: bytes
    serial: int
    study_instance_uid: str
    patient_id: str
    received: float
    instances: int
    length: int
    patient: bytes


def note_arrival(
    transaction: Any, databases: Mapping[str, Any], study: int, tally: Tally, sequence: int, received: float
) -> None:
    """An instance of the study came as number `sequence`. The caller writes the tally."""
    if tally.arrival:
        if abs(received - tally.received) < GRAIN_S:
            return
        forget_arrival(transaction, databases, study, tally)
    tally.arrival, tally.received = sequence, received
    transaction.put(PAIR.pack(sequence, study), _TIME.pack(received), db=databases["arrivals"])


def forget_arrival(transaction: Any, databases: Mapping[str, Any], study: int, tally: Tally) -> None:
    """The study is gone, or takes another place."""
    transaction.delete(PAIR.pack(tally.arrival, study), db=databases["arrivals"])


def arrived(transaction: Any, databases: Mapping[str, Any], after: bytes, count: int) -> list[ArrivedStudy]:
    """Up to `count` studies behind a place (b"": from the first on)."""
    cursor = transaction.cursor(db=databases["arrivals"])
    found: list[ArrivedStudy] = []
    more = cursor.set_range(after + b"\0") if after else cursor.first()
    while more and len(found) < count:
        key = bytes(cursor.key())
        received = _TIME.unpack(cursor.value())[0]
        found.append(_study(transaction, databases, key, received))
        more = cursor.next()
    return found


def _study(transaction: Any, databases: Mapping[str, Any], key: bytes, received: float) -> ArrivedStudy:
    serial = PAIR.unpack(key)[1]
    row = row_of(transaction, databases["studies"], serial)
    if row is None:
        raise ValueError(f"the index has no row {serial} that its arrivals name; rebuild it")
    _, patient, own, _ = parts(row)
    tally = Tally.unpack(bytes(transaction.get(b"1" + SERIAL.pack(serial), db=databases["tallies"])))
    return ArrivedStudy(
        key,
        serial,
        _text(own, _STUDY_INSTANCE_UID),
        _text(patient, _PATIENT_ID),
        received,
        tally.instances,
        tally.length,
        patient,
    )


def series_of(transaction: Any, databases: Mapping[str, Any], study: int) -> list[int]:
    """Serials of a study's series."""
    return [PAIR.unpack(key)[1] for key in keys_below(transaction, databases["series"], study)]


def study_entries(
    transaction: Any, databases: Mapping[str, Any], study: int, count: int
) -> list[StoredEntry]:
    """Up to `count` instances of a study."""
    entries = Entries(transaction, databases)
    found: list[StoredEntry] = []
    for series in series_of(transaction, databases, study):
        for key in keys_below(transaction, databases["instances"], series):
            if len(found) == count:
                return found
            entry = entries.at(key)
            assert entry is not None
            found.append(entry)
    return found


def _text(dataset: bytes, tag: int) -> str:
    return (value_of(dataset, tag) or b"").strip(b" \0").decode("utf-8", "surrogatepass")
