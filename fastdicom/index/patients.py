"""Who an instance is of: the patient's attributes, for the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastdicom.index.packed import row_of
from fastdicom.index.schema import PAIR, SERIAL, opaque_key
from fastdicom.kernels.rows import parts


def patient_of(transaction: Any, databases: Mapping[str, Any], sop_instance_uid: str) -> bytes:
    """The patient's attributes, which every study's row holds; b"" when the instance is not there."""
    place = transaction.get(opaque_key(sop_instance_uid), db=databases["uids"])
    if place is None:
        return b""
    series = PAIR.unpack(place)[0]
    key = transaction.get(SERIAL.pack(series), db=databases["series_keys"])
    study = None if key is None else row_of(transaction, databases["studies"], PAIR.unpack(key)[0])
    return b"" if study is None else bytes(parts(study)[1])
