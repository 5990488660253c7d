"""The children of a patient, study or series: keys that begin with its serial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastdicom.index.schema import SERIAL


def keys_below(transaction: Any, database: Any, parent: int) -> Iterator[bytes]:
    """Keys in `patient_studies`, `series`, `instances` or `damaged` of what is directly below an entity."""
    prefix = SERIAL.pack(parent)
    cursor = transaction.cursor(db=database)
    more = cursor.set_range(prefix)
    while more:
        key = bytes(cursor.key())
        if not key.startswith(prefix):
            return
        yield key
        more = cursor.next()
