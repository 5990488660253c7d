"""Real Data Sets to run the kernels on: the files inside pydicom, and the shared ones where they are."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pydicom

from fastdicom.dataset.part10 import is_deflated, read_file_meta
from fastdicom.dataset.scanned import byte_coding
from fastdicom.errors import UsageError
from tests.support.elements import Coding
from tests.support.shared_data import manifest


@dataclass(frozen=True)
class RealDataset:
    """The bytes of one Data Set, inflated where they were deflated."""

    name: str
    data: bytes
    coding: Coding
    transfer_syntax_uid: str


def load(path: Path, name: str) -> RealDataset | None:
    """The Data Set of a file; None when it is no DICOM file."""
    data = path.read_bytes()
    try:
        meta = read_file_meta(data)
    except UsageError:
        return None
    data = data[meta.dataset_offset :]
    if is_deflated(meta.transfer_syntax_uid):
        data = zlib.decompressobj(-15).decompress(data)
    return RealDataset(name, data, Coding(*byte_coding(meta.transfer_syntax_uid)), meta.transfer_syntax_uid)


@cache
def shipped() -> tuple[RealDataset, ...]:
    """The Data Sets inside the pydicom package."""
    folder = Path(pydicom.__file__).parent / "data"
    files = sorted(
        path for pattern in ("test_files/*.dcm", "charset_files/*.dcm") for path in folder.glob(pattern)
    )
    return tuple(found for path in files if (found := load(path, path.name)) is not None)


@cache
def shared() -> tuple[RealDataset, ...]:
    """The shared Data Sets; skips the test when there are none."""
    return tuple(found for file in manifest() if (found := load(file.path, file.name)) is not None)
