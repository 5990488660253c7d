"""Identifiers against an index, and damaged index rows against an identifier.

The first byte chooses. An identifier is refused or answered, and every answer can be read again; a damaged
row raises ValueError or gives an answer.

python -m tests.fuzz query; see docs/fuzzing.md.
"""

from __future__ import annotations

import atexit
import tempfile
from functools import cache

from fastdicom.dataset.identifier import Model, decode_identifier
from fastdicom.dataset.recoded import element, item
from fastdicom.dataset.terms import Terms
from fastdicom.errors import Refused
from fastdicom.index.environment import Index
from fastdicom.index.packed import pack_block
from fastdicom.index.schema import pack_row
from fastdicom.kernels.query import IMAGE, NAME, PATIENT, STUDY, UNIVERSAL, Selector
from tests.support.asking import SYNTAXES
from tests.support.records import put

ROWS = 0x80  # in the first byte: the rest is a row


@cache
def index() -> Index:
    folder = tempfile.TemporaryDirectory(prefix="fastdicom-fuzz-")
    opened = Index.open(folder.name, sync=False)
    atexit.register(folder.cleanup)
    atexit.register(opened.close)
    names = ("DOE^JOHN", "Müller^Jörg", "Yamada=山田^太郎", "", "A\\B", "^=^")
    opened.apply(
        [
            put(
                f"1.{n}",
                f"2.{n % 4}",
                f"3.{n % 3}",
                charset="ISO_IR 192",
                codec="utf-8",
                PatientName=name,
                StudyDate="20240101",
                StudyTime="1010",
                AcquisitionDateTime="20240101101010+0100",
                InstanceNumber=str(n),
            )
            for n, name in enumerate(names)
        ]
    )
    return opened


def one_input(data: bytes) -> None:
    """Bit 7 of the first byte chooses rows; the others encoding and options."""
    if data[:1] >= bytes((ROWS,)):
        one_row(data[1:], data[0])
    elif data:
        one_identifier(data[1:], data[0])


def one_identifier(data: bytes, choice: int) -> None:
    syntax = SYNTAXES[choice & 3]
    on = bool(choice & 4)
    try:
        terms = Terms(True, on, bool(choice & 32), on, accent_folding=not on)
        model: Model = "PATIENT" if choice & 8 else "STUDY"
        asked = decode_identifier(data, syntax, model, terms=terms, retrieve=bool(choice & 16))
        if choice & 16:
            list(index().instances(asked))
            return
        answers = [one for one in index().find(asked) if one is not None]
    except Refused as refusal:
        assert refusal.status in (0xA700, 0xA900, 0xC000) and refusal.comment
        return
    for answer in answers:
        decode_identifier(answer, syntax, "PATIENT", terms=Terms(relational=True))


def one_row(data: bytes, choice: int) -> None:
    slots = [
        (0x00080020, "DA", STUDY, True, UNIVERSAL, None),
        (0x00081032, "SQ", STUDY, True, UNIVERSAL, None),
        (0x00100010, "PN", PATIENT, True, NAME, (b"*",)),
        (0x00280010, "US", IMAGE, True, UNIVERSAL, None),
    ]
    selector = Selector(slots, explicit_vr=bool(choice & 1), big_endian=bool(choice & 2))
    try:
        for level in (PATIENT, STUDY, IMAGE):
            selector.take(level, data)
            selector.encode()
            selector.texts()
        slot = selector.take_packed(STUDY, data, 0)
        while slot >= 0:
            selector.head(data, slot)
            slot = selector.take_packed(STUDY, data, slot + 1)
        selector.count(STUDY, data)
    except ValueError:
        pass


def seeds() -> list[bytes]:
    """Identifiers in the four encodings, rows and blocks of rows."""
    inner = item(element(0x00080100, "SH", b"A") + element(0x00080104, "LO", "Köpfe".encode()))
    keys = (
        element(0x00080005, "CS", b"ISO_IR 192")
        + element(0x00080020, "DA", b"20240101-")
        + element(0x00080030, "TM", b"10-11")
        + element(0x00080052, "CS", b"STUDY")
        + element(0x00080061, "CS", b"CT\\MR")
        + element(0x00080201, "SH", b"+0200")
        + element(0x00081032, "SQ", inner)
        + element(0x00100010, "PN", b"m?ller*=*")
        + element(0x0020000D, "UI", b"3.1\\3.2")
    )
    image = element(0x0008002A, "DT", b"2024-2025") + element(0x00080052, "CS", b"IMAGE")
    implicit = b"\x08\x00\x52\x00\x06\0\0\0STUDY \x10\0\x10\0\x02\0\0\0D*\x20\0\x0d\0\0\0\0\0"
    big = b"\0\x08\0\x52CS\0\x06STUDY \0\x10\0\x10PN\0\x02D*"
    own = element(0x00080020, "DA", b"20240101") + element(0x00081032, "SQ", inner)
    row = pack_row(b"headhead", element(0x00100010, "PN", b"Doe^John"), own, b"")
    block = pack_block([row if n % 5 == 0 else b"" for n in range(16)])
    found = [bytes((choice,)) + keys for choice in (1, 5, 9, 17, 33)]
    found += [b"\x01" + image, b"\x00" + implicit, b"\x02" + big]
    return found + [bytes((ROWS | choice,)) + one for choice in range(4) for one in (row, block)]
