"""ext/encapsulated.pyx: the walk over items, and the rules that assign fragments to frames."""

from __future__ import annotations

import random
import struct
import time
from itertools import pairwise

import pytest

from fastdicom.errors import MalformedDataset, UsageError
from fastdicom.kernels import encapsulated, rle
from tests.support.items import DELIMITER, cut, item, jpeg, jpeg_2000, offsets_of, table_of, value_of


def reference_walk(data: bytes) -> tuple[list[tuple[int, int]], int, bool] | int:
    """Fragments, end and whether it was delimited; or the offset of the item that is wrong."""
    at = 0
    items: list[tuple[int, int]] = []
    while at < len(data):
        if len(data) - at < 8:
            return at
        tag, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if tag == b"\xfe\xff\xdd\xe0":
            return items[1:], at + 8, True
        if tag != b"\xfe\xff\x00\xe0" or length > len(data) - at - 8:
            return at
        items.append((at + 8, length))
        at += 8 + length
    return items[1:], at, False


def walked(data: bytes) -> tuple[list[tuple[int, int]], int, bool] | int:
    try:
        found = encapsulated.walk(data)
    except MalformedDataset as error:
        assert error.tag == 0x7FE00010
        return error.offset
    return [found[i] for i in range(len(found))], found.end, found.delimited


SAMPLE = value_of([b"", b"abc", b"defgh" * 3, b"\0\0"], table_of([0, 8, 19]))


def test_fragments_table_and_end_are_found() -> None:
    found = encapsulated.walk(b"xyz" + value_of([b"ab", b"cdef"], table_of([0, 10])) + b"more", start=3)
    assert (found.table_offset, found.table_length) == (11, 8)
    assert [found[0], found[1]] == [(27, 2), (37, 4)]
    assert (found.end, found.delimited) == (49, True)
    with pytest.raises(IndexError):
        found[2]


@pytest.mark.parametrize("size", range(len(SAMPLE) + 1))
def test_a_value_cut_at_any_byte_gives_whole_items_or_the_broken_one(size: int) -> None:
    assert walked(SAMPLE[:size]) == reference_walk(SAMPLE[:size])


def test_mutated_values_are_walked_as_the_reference_walks_them() -> None:
    rng = random.Random(5)
    for _ in range(5000):
        data = bytearray(SAMPLE)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0xFF, 0xFE, 0xDD, 0xE0, rng.randrange(256)))
        assert walked(bytes(data)) == reference_walk(bytes(data))


@pytest.mark.parametrize(
    ("broken", "offset", "message"),
    [
        (value_of([b"ab", b"cd"])[:-4], 28, "ends 4 bytes into"),
        (item(b"") + item(b"abcd", 0xFFFFFFF0) + DELIMITER, 8, "claims 4294967280 bytes, 12 are left"),
        (item(b"") + item(b"abcd", 0xFFFFFFFF) + DELIMITER, 8, "undefined length"),
        (item(b"", 0xFFFFFFF0) + DELIMITER, 0, "claims 4294967280"),
        (item(b"") + item(b"abcd", 6) + DELIMITER + bytes(8), 8 + 8 + 6, r"\(E0DD,0000\) where an item"),
        (item(b"") + item(b"abcd", 2) + DELIMITER, 8 + 8 + 2, r"\(6463,FFFE\) where an item"),
        (item(b"") + struct.pack("<HHI", 0xFFFC, 0xFFFC, 0), 8, r"\(FFFC,FFFC\) where"),
        (b"\xe0\x7f\x10\x00" + bytes(8), 0, r"\(7FE0,0010\) where"),
        (b"\xfe\xff", 0, "ends 2 bytes into"),
    ],
)
def test_a_broken_item_is_named_with_its_place(broken: bytes, offset: int, message: str) -> None:
    with pytest.raises(MalformedDataset, match=message) as caught:
        encapsulated.walk(b"+" * 5 + broken, 5)
    assert (caught.value.offset, caught.value.tag) == (offset + 5, 0x7FE00010)


def test_starting_past_the_data_is_refused() -> None:
    assert len(encapsulated.walk(b"ab", 2)) == 0
    with pytest.raises(MalformedDataset):
        encapsulated.walk(b"ab", 3)


def test_odd_lengths_are_taken_as_they_are() -> None:
    found = encapsulated.walk(value_of([b"abc", b"d"]))
    assert [found[0], found[1]] == [(16, 3), (27, 1)]


def test_the_number_of_fragments_is_bounded() -> None:
    data = value_of([b""] * 100)
    assert len(encapsulated.walk(data, fragments_max=100)) == 100
    with pytest.raises(MalformedDataset, match="more than 99 fragments"):
        encapsulated.walk(data, fragments_max=99)


@pytest.mark.parametrize(
    "first", [jpeg(40), jpeg_2000(40), rle.encode_frame(b"abc" * 20, 1, 60, 1, 8)], ids=["jpeg", "j2k", "rle"]
)
def test_a_codestream_in_the_place_of_the_table_is_a_fragment(first: bytes) -> None:
    found = encapsulated.walk(item(first) + item(b"more") + DELIMITER)
    assert len(found) == 2
    assert (found.table_offset, found.table_length) == (0, 0)


def test_a_table_of_64_bytes_is_no_rle_frame() -> None:
    assert encapsulated.walk(value_of([b"ab"], table_of(range(0, 160, 10)))).table_length == 64


# ---- rules --------------------------------------------------------------------------------------


def frames_found(found: encapsulated.Fragments, count: int) -> list[tuple[int, int]]:
    return [found.frame(i) for i in range(count)]


def test_one_each_needs_as_many_fragments_as_frames() -> None:
    found = encapsulated.walk(value_of([b"a", b"b"]))
    assert not found.assign_one_each(1)
    assert not found.assign_one_each(3)
    with pytest.raises(IndexError):
        found.frame(0)
    assert found.assign_one_each(2)
    assert frames_found(found, 2) == [(0, 1), (1, 2)]
    with pytest.raises(IndexError):
        found.frame(2)


def test_all_fragments_make_one_frame_if_there_are_any() -> None:
    found = encapsulated.walk(value_of([b"a", b"b"]))
    assert found.assign_all()
    assert found.frame(0) == (0, 2)
    assert not encapsulated.walk(value_of([])).assign_all()
    assert not encapsulated.walk(b"").assign_all()


FRAMES = [[b"ab", b"cd"], [b"ef"], [b"gh", b"ij", b""]]
FLAT = [fragment for frame in FRAMES for fragment in frame]


@pytest.mark.parametrize("width", [4, 8])
def test_offsets_that_point_at_items_make_frames(width: int) -> None:
    data = value_of(FLAT)
    table = b"".join(offset.to_bytes(width, "little") for offset in offsets_of(FRAMES))
    found = encapsulated.walk(data)
    assert found.assign_offsets(data, table, width, 3)
    assert frames_found(found, 3) == [(0, 2), (2, 3), (3, 6)]


@pytest.mark.parametrize(
    "offsets",
    [
        [],
        [0],
        [0, 20],
        [0, 20, 30, 40],
        [10, 20, 30],  # the first is not the first fragment
        [0, 21, 30],  # no item there
        [0, 30, 20],
        [0, 20, 20],
        [0, 20, 1000],
        [0, 20, 0xFFFFFFFF],
        [0, 0, 0],
        [8, 28, 38],  # counted from the table
    ],
)
def test_a_table_that_lies_makes_no_frames(offsets: list[int]) -> None:
    data = value_of(FLAT)
    found = encapsulated.walk(data)
    assert found.assign_all()
    assert not found.assign_offsets(data, table_of(offsets), 4, 3)
    with pytest.raises(IndexError):
        found.frame(0)


def test_a_table_with_a_part_of_an_entry_makes_no_frames() -> None:
    data = value_of(FLAT)
    assert not encapsulated.walk(data).assign_offsets(data, table_of([0, 20, 30]) + b"\0\0", 4, 3)
    with pytest.raises(UsageError):
        encapsulated.walk(data).assign_offsets(data, b"", 0, 3)


def test_a_table_that_points_into_the_middle_of_a_codestream_makes_no_frames() -> None:
    frames = [cut(jpeg(40), 10), cut(jpeg(30), 10)]
    data = value_of(frames[0] + frames[1])
    assert encapsulated.walk(data).assign_offsets(data, table_of(offsets_of(frames)), 4, 2)
    assert not encapsulated.walk(data).assign_offsets(data, table_of([0, 18]), 4, 2)


@pytest.mark.parametrize("make", [jpeg, jpeg_2000])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 30, 1000])
def test_codestreams_are_found_however_they_are_cut(make: object, size: int) -> None:
    sizes = [40, 41, 6, 100]
    frames = [cut(make(length) + b"\0" * (length % 2), size) for length in sizes]  # type: ignore[operator]
    fragments = [fragment for frame in frames for fragment in frame]
    data = value_of(fragments)
    found = encapsulated.walk(data)
    assert found.assign_codestreams(data, 4, True)
    starts = [sum(map(len, frames[:i])) for i in range(5)]
    assert frames_found(found, 4) == list(pairwise(starts))
    assert not found.assign_codestreams(data, 3, True)
    assert not found.assign_codestreams(data, 5, True)


def test_empty_fragments_do_not_hide_codestreams() -> None:
    fragments = [b"", jpeg(20)[:9], b"", jpeg(20)[9:], b"", jpeg(30)[:1], b"", jpeg(30)[1:], b""]
    data = value_of(fragments)
    found = encapsulated.walk(data)
    assert found.assign_codestreams(data, 2, True)
    assert frames_found(found, 2) == [(0, 5), (5, 9)]


@pytest.mark.parametrize("size", [64, 70, 5])
def test_rle_frames_are_known_by_their_headers(size: int) -> None:
    rng = random.Random(3)
    frames = [cut(rle.encode_frame(rng.randbytes(600), 10, 20, 3, 8), size) for _ in range(3)]
    data = value_of(fragment for frame in frames for fragment in frame)
    found = encapsulated.walk(data)
    assert found.assign_codestreams(data, 3, True)
    assert [found.frame(i)[0] for i in range(3)] == [0, len(frames[0]), len(frames[0]) + len(frames[1])]


def test_a_codestream_inside_another_is_not_taken_for_a_frame() -> None:
    thumbnail = b"\xff\xd8\xff\xe0" + bytes(20)
    data = value_of([jpeg(20)[:-2], thumbnail, b"\xff\xd9", jpeg(30)])
    found = encapsulated.walk(data)
    assert found.assign_codestreams(data, 2, True)
    assert frames_found(found, 2) == [(0, 3), (3, 4)]
    assert not found.assign_codestreams(data, 2, False)


def test_codestreams_without_an_end_are_told_apart_by_their_starts() -> None:
    data = value_of([jpeg(20)[:-2], b"more", jpeg(30)])
    found = encapsulated.walk(data)
    assert not found.assign_codestreams(data, 2, True)
    assert found.assign_codestreams(data, 2, False)
    assert frames_found(found, 2) == [(0, 2), (2, 3)]


def test_unknown_codestreams_are_not_guessed_at() -> None:
    data = value_of([b"\x00\x00\x00\x0cJXL ", b"1234", b"\x00\x00\x00\x0cJXL "])
    assert not encapsulated.walk(data).assign_codestreams(data, 2, False)


def test_other_data_than_was_walked_is_not_read_past_its_end() -> None:
    data = value_of(cut(jpeg(40), 10) + cut(jpeg(40), 10))
    found = encapsulated.walk(data)
    for size in range(len(data)):
        found.assign_codestreams(data[:size], 2, True)
        found.assign_offsets(data[:size], table_of([0, 72]), 4, 2)
    assert found.assign_all()
    assert found.join(data, 0) == jpeg(40) * 2
    with pytest.raises(UsageError):
        found.join(data[:-9], 0)


@pytest.mark.parametrize("fragment", [b"", b"\0", b"\xd9", b"\xff\xd8\xff\xe0", b"\0" * 64])
def test_100_000_tiny_fragments_take_no_time(fragment: bytes) -> None:
    data = value_of([jpeg(20), *[fragment] * 100_000])
    started = time.perf_counter()
    found = encapsulated.walk(data)
    assert len(found) == 100_001
    found.assign_codestreams(data, 50_000, True)
    found.assign_codestreams(data, 50_000, False)
    found.assign_offsets(data, table_of(range(0, 400_000, 8)), 4, 50_000)
    assert found.assign_all()
    assert found.join(data, 0) == jpeg(20) + fragment * 100_000
    assert time.perf_counter() - started < 2  # milliseconds; looking twice at each pair would take minutes
