"""Where the large set of real DICOM files is, for the tests that use it.

FASTDICOM_DATA names its folder; without it, `../shared/data` beside the checkout is tried.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


def shared_data() -> Path:
    """The folder that holds MANIFEST.csv; skips the test with a reason when there is none."""
    folder = Path(os.environ.get("FASTDICOM_DATA", CHECKOUT.parent / "shared" / "data"))
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip(f"no shared data at {folder} (set FASTDICOM_DATA)")
    return folder


@dataclass(frozen=True)
class SharedFile:
    """A row of MANIFEST.csv: what the file is, as its collectors found it; UIDs may be empty."""

    path: Path
    name: str
    size: int
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    note: str


@cache
def manifest() -> tuple[SharedFile, ...]:
    """All rows of MANIFEST.csv."""
    folder = shared_data()
    with open(folder / "MANIFEST.csv", newline="", encoding="utf-8") as file:
        return tuple(
            SharedFile(
                folder / row["path"],
                row["path"],
                int(row["bytes"]),
                row["sop_class_uid"],
                row["sop_instance_uid"],
                row["transfer_syntax_uid"],
                row["note"],
            )
            for row in csv.DictReader(file)
        )
