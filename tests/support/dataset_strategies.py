"""Hypothesis strategies for Data Sets of any shape, as in support/elements.py."""

from __future__ import annotations

from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]

from fastdicom.dataset.attributes import ATTRIBUTES
from tests.support.elements import UNITS, Element, Item

WANTED = {attribute.tag: attribute.vr for attribute in ATTRIBUTES} | {0x00080005: "CS"}
STANDARD = {
    tag: entry[0]
    for tag, entry in DicomDictionary.items()
    if entry[0] != "NONE" and " or " not in entry[0] and tag & 0xFFFF and tag >> 16 not in (0, 2)
}
PRIVATE_VRS = [*UNITS, "LO", "UN", "OB", "PN", "UI", "UT", "UC", "ZZ", "SQ"]

standard_tags = st.one_of(st.sampled_from(sorted(WANTED.items())), st.sampled_from(sorted(STANDARD.items())))
private_tags = st.tuples(
    st.sampled_from([0x00091000, 0x0009FFFF, 0x7FE11001, 0xFFFD1000]), st.sampled_from(PRIVATE_VRS)
)


def values(vr: str) -> st.SearchStrategy[bytes]:
    """Bytes of a length that fits the VR; text also of odd length."""
    size = 4 if vr == "AT" else UNITS.get(vr, 1)
    return st.binary(max_size=12).map(lambda raw: raw[: len(raw) - len(raw) % size])


@st.composite
def element(draw: st.DrawFn, depth: int, private: bool) -> Element:
    tag, vr = draw(st.one_of(standard_tags, private_tags) if private else standard_tags)
    if vr != "SQ":
        return Element(tag, vr, draw(values(vr)))
    items = draw(st.lists(item(depth - 1, private), max_size=3)) if depth else []
    return Element(tag, "SQ", items=tuple(items), undefined=draw(st.booleans()))


@st.composite
def item(draw: st.DrawFn, depth: int, private: bool) -> Item:
    return Item(draw(dataset(depth, private)), draw(st.booleans()))


@st.composite
def dataset(draw: st.DrawFn, depth: int = 3, private: bool = True) -> tuple[Element, ...]:
    """Elements in ascending order. private: with private ones, of any VR, also one that nobody knows."""
    found = draw(st.lists(element(depth, private), max_size=8))
    return tuple(sorted({one.tag: one for one in found}.values(), key=lambda one: one.tag))
