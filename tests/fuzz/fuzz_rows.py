"""Index rows and the Data Sets in them: answers that lie inside the bytes, or a ValueError.

python -m tests.fuzz rows; see docs/fuzzing.md.
"""

from __future__ import annotations

import contextlib

from fastdicom.dataset.recoded import element, item
from fastdicom.index.packed import SLOTS, pack_block
from fastdicom.index.schema import pack_row
from fastdicom.kernels import rows

TAGS = (0x00080005, 0x00080020, 0x00081032, 0x00100010, 0x7FE00010, 0xFFFEE000)


def one_input(data: bytes) -> None:
    assert rows.text_is_plain(data) in (True, False)
    for tag in TAGS:
        value = rows.value_of(data, tag)
        assert value is None or value in data
    try:
        found = rows.elements(data)
    except ValueError:
        pass
    else:
        assert sum(len(value) for _, _, value in found) <= len(data)
        for tag, vr, value in found:
            if tag in TAGS and vr == "SQ":
                read_items(value)
    read_items(data)
    with contextlib.suppress(ValueError):
        assert sum(map(len, rows.parts(data))) <= len(data)
    for slot in range(SLOTS):
        with contextlib.suppress(ValueError):
            assert rows.packed(data, slot) in data


def read_items(data: bytes) -> None:
    try:
        found = rows.items(data)
    except ValueError:
        return
    assert sum(map(len, found)) <= len(data)


def seeds() -> list[bytes]:
    inner = item(element(0x00080100, "SH", b"A") + element(0x00080104, "LO", "Köpfe".encode()))
    dataset = (
        element(0x00080005, "CS", b"ISO_IR 192")
        + element(0x00080020, "DA", b"20240101")
        + element(0x00081032, "SQ", inner * 3)
        + element(0x00100010, "PN", b"Doe^John")
    )
    row = pack_row(b"headhead", dataset, element(0x00080020, "DA", b"20240101"), b"folded")
    return [dataset, inner, row, pack_block([row if n % 5 == 0 else b"" for n in range(SLOTS)]), b""]
