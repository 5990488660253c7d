"""Answers of the index as pydicom Data Sets."""

from __future__ import annotations

import zlib
from io import BytesIO

from pydicom import Dataset
from pydicom.filereader import read_dataset

from fastdicom.dataset.identifier import Identifier
from fastdicom.index.environment import Index
from fastdicom.standard.transfer_syntaxes import KNOWN


def read(data: bytes, transfer_syntax_uid: str) -> Dataset:
    """An encoded identifier as a Data Set, its text decoded."""
    syntax = KNOWN[transfer_syntax_uid]
    if syntax.deflated:
        data = zlib.decompressobj(-15).decompress(data)
    dataset = read_dataset(BytesIO(data), not syntax.explicit_vr, not syntax.big_endian)
    dataset.decode()
    return dataset


def found(index: Index, identifier: Identifier, **options: object) -> list[Dataset]:
    """All answers."""
    answers = index.find(identifier, **options)  # type: ignore[arg-type]
    return [read(answer, identifier.transfer_syntax_uid) for answer in answers if answer is not None]
