"""Data Sets as Python values, and their bytes in each native coding: the reference for the kernels.

Independent of fastdicom and of pydicom's reader and writer, and slow. Values are little endian bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydicom.datadict import dictionary_VR

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG_VRS = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV", "ZZ"])
# ZZ stands for the VRs of coming editions (PS3.5 7.1.2).
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
    result = bytearray(value)
    for index in range(unit):
        result[index:whole:unit] = value[unit - 1 - index : whole : unit]
    return bytes(result)


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
    """What a Data Set is to who reads it in Implicit VR.

    A private sequence of defined length cannot be told from a value there: it is one of unknown VR.
    """
    return tuple(map(_without_vr, elements))


def _without_vr(element: Element) -> Element:
    if element.vr != "SQ":
        return Element(element.tag, implied_vr(element.tag), element.value)
    if (element.tag >> 16) % 2 and not element.undefined:
        return Element(element.tag, "UN", b"".join(encode_item(item, IMPLICIT) for item in element.items))
    items = tuple(Item(without_vrs(item.elements), item.undefined) for item in element.items)
    return Element(element.tag, "SQ", items=items, undefined=element.undefined)


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


def decode(data: bytes, coding: Coding) -> tuple[Element, ...]:
    """The elements of a well-formed Data Set; VR "" where none is stated. The opposite of `encode`."""
    return _Decoder(data).elements(0, len(data), coding)[0]


class _Decoder:
    """Recursive, so for trusted data only."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def number(self, at: int, size: int, coding: Coding) -> int:
        return int.from_bytes(self.data[at : at + size], "big" if coding.big_endian else "little")

    def elements(self, at: int, end: int, coding: Coding) -> tuple[tuple[Element, ...], int]:
        """Up to `end` or an item's end, and where that was."""
        found = []
        while at < end:
            tag, vr, length, at = self.head(at, coding)
            if tag == ITEM_END:
                break
            if tag >> 16 == 0xFFFE:
                continue
            if self.is_sequence(tag, vr, length, at):
                items, at = self.items(at, length, IMPLICIT if vr == "UN" else coding)
                found.append(Element(tag, "SQ", items=items, undefined=length == UNDEFINED))
            elif length == UNDEFINED:
                fragments, at = self.fragments(at, coding)
                found.append(Element(tag, vr, fragments=fragments))
            else:
                value = self.data[at : at + length]
                value = swapped(value, UNITS.get(vr, 1)) if coding.big_endian else value
                found.append(Element(tag, vr, value))
                at += length
        return tuple(found), at

    def head(self, at: int, coding: Coding) -> tuple[int, str, int, int]:
        tag = self.number(at, 2, coding) << 16 | self.number(at + 2, 2, coding)
        if tag >> 16 == 0xFFFE or not coding.explicit_vr:
            return tag, "", self.number(at + 4, 4, coding), at + 8
        vr = self.data[at + 4 : at + 6].decode("ascii")
        if vr in LONG_VRS:
            return tag, vr, self.number(at + 8, 4, coding), at + 12
        return tag, vr, self.number(at + 6, 2, coding), at + 8

    def is_sequence(self, tag: int, vr: str, length: int, at: int) -> bool:
        if length == UNDEFINED:
            return vr in ("", "SQ", "UN") and tag != 0x7FE00010
        return vr == "SQ" or (vr == "" and not (tag >> 16) % 2 and implied_vr(tag) == "SQ")

    def items(self, at: int, length: int, coding: Coding) -> tuple[tuple[Item, ...], int]:
        found = []
        end = len(self.data) if length == UNDEFINED else at + length
        while at < end:
            tag, _, item_length, at = self.head(at, coding)
            if tag == SEQUENCE_END:
                break
            item_end = len(self.data) if item_length == UNDEFINED else at + item_length
            elements, at = self.elements(at, item_end, coding)
            found.append(Item(elements, item_length == UNDEFINED))
        return tuple(found), at

    def fragments(self, at: int, coding: Coding) -> tuple[tuple[bytes, ...], int]:
        found = []
        tag, _, length, at = self.head(at, coding)
        while tag != SEQUENCE_END:
            found.append(self.data[at : at + length])
            tag, _, length, at = self.head(at + length, coding)
        return tuple(found), at
