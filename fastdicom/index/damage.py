"""Instances whose files are known to be damaged: quarantined where they are, never hidden.

Such an instance keeps its row, so that it is found and its loss is known; queries call it UNAVAILABLE, it is
not sent, and a new copy of it is taken in its place whatever the archive does with duplicates.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from fastdicom.index.below import keys_below
from fastdicom.index.packed import row_of
from fastdicom.index.schema import PAIR, SERIAL
from fastdicom.kernels.rows import parts

PATIENT, STUDY, SERIES, IMAGE = range(4)
REASON_LENGTH_MAX = 200
LISTED_MAX = 10_000  # damaged instances whose entities a query keeps in mind
_FOUND_AT = struct.Struct("<d")


def any_damage(transaction: Any, databases: Mapping[str, Any]) -> bool:
    """False in nearly every archive: then nobody needs to look further."""
    return bool(transaction.stat(databases["damaged"])["entries"])


def damaged_entities(transaction: Any, databases: Mapping[str, Any], level: int) -> frozenset[int] | None:
    """Serials of the patients, studies or series that have a damaged instance; None when they are too many.

    Looked up once a query, for a look below each of its answers would take longer than the rest of it.
    """
    if level == IMAGE or transaction.stat(databases["damaged"])["entries"] > LISTED_MAX:
        return None
    found = {PAIR.unpack(key)[0] for key, _ in transaction.cursor(db=databases["damaged"])}
    if level == SERIES:
        return frozenset(found)
    keys = (transaction.get(SERIAL.pack(series), db=databases["series_keys"]) for series in found)
    found = {PAIR.unpack(key)[0] for key in keys if key is not None}
    if level == STUDY:
        return frozenset(found)
    rows = (row_of(transaction, databases["studies"], study) for study in found)
    return frozenset(SERIAL.unpack(parts(row)[0])[0] for row in rows if row is not None)


def damage_at(transaction: Any, databases: Mapping[str, Any], key: bytes) -> str:
    """What is wrong with the instance of this key; "" when nothing is known."""
    mark = transaction.get(key, db=databases["damaged"])
    return "" if mark is None else str(mark[_FOUND_AT.size :], "utf-8", "replace")


def mark_damaged(
    transaction: Any, databases: Mapping[str, Any], key: bytes, reason: str, found_at: float
) -> bool:
    """Note that an instance is damaged; False when that was known."""
    if transaction.get(key, db=databases["damaged"]) is not None:
        return False
    value = _FOUND_AT.pack(found_at) + reason.encode("utf-8", "replace")[:REASON_LENGTH_MAX]
    transaction.put(key, value, db=databases["damaged"])
    return True


def mark_whole(transaction: Any, databases: Mapping[str, Any], key: bytes) -> bool:
    """Note that an instance is whole; False when that was known."""
    return bool(transaction.delete(key, db=databases["damaged"]))


def damaged_below(
    transaction: Any, databases: Mapping[str, Any], level: int, serial: int, image: bytes | None
) -> bool:
    """Whether an entity has a damaged instance. image: the key of an entity of level IMAGE."""
    if level == IMAGE:
        return image is not None and damage_at(transaction, databases, image) != ""
    if level == SERIES:
        return any(True for _ in keys_below(transaction, databases["damaged"], serial))
    below = "series" if level == STUDY else "patient_studies"
    return any(
        damaged_below(transaction, databases, level + 1, PAIR.unpack(key)[1], None)
        for key in keys_below(transaction, databases[below], serial)
    )
