"""The tables that the node has to conform to, kept apart from the package's own so that tests judge those."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "conformance"

QUERY_CLASSES = (
    "1.2.840.10008.5.1.4.1.2.1.1",
    "1.2.840.10008.5.1.4.1.2.1.2",
    "1.2.840.10008.5.1.4.1.2.2.1",
    "1.2.840.10008.5.1.4.1.2.2.2",
)
VERIFICATION = "1.2.840.10008.1.1"


@dataclass(frozen=True)
class Row:
    """A SOP class (name, status) or a transfer syntax (keyword, kind)."""

    uid: str
    name: str
    kind: str


def _rows(file_name: str) -> tuple[Row, ...]:
    with open(FOLDER / file_name, newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        next(reader)
        return tuple(Row(*row) for row in reader)


STORAGE_CLASSES = _rows("sop_classes.csv")
TRANSFER_SYNTAXES = _rows("transfer_syntaxes.csv")
