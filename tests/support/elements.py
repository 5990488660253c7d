"""Data Sets as Python values, and their bytes in each native coding: the reference for the kernels.

Independent of fastdicom and of pydicom's reader and writer, and slow. Values are little endian bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydicom.datadict import dictionary_VR

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG_VRS = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
UNITS = {"AT": 2, "OW": 2, "SS": 2, "US": 2, "FL": 4, "OF": 4, "OL": 4, "SL": 4, "UL": 4}
UNITS |= {"FD": 8, "OD": 8, "OV": 8, "SV": 8, "UV": 8}


@dataclass(frozen=True)
class Coding:
    """How a Data Set's heads and numbers are written."""

    explicit_vr: bool
    big_endian: bool

    @property
    def order(self) -> str:
        return "big" if self.big_endian else "little"


IMPLICIT = Coding(False, False)
EXPLICIT = Coding(True, False)
BIG = Coding(True, True)
CODINGS = (IMPLICIT, EXPLICIT, BIG)


@dataclass(frozen=True)
class Item:
    """One item of a sequence."""

    elements: tuple[Element, ...]
    undefined: bool = False


@dataclass(frozen=True)
class Element:
    """One element: `value` for a leaf, `items` for a sequence (VR SQ)."""

    tag: int
    vr: str
    value: bytes = b""
    items: tuple[Item, ...] = ()
    undefined: bool = False
    fragments: tuple[bytes, ...] | None = field(default=None)


def number(value: int, size: int, coding: Coding) -> bytes:
    return value.to_bytes(size, "big" if coding.big_endian else "little")


def head(tag: int, vr: str, length: int, coding: Coding) -> bytes:
    """An element's head. PS3.5 7.1."""
    start = number(tag >> 16, 2, coding) + number(tag & 0xFFFF, 2, coding)
    if tag >> 16 == 0xFFFE or not coding.explicit_vr:
        return start + number(length, 4, coding)
    if vr in LONG_VRS:
        return start + vr.encode() + b"\0\0" + number(length, 4, coding)
    return start + vr.encode() + number(length, 2, coding)


def swapped(value: bytes, unit: int) -> bytes:
    """Each `unit` bytes in reverse; what is left over stays."""
    whole = len(value) - len(value) % unit
    return b"".join(value[at : at + unit][::-1] for at in range(0, whole, unit)) + value[whole:]


def encode(elements: tuple[Element, ...] | list[Element], coding: Coding) -> bytes:
    """The bytes of a Data Set."""
    return b"".join(encode_element(element, coding) for element in elements)


def encode_element(element: Element, coding: Coding) -> bytes:
    """The bytes of one element."""
    if element.fragments is not None:
        body = b"".join(head(ITEM, "", len(one), coding) + one for one in element.fragments)
        return head(element.tag, element.vr, UNDEFINED, coding) + body + head(SEQUENCE_END, "", 0, coding)
    if element.vr != "SQ":
        value = swapped(element.value, UNITS.get(element.vr, 1)) if coding.big_endian else element.value
        return head(element.tag, element.vr, len(value), coding) + value
    body = b"".join(encode_item(item, coding) for item in element.items)
    if element.undefined:
        return head(element.tag, "SQ", UNDEFINED, coding) + body + head(SEQUENCE_END, "", 0, coding)
    return head(element.tag, "SQ", len(body), coding) + body


def encode_item(item: Item, coding: Coding) -> bytes:
    """The bytes of one item."""
    body = encode(item.elements, coding)
    if item.undefined:
        return head(ITEM, "", UNDEFINED, coding) + body + head(ITEM_END, "", 0, coding)
    return head(ITEM, "", len(body), coding) + body


def implied_vr(tag: int) -> str:
    """The VR of a leaf that came without one, where it does not depend on others. PS3.5 7.8."""
    group, element = tag >> 16, tag & 0xFFFF
    if group % 2:
        return "LO" if 0x10 <= element <= 0xFF else "UN"
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def without_vrs(elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """What is left of a Data Set's VRs once it went through Implicit VR."""
    return tuple(
        Element(
            element.tag,
            "SQ" if element.vr == "SQ" else implied_vr(element.tag),
            element.value,
            tuple(Item(without_vrs(item.elements), item.undefined) for item in element.items),
            element.undefined,
        )
        for element in elements
    )


def with_lengths(elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """The same with explicit lengths, leaves of even length, without Group Lengths inside items."""
    return tuple(
        Element(
            element.tag,
            element.vr,
            padded(element.value, element.vr),
            tuple(
                Item(tuple(e for e in with_lengths(item.elements) if e.tag & 0xFFFF))
                for item in element.items
            ),
        )
        for element in elements
    )


def padded(value: bytes, vr: str) -> bytes:
    """The value with even length. PS3.5 6.2."""
    return value + (b"\0" if vr in ("UI", "OB", "UN") else b" ") * (len(value) % 2)
