"""Pixel Data in fragments inside sequences, icons mostly: they become native. PS3.5 A.4, PS3.3 C.7.6.1.1.6.

They are in the transfer syntax of the whole. An encapsulated one allows native pixels there, a native one
demands them: so whatever a Data Set is converted to, they are decoded, each item as the Data Set that it is.
The walk of `Outline` has checked every head and length before anything here follows them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from fastdicom.dataset.recoded import SHORT_VRS
from fastdicom.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from fastdicom.transcoding.codecs import CannotCarry
from fastdicom.transcoding.outline import (
    DERIVATION_CODE_SEQUENCE,
    PIXEL_DATA,
    SOURCE_IMAGE_SEQUENCE,
    UNDEFINED,
    WANTED,
    Coding,
    Outline,
    named,
    sequence,
)

LENGTH_MAX: Final = 1 << 20
"""Bytes of a sequence that is gone through here, in Python."""

_DERIVED: Final = frozenset((SOURCE_IMAGE_SEQUENCE, DERIVATION_CODE_SEQUENCE))
"""A lossy result writes these anew; no icon belongs there."""
_ITEM: Final = 0xFFFEE000
_ITEM_DELIMITATION: Final = 0xFFFEE00D
_SEQUENCE_DELIMITATION: Final = 0xFFFEE0DD
_EXPLICIT: Final = Coding(True, False)

Decode = Callable[[memoryview], bytes]
"""The Data Set of an item that has Pixel Data in fragments, with native ones."""


def with_native_icons(outline: Outline, depth_max: int, decode: Decode) -> tuple[Outline, dict[int, bytes]]:
    """An outline that knows the sequences with pixels in fragments, and these, whole, with native ones.

    outline: of a Data Set in Explicit VR Little Endian. Raises CannotCarry for fragments that are no Pixel
    Data or in a sequence that is too long; and as `decode` does.
    """
    found, at = outline.nested_tags, outline.nested_fragments
    if not found or not outline.in_order or _DERIVED.intersection(found):
        raise CannotCarry("pixel data in fragments inside a sequence", at)
    wanted = WANTED.union(found, (tag & 0xFFFF0000 for tag in found))
    outline = Outline(outline.source, outline.transfer_syntax_uid, depth_max, wanted)
    return outline, {tag: _decoded(outline, tag, decode) for tag in found}


def _decoded(outline: Outline, tag: int, decode: Decode) -> bytes:
    place = outline.places[tag]
    if place.vr != "SQ" or place.end - place.start > LENGTH_MAX:
        raise CannotCarry(f"{named(tag)} with pixel data in fragments", place.start)
    value = outline.value(tag)
    _, items, changed = _items(value, 0, len(value), decode)
    whole = sequence(tag, items, _EXPLICIT)
    if not changed or Outline(whole, EXPLICIT_VR_LITTLE_ENDIAN).nested_fragments is not None:
        raise CannotCarry(f"pixel data in fragments inside {named(tag)}", place.start)
    return whole


def _items(data: memoryview, at: int, end: int | None, decode: Decode) -> tuple[int, list[bytes], bool]:
    """The items from `at` to `end`, or to their delimiter: (behind it, each as it is to be, any changed)."""
    items, any_changed = [], False
    while end is None or at < end:
        tag, length = _item_head(data, at)
        at += 8
        if tag == _ITEM:
            at, item, changed = _item(data, at, at + length if length != UNDEFINED else None, decode)
            items.append(item)
            any_changed |= changed
        elif tag == _SEQUENCE_DELIMITATION and end is None:
            break
    return at, items, any_changed


def _item(data: memoryview, at: int, end: int | None, decode: Decode) -> tuple[int, bytes, bool]:
    """The item whose elements go from `at` to `end`, or to its delimiter: (behind it, the item, changed)."""
    kept = at
    out = bytearray()
    fragments = False
    while end is None or at < end:
        tag, vr, length, value = _head(data, at)
        if tag == _ITEM_DELIMITATION and end is None:
            break
        if vr == "SQ":
            behind, items, changed = _items(
                data, value, value + length if length != UNDEFINED else None, decode
            )
            if changed:
                out += data[kept:at]
                out += sequence(tag, items, _EXPLICIT)
                kept = behind
            at = behind
        elif length != UNDEFINED:
            at = value + length
        else:
            fragments = True
            at = _behind_fragments(data, tag, value)
    behind = at + 8 if end is None else at
    changed = bool(out)
    out += data[kept:at]
    return behind, decode(memoryview(out)) if fragments else bytes(out), changed or fragments


def _behind_fragments(data: memoryview, tag: int, at: int) -> int:
    """Where the fragments of Pixel Data end that begin at `at`."""
    if tag != PIXEL_DATA:
        raise CannotCarry(f"{named(tag)} of undefined length inside a sequence")
    found = _ITEM
    while found == _ITEM:
        found, length = _item_head(data, at)
        at += 8 + length
    return at


def _item_head(data: memoryview, at: int) -> tuple[int, int]:
    """(tag, length) of an item or a delimiter."""
    group, number, length = struct.unpack_from("<HHI", data, at)
    return group << 16 | number, length


def _head(data: memoryview, at: int) -> tuple[int, str, int, int]:
    """(tag, VR, length, offset of the value) of an element; VR "" for a delimiter."""
    group, number, code, length = struct.unpack_from("<HH2sH", data, at)
    if group == 0xFFFE:
        return group << 16 | number, "", 0, at + 8
    vr = code.decode("latin-1")
    if vr in SHORT_VRS:
        return group << 16 | number, vr, length, at + 8
    (length,) = struct.unpack_from("<I", data, at + 8)
    return group << 16 | number, vr, length, at + 12
