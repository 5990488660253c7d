"""A scanner over whole Data Sets, in pieces, and a small one to scan."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from fastdicom.dataset.scanned import wanted_table
from fastdicom.errors import MalformedDataset
from fastdicom.kernels.scan import Scanner, WantedTable
from tests.support.elements import EXPLICIT, Coding, Element, Item

TABLE = wanted_table()
CHARACTER_SET, MODALITY, SOP_INSTANCE, PATIENT_NAME = 0x00080005, 0x00080060, 0x00080018, 0x00100010
ROWS, PROCEDURE_CODES, OTHER_IDS = 0x00280010, 0x00081032, 0x00101002
PIXEL_DATA = 0x7FE00010

SMALL = (
    Element(CHARACTER_SET, "CS", b"ISO_IR 100"),
    Element(SOP_INSTANCE, "UI", b"1.2.3.4\0"),
    Element(MODALITY, "CS", b"CT"),
    Element(
        PROCEDURE_CODES,
        "SQ",
        items=(
            Item((Element(0x00080100, "SH", b"CODE"), Element(0x00080104, "LO", b"Meaning"))),
            Item((), undefined=True),
        ),
        undefined=True,
    ),
    Element(PATIENT_NAME, "PN", b"Doe^Jane"),
    Element(ROWS, "US", b"\x00\x02"),
    Element(0x00091001, "UN", b"\xff\xff\xff\xff"),
    Element(PIXEL_DATA, "OW", bytes(range(40))),
)


def scan(data: bytes, coding: Coding, cuts: Iterable[int] = (), table: WantedTable = TABLE) -> Scanner:
    """The whole of `data` through a scanner, cut at `cuts`."""
    scanner = Scanner(table, coding.explicit_vr, coding.big_endian)
    edges = [0, *cuts, len(data)]
    for start, stop in itertools.pairwise(edges):
        scanner.feed(data[start:stop])
    scanner.finish()
    return scanner


def refused(data: bytes, coding: Coding = EXPLICIT, **limits: int) -> MalformedDataset:
    """The error of `data`, the same whether it comes whole or byte by byte."""
    errors = []
    for step in (max(len(data), 1), 1):
        scanner = Scanner(TABLE, coding.explicit_vr, coding.big_endian, **limits)
        with pytest.raises(MalformedDataset) as caught:
            for start in range(0, len(data), step):
                scanner.feed(data[start : start + step])
            scanner.finish()
        errors.append((str(caught.value), caught.value.offset, caught.value.tag))
    assert errors[0] == errors[1]
    assert len(errors[0][0]) <= 64
    return caught.value
