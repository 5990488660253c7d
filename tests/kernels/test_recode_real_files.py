"""The recode kernel on real files: against the reference coder, and back to the same bytes."""

from __future__ import annotations

import pytest

from fastdicom.kernels.recode import Recoder
from tests.support.elements import CODINGS, EXPLICIT, IMPLICIT, Coding, Element, Item, decode, encode
from tests.support.real_files import RealDataset, shared, shipped

BROKEN = (
    "MR_truncated.dcm",
    "rtplan_truncated.dcm",
    "zero-length-US.dcm",
    "DICOMDIR-nooffset",
    "SC_rgb_jpeg.dcm",
    "emri_small_jpeg_2k_lossless_too_short.dcm",
)


def recode(data: bytes, source: Coding, target: Coding) -> bytes:
    pieces = Recoder(
        data,
        source.explicit_vr,
        source.big_endian,
        target.explicit_vr,
        target.big_endian,
        encapsulated=True,
    )
    return b"".join(pieces)


def parsing(datasets: tuple[RealDataset, ...]) -> list[RealDataset]:
    return [dataset for dataset in datasets if not dataset.name.endswith(BROKEN)]


def as_recoded(elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """Without Group Lengths, and with OB for fragments as PS3.5 A.4 wants."""
    return tuple(
        Element(
            element.tag,
            element.vr if element.fragments is None else "OB",
            element.value,
            tuple(Item(as_recoded(item.elements), item.undefined) for item in element.items),
            element.undefined,
            element.fragments,
        )
        for element in elements
        if element.tag & 0xFFFF
    )


def states_all_vrs(elements: tuple[Element, ...]) -> bool:
    """False when a sequence came as UN, without VRs inside."""
    return all(
        element.vr and all(states_all_vrs(item.elements) for item in element.items) for element in elements
    )


@pytest.mark.parametrize("source", [shipped, shared])
@pytest.mark.parametrize("target", CODINGS)
def test_explicit_files_recode_as_the_reference_does(source: object, target: Coding) -> None:
    compared = 0
    for dataset in parsing(source()):  # type: ignore[operator]
        elements = decode(dataset.data, dataset.coding) if dataset.coding.explicit_vr else ()
        if elements and states_all_vrs(elements):
            expected = encode(as_recoded(elements), target)
            assert recode(dataset.data, dataset.coding, target) == expected, dataset.name
            compared += 1
    assert compared > 20


@pytest.mark.parametrize("source", [shipped, shared])
@pytest.mark.parametrize("between", CODINGS)
def test_there_and_back_gives_the_same_bytes(source: object, between: Coding) -> None:
    """Apart from what the first conversion leaves out; VRs do not come back from Implicit VR."""
    for dataset in parsing(source()):  # type: ignore[operator]
        coding = dataset.coding
        if between == IMPLICIT and coding.explicit_vr:
            continue
        start = recode(dataset.data, coding, coding)
        assert recode(recode(start, coding, between), between, coding) == start, dataset.name


# What came back with another VR in these files: what they state is not what PS3.6 or the pixels say, or both
# are right. (0028,3006) may be US or OW, Pixel Data of 8 bits OB or OW.
CHANGED = {
    (0x00080016, "LO", "UI"),
    (0x00280120, "US", "SS"),
    (0x00280303, "SH", "CS"),
    (0x00283006, "US", "OW"),
    (0x7FE00010, "OB", "OW"),
    (0x7FE00010, "OW", "OB"),
}


@pytest.mark.parametrize("source", [shipped, shared])
def test_vrs_survive_implicit_but_for_private_elements(source: object) -> None:
    for dataset in parsing(source()):  # type: ignore[operator]
        before = as_recoded(decode(dataset.data, EXPLICIT)) if dataset.coding == EXPLICIT else ()
        if before and states_all_vrs(before):
            back = recode(recode(dataset.data, EXPLICIT, IMPLICIT), IMPLICIT, EXPLICIT)
            assert changed_vrs(before, decode(back, EXPLICIT)) <= CHANGED, dataset.name


def changed_vrs(before: tuple[Element, ...], after: tuple[Element, ...]) -> set[tuple[int, str, str]]:
    found: set[tuple[int, str, str]] = set()
    assert [element.tag for element in before] == [element.tag for element in after]
    for one, other in zip(before, after, strict=True):
        if (one.tag >> 16) % 2 or one.vr == "UN":
            continue
        if one.vr == other.vr == "SQ":
            for item, other_item in zip(one.items, other.items, strict=True):
                found |= changed_vrs(item.elements, other_item.elements)
        else:
            assert (one.value, one.fragments) == (other.value, other.fragments)
            if one.vr != other.vr:
                found.add((one.tag, one.vr, other.vr))
    return found
