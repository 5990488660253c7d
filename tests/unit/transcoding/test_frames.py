"""fastdicom/transcoding/frames.py: frames out of fragments, and back."""

from __future__ import annotations

import io
import mmap
import re
import resource
import struct
import time
from pathlib import Path

import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.uid import UID

from fastdicom.errors import CodecError, MalformedDataset
from fastdicom.transcoding.frames import (
    Frames,
    FrameWriter,
    basic_offset_table,
    basic_offset_table_fits,
    encapsulate,
    extended_offset_table,
)
from tests.support.items import DELIMITER, cut, item, jpeg, offsets_of, table_of, value_of
from tests.support.shared_data import manifest, shared_data


def contents(frames: Frames) -> list[bytes]:
    return [bytes(frame) for frame in frames]


# ---- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [b"", table_of([0, 10, 20]), table_of([5, 5, 5]), b"\0\0\0"])
def test_as_many_fragments_as_frames_are_the_frames_whatever_the_table_says(table: bytes) -> None:
    frames = Frames(value_of([b"ab", b"cd", b"ef"], table), 0, 3)
    assert contents(frames) == [b"ab", b"cd", b"ef"]
    assert (frames.attribution, len(frames)) == ("one fragment each", 3)


@pytest.mark.parametrize("table", [b"", table_of([0]), table_of([0, 10]), table_of([77])])
def test_all_fragments_are_the_only_frame(table: bytes) -> None:
    frames = Frames(value_of([b"ab", b"cd", b"", b"ef"], table))
    assert contents(frames) == [b"abcdef"]
    assert frames.attribution == "all fragments"


THREE = [cut(jpeg(30, 1), 8), cut(jpeg(20, 2), 8), cut(jpeg(40, 3), 8)]
FLAT = [fragment for frame in THREE for fragment in frame]
WHOLE = [jpeg(30, 1), jpeg(20, 2), jpeg(40, 3)]


@pytest.mark.parametrize(
    ("table", "attribution"),
    [
        (table_of(offsets_of(THREE)), "basic offset table"),
        (b"", "codestreams"),
        (table_of([0, 16, 32]), "codestreams"),  # points at items, but not at codestreams
        (table_of([0, 1, 2]), "codestreams"),
        (table_of([0, 0xFFFFFFF0, 4]), "codestreams"),
        (table_of([0]), "codestreams"),
    ],
)
def test_frames_of_several_fragments_need_a_true_table_or_codestreams(table: bytes, attribution: str) -> None:
    frames = Frames(value_of(FLAT, table), 0, 3)
    assert contents(frames) == WHOLE
    assert frames.attribution == attribution


def test_a_table_left_out_altogether_is_not_missed() -> None:
    frames = Frames(b"".join(map(item, FLAT)) + DELIMITER, 0, 3)
    assert contents(frames) == WHOLE


def test_an_extended_offset_table_tells_frames_apart_and_takes_padding_off() -> None:
    value = value_of([b"abc\0", b"defg"])
    extended = struct.pack("<2Q", 0, 12), struct.pack("<2Q", 3, 4)
    assert contents(Frames(value, 0, 2, extended)) == [b"abc", b"defg"]
    fragments = [b"ab", b"cd", b"ef"]
    extended = struct.pack("<2Q", 0, 20), struct.pack("<2Q", 4, 2)
    frames = Frames(value_of(fragments), 0, 2, extended)
    assert contents(frames) == [b"abcd", b"ef"]
    assert frames.attribution == "extended offset table"


@pytest.mark.parametrize("lengths", [b"", struct.pack("<Q", 3), struct.pack("<2Q", 0, 1 << 63), b"\xff" * 16])
def test_extended_lengths_that_cannot_be_are_ignored(lengths: bytes) -> None:
    frames = Frames(value_of([b"abc\0", b"defg"]), 0, 2, (struct.pack("<2Q", 0, 12), lengths))
    assert contents(frames) == [b"abc\0", b"defg"]


@pytest.mark.parametrize(
    ("fragments", "count"), [([], 1), ([], 3), ([b"ab"], 2), ([b"ab", b"cd", b"ef"], 2), ([b"ab"], 1 << 31)]
)
def test_fragments_that_cannot_be_those_frames_are_refused(fragments: list[bytes], count: int) -> None:
    with pytest.raises(
        CodecError, match=f"{len(fragments)} fragments cannot be told apart as {count}"
    ) as caught:
        Frames(b"??" + value_of(fragments), 2, count)
    assert caught.value.offset == 2


@pytest.mark.parametrize("count", [0, -1])
def test_no_frames_are_refused(count: int) -> None:
    with pytest.raises(CodecError):
        Frames(value_of([b"ab"]), 0, count)


def test_a_missing_delimiter_is_seen_and_survived() -> None:
    frames = Frames(value_of([b"ab"], delimiter=b""))
    assert (contents(frames), frames.delimited, frames.end) == ([b"ab"], False, 18)
    assert Frames(value_of([b"ab"]) + b"....").end == 26


def test_broken_items_raise_with_their_place() -> None:
    with pytest.raises(MalformedDataset) as caught:
        Frames(b"...." + item(b"") + item(b"ab", 0xFFFFFFF0), 4)
    assert caught.value.offset == 12


def test_an_index_out_of_range_is_an_error() -> None:
    frames = Frames(value_of([b"ab", b"cd"]), 0, 2)
    for index in (-1, 2):
        with pytest.raises(IndexError):
            frames[index]


def test_a_frame_of_one_fragment_is_a_view_and_of_several_a_copy() -> None:
    data = bytearray(value_of(FLAT))
    frames = Frames(data, 0, 3)
    assert isinstance(frames[0], bytes)
    view = Frames(data, 0, len(FLAT))[0]
    assert isinstance(view, memoryview)
    assert view.readonly
    data[16] = 0x77
    assert view[0] == 0x77


def test_a_file_of_gigabytes_is_read_in_constant_memory(tmp_path: Path) -> None:
    """5 GiB of holes: fragments of 64 MiB that only their heads make real."""
    size, count = 1 << 26, 80
    path = tmp_path / "sparse"
    with path.open("wb") as holes:
        holes.write(item(b""))
        for _ in range(count):
            holes.write(item(b"", size))
            holes.seek(size, io.SEEK_CUR)
        holes.write(DELIMITER)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        started = time.perf_counter()
        frames = Frames(mapped, 0, count)
        assert sum(len(frame) for frame in frames) == size * count
        assert frames.end == path.stat().st_size
        assert time.perf_counter() - started < 2
        del frames
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


# ---- real files ---------------------------------------------------------------------------------

PIXEL_DATA = re.compile(rb"\xe0\x7f\x10\x00O[BW]\0\0\xff\xff\xff\xff")


def value_start(raw: bytes) -> int:
    """Where the first item of the encapsulated Pixel Data is."""
    return [match.end() for match in PIXEL_DATA.finditer(raw)][-1]


def encapsulated_files() -> list[str]:
    return [file.name for file in manifest() if is_encapsulated(file.transfer_syntax_uid)]


def is_encapsulated(uid: str) -> bool:
    return uid != "" and UID(uid).is_transfer_syntax and UID(uid).is_encapsulated


def test_real_files_give_the_frames_that_pydicom_gives() -> None:
    compared = 0
    for name in encapsulated_files():
        raw = (shared_data() / name).read_bytes()
        dataset = pydicom.dcmread(io.BytesIO(raw), force=True)
        if "PixelData" not in dataset or PIXEL_DATA.search(raw) is None:
            continue
        count = int(dataset.get("NumberOfFrames", 1) or 1)
        theirs = list(generate_frames(dataset.PixelData, number_of_frames=count))
        assert contents(Frames(raw, value_start(raw), count)) == theirs, name
        compared += 1
    assert compared > 50


@pytest.mark.parametrize(
    ("name", "count", "attribution"),
    [
        ("odd/IM00001.fragmented_no_bot_jpeg_baseline.50.dcm", 8, "codestreams"),
        ("odd/fragment-multiframe-test.dcm", 2, "basic offset table"),
        ("odd/D_CLUNIE_CT1_RLE_FRAGS.dcm", 1, "all fragments"),
        ("odd/JPEG2000-embedded-sequence-delimiter.dcm", 1, "one fragment each"),
    ],
)
def test_odd_files_are_told_apart_by_the_rule_they_need(name: str, count: int, attribution: str) -> None:
    raw = (shared_data() / name).read_bytes()
    frames = Frames(raw, value_start(raw), count)
    assert frames.attribution == attribution
    assert frames.delimited


# ---- writing ------------------------------------------------------------------------------------

PLAIN = [b"abcd", b"efg", b"", b"h"]


@pytest.mark.parametrize("with_table", [False, True])
def test_encapsulated_frames_come_back(with_table: bool) -> None:
    table = basic_offset_table([len(frame) for frame in PLAIN]) if with_table else b""
    assert table is not None
    value = b"".join(encapsulate(PLAIN, table))
    assert value == value_of([b"abcd", b"efg\0", b"", b"h\0"], table)
    extended = extended_offset_table([len(frame) for frame in PLAIN])
    assert contents(Frames(value, 0, 4, extended)) == PLAIN
    assert list(generate_frames(value, number_of_frames=4)) == [b"abcd", b"efg\0", b"", b"h\0"]


def test_encapsulating_copies_no_frame() -> None:
    frame = bytearray(1000)
    assert any(piece is frame for piece in encapsulate([frame]))


def test_a_basic_offset_table_holds_32_bits_and_no_more() -> None:
    assert basic_offset_table([]) == b""
    assert basic_offset_table([3, 4, 5]) == table_of([0, 12, 24])
    assert basic_offset_table([0xFFFFFFF0, 1]) == table_of([0, 0xFFFFFFF8])
    assert basic_offset_table([0xFFFFFFF8, 1]) is None
    assert extended_offset_table([0xFFFFFFF8, 1]) == (
        struct.pack("<2Q", 0, 1 << 32),
        struct.pack("<2Q", 0xFFFFFFF8, 1),
    )


def test_whether_a_basic_offset_table_fits_is_known_before_writing() -> None:
    assert basic_offset_table_fits(1, 0xFFFFFFFE)
    assert basic_offset_table_fits(2, 0xFFFFFFF0)
    assert not basic_offset_table_fits(2, 0xFFFFFFF8)
    assert not basic_offset_table_fits(3, 0x80000000)
    assert basic_offset_table_fits(100_000, 30_000)
    assert not basic_offset_table_fits(200_000, 30_000)


def test_a_frame_too_long_for_a_fragment_is_refused() -> None:
    with mmap.mmap(-1, 1 << 32) as huge, pytest.raises(CodecError, match="does not fit in a fragment"):
        list(encapsulate([huge]))


@pytest.mark.parametrize("with_table", [False, True])
def test_frames_written_one_by_one_are_the_value_written_at_once(with_table: bool) -> None:
    file = io.BytesIO()
    file.write(b"before")
    writer = FrameWriter(file, len(PLAIN), with_table)
    for frame in PLAIN:
        writer.add(frame)
    writer.finish()
    file.write(b"after")
    table = basic_offset_table(writer.lengths) if with_table else b""
    assert table is not None
    assert file.getvalue() == b"before" + b"".join(encapsulate(PLAIN, table)) + b"after"


def test_a_writer_wants_the_frames_it_was_promised() -> None:
    writer = FrameWriter(io.BytesIO(), 2)
    writer.add(b"a")
    with pytest.raises(CodecError, match="1 of 2 frames"):
        writer.finish()
    writer.add(b"b")
    with pytest.raises(CodecError, match="more than the 2"):
        writer.add(b"c")


class Holes(io.BytesIO):
    """A file that counts what is written to it instead of keeping it."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0

    def write(self, data: object) -> int:
        self.at += memoryview(data).nbytes  # type: ignore[arg-type]
        return 0

    def tell(self) -> int:
        return self.at


def test_a_writer_whose_table_overflows_says_so() -> None:
    writer = FrameWriter(Holes(), 3)
    with mmap.mmap(-1, 0x80000000) as frame:
        for _ in range(3):
            writer.add(frame)
    with pytest.raises(CodecError, match="too long for a Basic Offset Table"):
        writer.finish()
