"""ext/pixels.pyx against numpy and plain integers."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from fastdicom.errors import CodecError, UsageError
from fastdicom.kernels import pixels

PATHS = ("scalar", "baseline", "ssse3", "best")
# Around the vectors (16 pixels), the rows (2,048) and the strips (8,192 bytes) of the kernel.
PIXEL_COUNTS = (0, 1, 2, 15, 16, 17, 33, 100, 2047, 2048, 2049, 4097, 9001)


@pytest.fixture(params=PATHS, autouse=True)
def vector_path(request: pytest.FixtureRequest) -> Iterator[None]:
    pixels.use_path(request.param)
    yield
    pixels.use_path("best")


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_an_unknown_path_is_an_error() -> None:
    with pytest.raises(ValueError, match="there are scalar, baseline, ssse3, best"):
        pixels.use_path("mmx")


def test_importing_the_kernels_does_not_import_numpy() -> None:
    code = "import sys, fastdicom.kernels.colour, fastdicom.kernels.pixels; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- byte order ---------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [16, 32, 64])
@pytest.mark.parametrize("words", PIXEL_COUNTS)
def test_swapping_reverses_the_bytes_of_every_word(words: int, bits: int) -> None:
    data = noise(words * bits // 8)
    expected = np.frombuffer(data, f"<u{bits // 8}").astype(f">u{bits // 8}").tobytes()
    assert pixels.swap_bytes(data, bits) == expected
    in_place = bytearray(data)
    assert pixels.swap_bytes(in_place, bits, in_place) is in_place
    assert in_place == expected


def test_half_a_word_is_refused_with_its_place() -> None:
    with pytest.raises(CodecError, match="whole number of 32-bit words") as caught:
        pixels.swap_bytes(bytes(11), 32)
    assert caught.value.offset == 8
    with pytest.raises(UsageError):
        pixels.swap_bytes(bytes(16), 24)


# ---- Planar Configuration -----------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("count", PIXEL_COUNTS)
def test_planes_and_interleaved_samples_are_each_other_transposed(
    count: int, samples: int, bits: int
) -> None:
    interleaved = noise(count * samples * bits // 8)
    planar = np.frombuffer(interleaved, f"<u{bits // 8}").reshape(count, samples).T.tobytes()
    assert pixels.to_planar(interleaved, samples, bits) == planar
    assert pixels.to_interleaved(planar, samples, bits) == interleaved


def test_nothing_is_written_outside_the_given_buffer() -> None:
    data = noise(3 * 1001)
    for convert in (pixels.to_planar, pixels.to_interleaved):
        memory = bytearray(b"\xee" * (len(data) + 14))
        convert(data, 3, 8, memoryview(memory)[7:-7])
        assert memory[:7] == memory[-7:] == b"\xee" * 7
        assert memory[7:-7] == convert(data, 3, 8)


@pytest.mark.parametrize("arguments", [(3, 12), (3, 1), (0, 8), (5, 8), (-1, 8), (3, 64)])
def test_impossible_samples_are_refused(arguments: tuple[int, int]) -> None:
    for convert in (pixels.to_planar, pixels.to_interleaved):
        with pytest.raises(CodecError):
            convert(bytes(240), *arguments)


def test_a_part_of_a_pixel_is_refused() -> None:
    with pytest.raises(CodecError, match="whole number of pixels") as caught:
        pixels.to_planar(bytes(20), 3, 16)
    assert caught.value.offset == 18


@pytest.mark.parametrize("size", [0, 29, 31])
def test_an_out_of_another_size_is_refused(size: int) -> None:
    for convert in (pixels.to_planar, pixels.to_interleaved):
        with pytest.raises(UsageError, match="30 bytes"):
            convert(bytes(30), 3, 8, bytearray(size))


# ---- one bit a pixel ----------------------------------------------------------------------------


@pytest.mark.parametrize("first", [*range(9), 15, 16, 61])
def test_bits_unpack_from_any_place(first: int) -> None:
    data = noise(64)
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    for count in (*range(20), 63, 64, 65, 512 - first):
        assert pixels.unpack_bits(data, count, first) == bits[first : first + count].tobytes()


@pytest.mark.parametrize("first", [*range(9), 15, 16, 61])
def test_packed_bits_leave_their_neighbours_alone(first: int) -> None:
    background = noise(80)
    bits = np.unpackbits(np.frombuffer(background, np.uint8), bitorder="little")
    for count in (*range(20), 63, 64, 65, 500):
        frame = bytes(byte & 1 for byte in noise(count))
        expected = bits.copy()
        expected[first : first + count] = np.frombuffer(frame, np.uint8)
        out = bytearray(background)
        assert pixels.pack_bits(frame, first, out=out) is out
        assert out == np.packbits(expected, bitorder="little").tobytes()


def test_frames_that_do_not_end_on_a_byte_follow_each_other() -> None:
    frames = [bytes(byte & 1 for byte in noise(15 + i)[:15]) for i in range(7)]
    packed = bytearray(-(-7 * 15 // 8))
    for index, frame in enumerate(frames):
        pixels.pack_bits(frame, 15 * index, out=packed)
    assert [pixels.unpack_bits(packed, 15, 15 * index) for index in range(7)] == frames


@pytest.mark.parametrize(
    ("count", "first"), [(65, 0), (64, 1), (1, 64), (-1, 0), (0, 65), (1, -1), (1 << 62, 0)]
)
def test_bits_that_are_not_there_are_refused(count: int, first: int) -> None:
    with pytest.raises(CodecError, match="8 bytes do not hold"):
        pixels.unpack_bits(bytes(8), count, first)


def test_a_pixel_value_that_is_no_bit_is_refused_with_its_place() -> None:
    for place in (0, 7, 8, 12):
        frame = bytearray(13)
        frame[place] = 2
        with pytest.raises(CodecError, match="value of 2") as caught:
            pixels.pack_bits(frame)
        assert caught.value.offset == place


def test_bits_are_not_packed_past_the_buffer() -> None:
    for count, first in ((17, 0), (16, 1), (0, 17)):
        with pytest.raises(UsageError, match="no room"):
            pixels.pack_bits(bytes(count), first, out=bytearray(2))


# ---- stored bits --------------------------------------------------------------------------------

LAYOUTS = [
    (8, 8, 7),
    (8, 5, 4),
    (8, 1, 7),
    (16, 16, 15),
    (16, 12, 11),
    (16, 12, 15),
    (16, 10, 12),
    (16, 1, 0),
    (32, 32, 31),
    (32, 24, 27),
    (32, 12, 11),
]


def plain_values(data: bytes, layout: tuple[int, int, int], signed: bool) -> list[int]:
    allocated, stored, high = layout
    values = []
    for at in range(0, len(data), allocated // 8):
        value = int.from_bytes(data[at : at + allocated // 8], "little") >> (high + 1 - stored)
        value &= (1 << stored) - 1
        if signed and value >> (stored - 1):
            value -= 1 << stored
        values.append(value)
    return values


def to_samples(values: list[int], allocated: int) -> bytes:
    return b"".join((v & ((1 << allocated) - 1)).to_bytes(allocated // 8, "little") for v in values)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_stored_values_become_plain_integers(layout: tuple[int, int, int], signed: bool) -> None:
    for size in (0, 4, 36, 8192, 8196, 20000):
        data = noise(size)
        expected = to_samples(plain_values(data, layout, signed), layout[0])
        assert pixels.align_samples(data, *layout, signed) == expected
        in_place = bytearray(data)
        assert pixels.align_samples(in_place, *layout, signed, in_place) == expected


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_stray_bits_are_those_that_alignment_would_lose(layout: tuple[int, int, int], signed: bool) -> None:
    allocated, stored, high = layout
    shift = high + 1 - stored
    values = plain_values(noise(20000), layout, signed)
    clean = bytearray(to_samples([value << shift for value in values], allocated))
    assert pixels.stray_bits(clean, *layout, signed) == 0
    for bit in range(allocated):
        dirty = bytearray(clean)
        dirty[-allocated // 8 + bit // 8] ^= 1 << bit % 8
        outside = bit < shift or bit > high
        is_sign = signed and bit == high and high < allocated - 1  # then the bits above no longer extend it
        if outside:
            assert pixels.stray_bits(dirty, *layout, signed) == 1 << bit
        elif not is_sign:
            assert pixels.stray_bits(dirty, *layout, signed) == 0
        else:
            assert pixels.stray_bits(dirty, *layout, signed) == ((1 << allocated) - 1) ^ ((1 << high + 1) - 1)


@pytest.mark.parametrize(
    "layout", [(16, 17, 16), (16, 0, 0), (16, 12, 10), (16, 12, 16), (16, -1, 3), (12, 9, 8)]
)
def test_contradictory_bits_are_refused(layout: tuple[int, int, int]) -> None:
    for function in (pixels.align_samples, pixels.stray_bits):
        with pytest.raises(CodecError):
            function(bytes(32), *layout, False)


@pytest.mark.parametrize(
    ("allocated", "bit"), [(8, 0), (8, 7), (16, 0), (16, 7), (16, 8), (16, 15), (32, 20)]
)
def test_an_overlay_in_unused_bits_becomes_a_bitmap(allocated: int, bit: int) -> None:
    for count in (0, 1, 7, 8, 9, 1000):
        data = noise(count * allocated // 8)
        words = np.frombuffer(data, f"<u{allocated // 8}")
        expected = np.packbits((words >> bit & 1).astype(np.uint8), bitorder="little").tobytes()
        assert pixels.overlay_bits(data, allocated, bit) == expected
    for wrong in (-1, allocated):
        with pytest.raises(CodecError, match="have no bit"):
            pixels.overlay_bits(bytes(4), allocated, wrong)


def test_empty_pixel_data_stay_empty() -> None:
    for given in (None, bytearray()):
        assert pixels.swap_bytes(b"", 32, given) == b""
        assert pixels.to_interleaved(b"", 3, 8, given) == b""
        assert pixels.to_planar(b"", 3, 16, given) == b""
        assert pixels.unpack_bits(b"", 0, out=given) == b""
        assert pixels.pack_bits(b"", out=given) == b""
        assert pixels.align_samples(b"", 16, 12, 11, True, given) == b""
        assert pixels.overlay_bits(b"", 16, 12, given) == b""
    assert pixels.stray_bits(b"", 16, 12, 11, True) == 0
