"""Sequence Matching: item by item, and answers with the matching items only. PS3.4 C.2.2.2.6."""

from __future__ import annotations

from fastdicom.dataset.identifier import Key
from fastdicom.dataset.recoded import element, item
from fastdicom.dataset.terms import Terms
from fastdicom.errors import Refused
from fastdicom.index.conditions import ValueMatcher, value_matcher
from fastdicom.kernels.rows import elements, items
from fastdicom.standard.status import DOES_NOT_MATCH_SOP_CLASS


class SequenceKey:
    """A key of VR SQ whose item has keys.

    Raises Refused(A900H) for a key with several items, which the standard does not know.
    """

    def __init__(self, key: Key, terms: Terms) -> None:
        if len(key.items) != 1:
            comment = f"({key.tag >> 16:04X},{key.tag & 0xFFFF:04X}) has {len(key.items)} items"
            raise Refused(DOES_NOT_MATCH_SOP_CLASS, comment, (key.tag,))
        self._conditions: dict[int, ValueMatcher] = {}
        self._wanted: dict[int, tuple[str, SequenceKey | None]] = {}
        for inner in key.items[0]:
            self._add(inner, terms)
        self.universal = not self._conditions

    def _add(self, key: Key, terms: Terms) -> None:
        below = SequenceKey(key, terms) if key.vr == "SQ" and key.items and any(key.items) else None
        self._wanted[key.tag] = (key.vr, below)
        if below is not None:
            if not below.universal:
                self._conditions[key.tag] = below.matches
        elif key.vr != "SQ":
            matcher = value_matcher(key, terms)
            if matcher is not None:
                self._conditions[key.tag] = matcher

    def matches(self, value: bytes | None) -> bool:
        """True when one of the items matches all keys."""
        if self.universal:
            return True
        return value is not None and any(self._item_matches(elements(one)) for one in items(value))

    def shaped(self, value: bytes) -> bytes:
        """The matching items with the requested attributes only; what an item lacks is empty."""
        return b"".join(
            item(self._shaped_item(found))
            for found in (elements(one) for one in items(value))
            if self._item_matches(found)
        )

    def _item_matches(self, found: list[tuple[int, str, bytes]]) -> bool:
        values = {tag: value for tag, _, value in found}
        return all(matches(values.get(tag)) for tag, matches in self._conditions.items())

    def _shaped_item(self, found: list[tuple[int, str, bytes]]) -> bytes:
        there = {tag: (vr, value) for tag, vr, value in found}
        out = bytearray()
        for tag, (wanted_vr, below) in sorted(self._wanted.items()):
            vr, value = there.get(tag, (wanted_vr, b""))
            if below is not None and vr == "SQ":
                value = below.shaped(value)
            out += element(tag, vr, value)
        return bytes(out)


def asks_for_all(key: Key) -> bool:
    """True when a key of VR SQ has no item keys: it matches everything and returns the whole sequence."""
    return not any(key.items)
