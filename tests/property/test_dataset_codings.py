"""Data Sets of any shape through the scan and recode kernels, beside the reference coder."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdicom.dataset.attributes import ATTRIBUTES, LEVELS
from fastdicom.errors import MalformedDataset
from fastdicom.kernels.recode import Recoder
from fastdicom.kernels.scan import Scanner
from tests.support.dataset_strategies import dataset
from tests.support.elements import (
    BIG,
    CODINGS,
    EXPLICIT,
    IMPLICIT,
    Coding,
    Element,
    encode,
    with_lengths,
    without_vrs,
)
from tests.support.scanning import TABLE

unhurried = settings(deadline=None)  # the machine may be busy
cuts = st.lists(st.integers(0, 2000), max_size=10).map(sorted)


def scanned(data: bytes, coding: Coding, at: list[int]) -> Scanner:
    scanner = Scanner(TABLE, coding.explicit_vr, coding.big_endian)
    edges = [0, *(min(cut, len(data)) for cut in at), len(data)]
    for start, stop in itertools.pairwise(edges):
        scanner.feed(data[start:stop])
    scanner.finish()
    return scanner


def expected_levels(elements: tuple[Element, ...], coding: Coding) -> tuple[bytes, ...]:
    """What the index keeps: wanted tags whose VR is the wanted one."""
    level_of = {row.tag: LEVELS.index(row.level) for row in ATTRIBUTES}
    kept = with_lengths(elements if coding.explicit_vr else without_vrs(elements))
    return tuple(
        encode([one for one in kept if one.tag == 0x00080005 or level_of.get(one.tag) == level], EXPLICIT)
        for level in range(4)
    )


@unhurried
@given(elements=dataset(), coding=st.sampled_from(CODINGS), at=cuts)
def test_scanning_keeps_the_wanted_elements_however_it_is_cut(
    elements: tuple[Element, ...], coding: Coding, at: list[int]
) -> None:
    assert scanned(encode(elements, coding), coding, at).levels() == expected_levels(elements, coding)


@unhurried
@given(elements=dataset(), source=st.sampled_from([EXPLICIT, BIG]), target=st.sampled_from(CODINGS))
def test_recoding_stated_vrs_is_encoding_anew(
    elements: tuple[Element, ...], source: Coding, target: Coding
) -> None:
    assert recoded(encode(elements, source), source, target) == encode(elements, target)


@unhurried
@given(elements=dataset(private=False), target=st.sampled_from([EXPLICIT, BIG]))
def test_recoding_implied_vrs_finds_those_of_the_standard(
    elements: tuple[Element, ...], target: Coding
) -> None:
    assert recoded(encode(elements, IMPLICIT), IMPLICIT, target) == encode(without_vrs(elements), target)


@unhurried
@given(elements=dataset(), between=st.sampled_from(CODINGS))
def test_implicit_there_and_back_is_the_same(elements: tuple[Element, ...], between: Coding) -> None:
    start = encode(elements, IMPLICIT)
    assert recoded(recoded(start, IMPLICIT, between), between, IMPLICIT) == start


def recoded(data: bytes, source: Coding, target: Coding) -> bytes:
    recoder = Recoder(data, source.explicit_vr, source.big_endian, target.explicit_vr, target.big_endian)
    result = b"".join(recoder)
    assert len(result) == recoder.length
    return result


@unhurried
@given(elements=dataset(), coding=st.sampled_from(CODINGS), data=st.data())
def test_a_damaged_data_set_is_read_or_refused_the_same_way_in_pieces(
    elements: tuple[Element, ...], coding: Coding, data: st.DataObject
) -> None:
    damaged = bytearray(encode(elements, coding))
    for _ in range(data.draw(st.integers(1, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    whole, pieces = (outcome(bytes(damaged), coding, step) for step in (len(damaged) or 1, 1))
    assert whole == pieces


def outcome(data: bytes, coding: Coding, step: int) -> object:
    try:
        return scanned(data, coding, list(range(0, len(data), step))).levels()
    except MalformedDataset as error:
        return str(error), error.offset, error.tag


@unhurried
@given(elements=dataset(), coding=st.sampled_from(CODINGS), data=st.data())
def test_scan_and_recode_agree_on_what_is_malformed(
    elements: tuple[Element, ...], coding: Coding, data: st.DataObject
) -> None:
    """What was accepted at receipt can be converted when it is sent."""
    damaged = bytearray(encode(elements, coding))
    if damaged:
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    if isinstance(outcome(bytes(damaged), coding, len(damaged) or 1)[0], bytes):  # type: ignore[index]
        recoded(bytes(damaged), coding, BIG)
    else:
        with pytest.raises(MalformedDataset):
            recoded(bytes(damaged), coding, BIG)
