"""SOP Class Extended Negotiation of queries and retrieves, PS3.4 C.5: what a caller gets of what it wants."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from fastdicom.dataset.terms import EXTENSIONS, Extension, Terms, extensions_in, information_of
from fastdicom.standard.sop_classes import FIND_CLASSES, GET_CLASSES, MOVE_CLASSES

QUERY_CLASSES = FIND_CLASSES | MOVE_CLASSES | GET_CLASSES


def grant(sop_class_uid: str, wanted: bytes, granted: Collection[Extension]) -> bytes | None:
    """The information of our answer to one item; None when nothing may be granted or it is no query.

    It is no longer than what came, and leaves out what we do not know (enhanced multi-frame conversion).
    C-MOVE and C-GET have the relational byte only. PS3.4 C.5.1.1, C.5.2.1, C.5.3.1.
    """
    if not granted or sop_class_uid not in QUERY_CLASSES:
        return None
    length = len(EXTENSIONS) if sop_class_uid in FIND_CLASSES else 1
    return information_of(extensions_in(wanted) & frozenset(granted))[: min(length, len(wanted))]


def with_granted(terms: Terms, information: bytes) -> Terms:
    """`terms` and what `information` grants."""
    found = extensions_in(information)
    return replace(
        terms,
        relational="relational" in found,
        datetime="datetime" in found,
        fuzzy="fuzzy" in found,
        timezone="timezone" in found,
    )
