"""The recode kernel: values and structure kept from one native coding to another. PS3.5 7, 8, A."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

import pytest
from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]

from fastdicom.errors import MalformedDataset
from fastdicom.kernels.recode import Recoder
from tests.support.elements import (
    BIG,
    CODINGS,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    Coding,
    Element,
    Item,
    encode,
    head,
    without_vrs,
)
from tests.support.scanning import PIXEL_DATA, PROCEDURE_CODES, SMALL, refused

BITS_ALLOCATED, PIXEL_REPRESENTATION, SMALLEST_PIXEL = 0x00280100, 0x00280103, 0x00280106


def recode(data: bytes, source: Coding, target: Coding, **options: int) -> bytes:
    """All pieces together; the stated length is checked."""
    recoder = Recoder(
        data, source.explicit_vr, source.big_endian, target.explicit_vr, target.big_endian, **options
    )
    pieces = [bytes(piece) for piece in recoder]
    assert all(pieces)
    assert sum(map(len, pieces)) == recoder.length
    return b"".join(pieces)


def to_explicit(*elements: Element) -> bytes:
    """Elements that came without VRs."""
    return recode(encode(elements, IMPLICIT), IMPLICIT, EXPLICIT)


NUMBERS = (
    Element(0x00020010, "OB", b"\1\2\3"),
    Element(0x00080001, "UL", struct.pack("<I", 0x01020304)),
    Element(0x00091001, "AT", bytes.fromhex("0800050010002000")),
    Element(0x00091002, "FD", struct.pack("<2d", 1.5, -2)),
    Element(0x00091003, "FL", struct.pack("<f", 1.5)),
    Element(0x00091004, "OD", struct.pack("<d", 3)),
    Element(0x00091005, "OF", struct.pack("<f", 3)),
    Element(0x00091006, "OL", bytes(range(8))),
    Element(0x00091007, "OV", bytes(range(16))),
    Element(0x00091008, "SL", bytes(range(4))),
    Element(0x00091009, "SS", b"\1\2\3\4"),
    Element(0x0009100A, "SV", bytes(range(8))),
    Element(0x0009100B, "US", b"\1\2"),
    Element(0x0009100C, "UV", bytes(range(8))),
    Element(0x0009100D, "UN", b"\1\2\3\4"),
    Element(0x0009100E, "LO", b"text"),
    Element(0x0009100F, "OW", bytes(range(255))),
    *SMALL[3:4],
)


@pytest.mark.parametrize("source", [EXPLICIT, BIG])
@pytest.mark.parametrize("target", CODINGS)
def test_numbers_of_every_vr_keep_their_values(source: Coding, target: Coding) -> None:
    assert recode(encode(NUMBERS, source), source, target) == encode(NUMBERS, target)


@pytest.mark.parametrize("source", CODINGS)
@pytest.mark.parametrize("target", CODINGS)
def test_sequences_keep_their_kind_of_length(source: Coding, target: Coding) -> None:
    elements = without_vrs(SMALL[:-1]) if source == IMPLICIT else SMALL[:-1]
    assert recode(encode(elements, source), source, target) == encode(elements, target)


def test_every_element_of_the_standard_gets_its_vr_back() -> None:
    known = {tag: entry[0] for tag, entry in DicomDictionary.items() if entry[0] != "NONE" and tag & 0xFFFF}
    leaves = {tag: vr for tag, vr in known.items() if vr != "SQ" and " or " not in vr}
    elements = [Element(tag, vr) for tag, vr in sorted(leaves.items())]
    assert to_explicit(*elements) == encode(elements, EXPLICIT)
    sequences = [Element(tag, "SQ") for tag, vr in sorted(known.items()) if vr == "SQ"]
    assert to_explicit(*sequences) == encode(sequences, EXPLICIT)
    assert len(leaves) > 3500
    assert len(sequences) > 1000


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x60020010, "US"),
        (0x60FE3000, "OW"),
        (0x50020030, "SH"),
        (0x00203100, "CS"),
        (0x0009_0010, "LO"),
        (0x0009_00FF, "LO"),
        (0x0009_1001, "UN"),
        (0x0009_0002, "UN"),
        (0x0008_FFFE, "UN"),
        (0x0028_3006, "OW"),
        (0x0028_1200, "OW"),
        (0x0014_3050, "OW"),
    ],
)
def test_repeating_private_and_unknown_elements_get_a_vr(tag: int, vr: str) -> None:
    assert to_explicit(Element(tag, "UN", b"12")) == encode([Element(tag, vr, b"12")], EXPLICIT)


@pytest.mark.parametrize(("representation", "vr"), [(0, "US"), (1, "SS")])
def test_us_or_ss_follows_pixel_representation(representation: int, vr: str) -> None:
    representation_element = Element(PIXEL_REPRESENTATION, "US", struct.pack("<H", representation))
    before, after = Element(0x00221452, vr, b"12"), Element(SMALLEST_PIXEL, vr, b"34")
    lut = Element(0x00283000, "SQ", items=(Item((Element(0x00283002, vr, b"123456"),)),))
    elements = (before, representation_element, after, lut)
    assert to_explicit(*elements) == encode(elements, EXPLICIT)


def test_an_item_has_its_own_pixel_representation() -> None:
    icon = Element(
        0x00880200,
        "SQ",
        items=(
            Item((Element(PIXEL_REPRESENTATION, "US", b"\1\0"), Element(SMALLEST_PIXEL, "SS", b"12"))),
            Item((Element(SMALLEST_PIXEL, "US", b"12"),)),
        ),
    )
    after = Element(0x00409216, "US", b"12")
    assert to_explicit(icon, after) == encode([icon, after], EXPLICIT)


@pytest.mark.parametrize(("bits", "vr"), [(1, "OB"), (8, "OB"), (16, "OW"), (32, "OW")])
def test_pixel_data_is_ob_up_to_eight_bits(bits: int, vr: str) -> None:
    elements = (Element(BITS_ALLOCATED, "US", struct.pack("<H", bits)), Element(PIXEL_DATA, vr, bytes(16)))
    assert to_explicit(*elements) == encode(elements, EXPLICIT)


@pytest.mark.parametrize(("bits", "vr"), [(8, "OB"), (16, "OW")])
def test_waveform_data_follows_its_own_bits(bits: int, vr: str) -> None:
    wave = (Element(0x54001004, "US", struct.pack("<H", bits)), Element(0x54001010, vr, bytes(6)))
    elements = (Element(BITS_ALLOCATED, "US", b"\x10\0"), Element(0x54000100, "SQ", items=(Item(wave),)))
    assert to_explicit(*elements) == encode(elements, EXPLICIT)


@pytest.mark.parametrize("target", [EXPLICIT, BIG])
def test_a_value_too_long_for_its_vr_becomes_un(target: Coding) -> None:
    numbers = Element(0x00186020, "UL", bytes(range(250)) * 264)
    data = encode([numbers], IMPLICIT)
    expected = Element(numbers.tag, "UN", numbers.value)
    assert recode(data, IMPLICIT, target) == encode([expected], target)
    assert recode(encode([expected], target), target, IMPLICIT) == data


@pytest.mark.parametrize("source", [EXPLICIT, BIG])
@pytest.mark.parametrize("target", CODINGS)
def test_un_of_undefined_length_becomes_a_sequence(source: Coding, target: Coding) -> None:
    inside = (Element(0x00080100, "SH", b"CODE"), Element(0x00280010, "US", b"\1\2"))
    items = head(ITEM, "", UNDEFINED, IMPLICIT) + encode(inside, IMPLICIT) + head(ITEM_END, "", 0, IMPLICIT)
    data = head(0x00091001, "UN", UNDEFINED, source) + items + head(SEQUENCE_END, "", 0, IMPLICIT)
    expected = Element(0x00091001, "SQ", items=(Item(inside, undefined=True),), undefined=True)
    assert recode(data, source, target) == encode([expected], target)


def test_group_lengths_and_superfluous_delimiters_are_left_out() -> None:
    length = Element(0x00080000, "UL", bytes(4))
    sequence = Element(PROCEDURE_CODES, "SQ", items=(Item((length, SMALL[2])),))
    data = encode([length, SMALL[0], sequence], EXPLICIT) + head(SEQUENCE_END, "", 0, EXPLICIT)
    expected = [SMALL[0], Element(PROCEDURE_CODES, "SQ", items=(Item((SMALL[2],)),))]
    assert recode(data, EXPLICIT, BIG) == encode(expected, BIG)


def test_private_values_of_defined_length_are_not_looked_into() -> None:
    opaque = Element(0x00091001, "UN", head(ITEM, "", 0xFFFF, IMPLICIT))
    assert to_explicit(opaque) == encode([opaque], EXPLICIT)


@pytest.mark.parametrize("target", [EXPLICIT, IMPLICIT, BIG])
def test_fragments_inside_a_sequence_are_copied(target: Coding) -> None:
    icon = (Element(PIXEL_DATA, "OB", fragments=(b"", b"\1\2\3\4")),)
    elements = (Element(0x00880200, "SQ", items=(Item(icon),)),)
    assert recode(encode(elements, EXPLICIT), EXPLICIT, target) == encode(elements, target)


def test_fragments_at_the_top_are_refused_unless_asked_for() -> None:
    data = encode([Element(PIXEL_DATA, "OB", fragments=(b"", b"\1\2\3\4"))], EXPLICIT)
    with pytest.raises(MalformedDataset, match="encapsulated, not native"):
        recode(data, EXPLICIT, IMPLICIT)
    assert recode(data, EXPLICIT, EXPLICIT, encapsulated=True) == data


# ---- pieces ----


def test_long_values_that_stay_are_views_of_the_source(tmp_path: Path) -> None:
    data = encode([SMALL[2], Element(PIXEL_DATA, "OW", bytes(1_000_000)), SMALL[2]], EXPLICIT)
    (tmp_path / "data").write_bytes(data)
    with (tmp_path / "data").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    pieces = list(Recoder(mapped, True, False, False, False))
    assert [type(piece) for piece in pieces] == [bytes, memoryview, bytes]
    assert len(pieces[1]) == 1_000_000


@pytest.mark.parametrize("unit_vr", ["OW", "OF", "OD"])
@pytest.mark.parametrize("length", [0, 1, 262_143, 262_144 - 12, 300_001, 1_000_000])
def test_long_swapped_values_come_in_bounded_pieces(unit_vr: str, length: int) -> None:
    value = bytes(index * 7 % 251 for index in range(length))
    elements = (SMALL[2], Element(0x00091001, unit_vr, value), SMALL[2])
    assert recode(encode(elements, EXPLICIT), EXPLICIT, BIG) == encode(elements, BIG)
    assert all(
        len(piece) <= 256 * 1024 for piece in Recoder(encode(elements, EXPLICIT), True, False, True, True)
    )


def test_many_small_elements_cross_pieces() -> None:
    elements = [Element(0x00091000 + number % 0xEFFF, "LO", b"x" * (number % 99)) for number in range(20_000)]
    assert recode(encode(elements, EXPLICIT), EXPLICIT, BIG) == encode(elements, BIG)


def test_nothing_becomes_nothing() -> None:
    assert recode(b"", EXPLICIT, BIG) == b""


# ---- faults come before the first piece ----


@pytest.mark.parametrize("source", [EXPLICIT, BIG, IMPLICIT])
def test_a_cut_source_is_refused_at_once(source: Coding) -> None:
    data = encode(SMALL, source)
    ends = {0} | {len(encode(SMALL[:count], source)) for count in range(len(SMALL))}
    for end in set(range(len(data))) - ends:
        with pytest.raises(MalformedDataset) as caught:
            Recoder(data[:end], source.explicit_vr, source.big_endian, True, True)
        assert caught.value.offset <= end


def test_deep_nesting_is_refused() -> None:
    opening = head(PROCEDURE_CODES, "SQ", UNDEFINED, EXPLICIT) + head(ITEM, "", UNDEFINED, EXPLICIT)
    with pytest.raises(MalformedDataset, match="nested too deeply"):
        Recoder(opening * 65, True, False, False, False)
    assert "nested too deeply" in str(refused(opening * 65))


def test_a_sequence_that_would_pass_4_gb_is_refused(tmp_path: Path) -> None:
    """Explicit VR takes 4 bytes more a long element: a sequence of nearly 4 GB has no room for them."""
    inner, chunk = 65_536 * 8 - 8, 65_536 * 8
    count = 0xFFFFFFF8 // chunk
    element = head(0x00091001, "", inner, IMPLICIT) + bytes(inner)
    with (tmp_path / "sparse").open("wb+") as file:
        length = count * chunk
        spare = 0xFFFFFFF6 - length - 8 - 8
        last = head(0x00091001, "", spare, IMPLICIT)
        start = head(PROCEDURE_CODES, "", length + 8 + len(last) + spare, IMPLICIT)
        start += head(ITEM, "", length + len(last) + spare, IMPLICIT)
        file.truncate(len(start) + length + len(last) + spare)
        file.write(start)
        for number in range(count):
            file.seek(len(start) + number * chunk)
            file.write(element[:8])
        file.seek(len(start) + length)
        file.write(last)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        with pytest.raises(MalformedDataset, match="gets too long"):
            Recoder(mapped, False, False, True, False)
        assert Recoder(mapped, False, False, False, False).length == len(mapped)


def test_places_of_wanted_elements_are_noted() -> None:
    elements = (
        Element(0x00080016, "UI", b"1.2\0"),
        Element(0x00081140, "SQ", items=(Item((Element(0x00080018, "UI", b"9.9\0"),)),), undefined=True),
        Element(0x00280010, "US", b"\x01\x02"),
        Element(0x7FE00010, "OW", bytes(10)),
    )
    wanted = (0x7FE00010, 0x00080018, 0x00281101, 0x00080016, 0x00081140, 0xFFFCFFFC)
    for coding in CODINGS:
        parts = [encode((one,), coding) for one in elements]
        starts = [sum(map(len, parts[:number])) for number in range(5)]
        source = b"".join(parts)
        layout = (coding.explicit_vr, coding.big_endian)
        walk = Recoder(source, *layout, *layout, wanted=wanted)
        vr = "" if coding.explicit_vr else "UN"
        places = {tag: walk.place(tag) for tag in wanted}
        assert places[0x00080016] == (vr or "UI", 0, 8, starts[1])
        assert places[0x00080018] == ("", starts[1], starts[1], starts[1])
        assert places[0x00081140][0] == (vr or "SQ") and places[0x00081140][3] == starts[2]
        assert places[0x00281101] == ("", starts[3], starts[3], starts[3])
        assert source[places[0x7FE00010][2] : places[0x7FE00010][3]] == bytes(10)
        assert places[0xFFFCFFFC] == ("", len(source), len(source), len(source))
        assert walk.nested_fragments is None and walk.in_order
        with pytest.raises(KeyError):
            walk.place(0x00100010)


@pytest.mark.parametrize("tags", [(0x00280011, 0x00280010), (0x00280010, 0x00280010)])
def test_elements_out_of_order_and_twice_are_noticed(tags: tuple[int, ...]) -> None:
    for coding in CODINGS:
        layout = (coding.explicit_vr, coding.big_endian)
        source = encode([Element(tag, "US", b"\x01\x02") for tag in tags], coding)
        assert not Recoder(source, *layout, *layout, wanted=(0x00280010,)).in_order
