"""ext/rle.pyx against a short reference, pydicom, and what other programs make of its frames."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.rle import _rle_decode_frame

from fastdicom.errors import CodecError, UsageError
from fastdicom.kernels import rle
from tests.support import rle_reference as reference
from tests.support.shared_data import shared_data

PATHS = ("scalar", "baseline", "ssse3", "best")
GEOMETRIES = [
    (1, 1, 1, 8),
    (1, 2, 1, 16),
    (3, 5, 3, 8),
    (7, 129, 1, 8),
    (5, 128, 1, 16),
    (4, 130, 4, 8),
    (9, 64, 3, 16),
    (2, 65, 1, 32),
    (3, 33, 3, 32),
    (2, 70, 1, 64),
    (65, 67, 1, 16),  # more pixels than a strip of the decoder
    (130, 67, 3, 8),
]
RLE_LOSSLESS = "1.2.840.10008.1.2.5"


def contents(size: int, seed: int = 1) -> dict[str, bytes]:
    """Images that take every way through an encoder."""
    rng = random.Random(seed)
    mixed = bytearray()
    while len(mixed) < size:
        if rng.random() < 0.5:
            mixed += rng.randbytes(rng.choice((1, 2, 3, 127, 128, 129)))
        else:
            mixed += bytes([rng.randrange(256)]) * rng.choice((2, 3, 4, 127, 128, 129, 130, 131, 260))
    return {
        "noise": rng.randbytes(size),
        "flat": b"\x07" * size,
        "pairs": bytes(i // 2 % 256 for i in range(size)),
        "triples": bytes(i // 3 % 256 for i in range(size)),
        "mixed": bytes(mixed[:size]),
    }


@pytest.fixture(params=PATHS)
def vector_path(request: pytest.FixtureRequest) -> Iterator[str]:
    rle.use_path(request.param)
    yield request.param
    rle.use_path("best")


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_decoding_an_encoded_image_gives_the_image(
    geometry: tuple[int, int, int, int], planar: bool, vector_path: str
) -> None:
    rows, columns, samples, bits = geometry
    for pixels in contents(rows * columns * samples * bits // 8).values():
        frame = rle.encode_frame(pixels, *geometry, planar=planar)
        assert reference.decode(frame, *geometry, planar) == pixels
        assert rle.decode_frame(frame, *geometry, planar=planar, strict=True) == pixels


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_pydicom_decodes_our_frames(geometry: tuple[int, int, int, int]) -> None:
    rows, columns, samples, bits = geometry
    for pixels in contents(rows * columns * samples * bits // 8).values():
        assert _rle_decode_frame(rle.encode_frame(pixels, *geometry, planar=True), *geometry) == pixels


def test_all_paths_encode_to_the_same_bytes() -> None:
    pixels = contents(64 * 200 * 3)["mixed"]
    frames = set()
    for path in PATHS:
        rle.use_path(path)
        frames.add(rle.encode_frame(pixels, 64, 200, 3, 8))
    assert len(frames) == 1


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_segments_are_even_and_no_longer_than_promised(geometry: tuple[int, int, int, int]) -> None:
    rows, columns, samples, bits = geometry
    for pixels in contents(rows * columns * samples * bits // 8).values():
        for segment in reference.segments_of(rle.encode_frame(pixels, *geometry), samples * bits // 8):
            assert len(segment) % 2 == 0
            assert len(segment) <= rows * (columns + columns // 128 + 1) + 1


@pytest.mark.parametrize("columns", [1, 2, 63, 64, 65, 128, 129, 200])
def test_no_run_and_no_literal_crosses_a_line(columns: int) -> None:
    for pixels in contents(20 * columns).values():
        (segment,) = reference.segments_of(rle.encode_frame(pixels, 20, columns, 1, 8), 1)
        assert reference.lines_of(segment, columns)[:20] == [columns] * 20


def test_a_flat_line_of_65535_columns_takes_two_bytes_for_each_128() -> None:
    frame = rle.encode_frame(bytes(65535), 1, 65535, 1, 8)
    assert len(frame) == 64 + 2 * 512
    assert rle.decode_frame(frame, 1, 65535, 1, 8, strict=True) == bytes(65535)


def test_runs_of_less_than_three_stay_in_the_literal() -> None:
    assert rle.encode_frame(b"abbcdd", 1, 6, 1, 8)[64:] == b"\x05abbcdd\0"
    assert rle.encode_frame(b"abbbcd", 1, 6, 1, 8)[64:] == b"\x00a\xfeb\x01cd\0"


# ---- damaged frames -----------------------------------------------------------------------------


def check_like_reference(frame: bytes, geometry: tuple[int, int, int, int]) -> None:
    """Ours gives what the reference gives, or refuses what it cannot read."""
    try:
        expected = reference.decode(frame, *geometry, False)
    except reference.Unreadable:
        with pytest.raises(CodecError):
            rle.decode_frame(frame, *geometry)
    else:
        assert rle.decode_frame(frame, *geometry) == expected


@pytest.mark.parametrize("geometry", [(5, 70, 1, 16), (3, 40, 3, 8), (40, 130, 1, 8)])
def test_a_frame_cut_at_any_byte_is_refused_or_ends_in_zeros(geometry: tuple[int, int, int, int]) -> None:
    rows, columns, samples, bits = geometry
    frame = rle.encode_frame(contents(rows * columns * samples * bits // 8)["mixed"], *geometry)
    for cut in range(len(frame)):
        check_like_reference(frame[:cut], geometry)


def test_strict_refuses_every_cut_but_that_of_the_padding() -> None:
    pixels = b"abbbcd" * 18
    frame = rle.encode_frame(pixels, 9, 12, 1, 8)
    assert frame[-1] == 0  # nine lines of 13 bytes
    for cut in range(len(frame) - 1):
        with pytest.raises(CodecError):
            rle.decode_frame(frame[:cut], 9, 12, 1, 8, strict=True)
    assert rle.decode_frame(frame[:-1], 9, 12, 1, 8, strict=True) == pixels


def test_mutated_frames_decode_as_the_reference_decodes_them() -> None:
    rng = random.Random(11)
    geometry = (9, 70, 3, 8)
    whole = rle.encode_frame(contents(9 * 70 * 3)["mixed"], *geometry)
    for _ in range(3000):
        frame = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            frame[rng.choice((rng.randrange(64), rng.randrange(len(frame))))] = rng.randrange(256)
        check_like_reference(bytes(frame), geometry)


@pytest.mark.parametrize(
    ("header", "offset"),
    [
        ((0, 64), 0),
        ((2, 64, 66), 0),
        ((4, 64, 66, 68, 70), 0),
        ((16, 64, 66, 68), 0),
        ((0xFFFFFFFF, 64, 66, 68), 0),
        ((3, 0, 66, 68), 4),
        ((3, 63, 66, 68), 4),
        ((3, 64, 64, 68), 8),
        ((3, 70, 66, 68), 8),
        ((3, 64, 66, 0), 12),
        ((3, 64, 66, 76), 12),
        ((3, 64, 0xFFFFFFFF, 68), 8),
        ((3, 0xFFFFFFFF, 66, 68), 4),
    ],
)
def test_a_wrong_header_is_refused_with_the_place_of_the_field(header: tuple[int, ...], offset: int) -> None:
    frame = struct.pack("<16I", *header, *[0] * (16 - len(header))) + bytes(12)
    with pytest.raises(CodecError) as caught:
        rle.decode_frame(frame, 2, 2, 3, 8)
    assert caught.value.offset == offset


@pytest.mark.parametrize("size", [0, 1, 2, 63])
def test_less_than_a_header_is_refused(size: int) -> None:
    with pytest.raises(CodecError, match="shorter than its header"):
        rle.decode_frame(bytes(size), 1, 1, 1, 8)


def test_no_memory_is_asked_for_that_the_frame_cannot_fill() -> None:
    frame = reference.frame_of([b"\x81\x00" * 500])
    with pytest.raises(CodecError, match="cannot hold"):
        rle.decode_frame(frame, 65535, 65535, 1, 8)
    with pytest.raises(CodecError, match="cannot hold"):
        rle.decode_frame(frame, 65535, 65535, 1, 1)
    with pytest.raises(CodecError, match="cannot hold"):
        rle.decode_frame(frame, 1000, 1000, 1, 8, out=bytearray(1_000_000))


def test_a_run_past_the_image_is_cut_and_strictly_refused() -> None:
    frame = reference.frame_of([b"\x01ab\x81c"])
    assert rle.decode_frame(frame, 1, 8, 1, 8) == b"abcccccc"
    with pytest.raises(CodecError, match="122 bytes past") as caught:
        rle.decode_frame(frame, 1, 8, 1, 8, strict=True)
    assert caught.value.offset == 69


def test_one_byte_may_follow_a_plane_and_strictly_no_more() -> None:
    assert rle.decode_frame(reference.frame_of([b"\x01ab\0"]), 1, 2, 1, 8, strict=True) == b"ab"
    assert rle.decode_frame(reference.frame_of([b"\x01ab\0\0\0"]), 1, 2, 1, 8) == b"ab"
    with pytest.raises(CodecError, match="goes on 3 bytes past"):
        rle.decode_frame(reference.frame_of([b"\x01ab\0\0\0"]), 1, 2, 1, 8, strict=True)


def test_a_short_segment_names_itself_and_what_is_missing() -> None:
    frame = reference.frame_of([b"\x03abcd", b"\x01ab\0", b"\x03abcd"])
    assert rle.decode_frame(frame, 2, 2, 3, 8, planar=True) == b"abcdab\0\0abcd"
    with pytest.raises(CodecError, match="segment 2 ends 2 bytes short") as caught:
        rle.decode_frame(frame, 2, 2, 3, 8, strict=True)
    assert caught.value.offset == 64 + 5 + 4


def test_the_control_byte_128_means_nothing() -> None:
    frame = reference.frame_of([b"\x80\x00a\x80\x80\xffb\x80\x00c"])
    assert rle.decode_frame(frame, 1, 4, 1, 8, strict=True) == b"abbc"


def test_a_long_segment_of_nothing_ends() -> None:
    frame = reference.frame_of([b"\x80" * 1_000_000])
    assert rle.decode_frame(frame, 10, 10, 1, 8) == bytes(100)


# ---- geometry and buffers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "geometry",
    [
        (0, 4, 1, 8),
        (4, 0, 1, 8),
        (-1, 4, 1, 8),
        (65536, 1, 1, 8),
        (1, 65536, 1, 8),
        (2, 2, 0, 8),
        (2, 2, -3, 8),
        (2, 2, 16, 8),
        (2, 2, 4, 32),
        (2, 2, 2, 64),
        (2, 2, 3, 1),
        (2, 2, 1, 12),
        (2, 2, 1, 0),
        (2, 2, 1 << 40, 64),
    ],
)
def test_an_image_that_rle_cannot_carry_is_refused(geometry: tuple[int, int, int, int]) -> None:
    with pytest.raises(CodecError):
        rle.encode_frame(bytes(16), *geometry)
    with pytest.raises(CodecError):
        rle.decode_frame(reference.frame_of([b"\0a"]), *geometry)


def test_pixels_of_another_size_are_refused() -> None:
    for size in (0, 15, 17):
        with pytest.raises(CodecError, match="an image of 16 bytes was given as"):
            rle.encode_frame(bytes(size), 4, 4, 1, 8)


def test_out_is_filled_and_returned_wherever_it_lies() -> None:
    pixels = contents(5000)["mixed"]
    frame = rle.encode_frame(pixels, 50, 100, 1, 8)
    memory = bytearray(b"\xee" * 5010)
    out = memoryview(memory)[3:5003]
    assert rle.decode_frame(frame, 50, 100, 1, 8, out=out) is out
    assert memory == b"\xee" * 3 + pixels + b"\xee" * 7


def test_an_out_of_another_size_is_refused() -> None:
    frame = rle.encode_frame(bytes(16), 4, 4, 1, 8)
    for size in (0, 15, 17):
        with pytest.raises(UsageError):
            rle.decode_frame(frame, 4, 4, 1, 8, out=bytearray(size))
    with pytest.raises((BufferError, ValueError, TypeError)):
        rle.decode_frame(frame, 4, 4, 1, 8, out=bytes(16))


# ---- one bit a pixel ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (7, 9), (8, 8), (64, 65), (91, 100)])
def test_one_bit_pixels_come_back_from_both_forms(shape: tuple[int, int]) -> None:
    rows, columns = shape
    rng = random.Random(rows)
    pixels = bytes(rng.randrange(2) for _ in range(rows * columns))
    assert rle.decode_frame(rle.encode_frame(pixels, *shape, 1, 1), *shape, 1, 1, strict=True) == pixels
    packed = bytes(
        sum(bit << i for i, bit in enumerate(pixels[at : at + 8])) for at in range(0, len(pixels), 8)
    )
    if rows * columns > 8:  # below that the two forms have the same size
        frame = reference.frame_of([reference.pack_literally(packed)])
        assert rle.decode_frame(frame, *shape, 1, 1, strict=True) == pixels


# ---- real files and other programs --------------------------------------------------------------

REAL_FILES = [
    "modalities/US-PAL-8-10x-echo.dcm",
    "modalities/YBR_FULL-RLE.dcm",
    "modalities/no-pixel-spacing.dcm",
    "modalities/rtdose_rle.dcm",
    "odd/D_CLUNIE_CT1_RLE_FRAGS.dcm",
    "transfer_syntaxes/rle_5/CT1_RLE",
    "transfer_syntaxes/rle_5/CTImage_RLELossless.dcm",
    "transfer_syntaxes/rle_5/MR1_RLE",
    "transfer_syntaxes/rle_5/MR_small_RLE.dcm",
    "transfer_syntaxes/rle_5/NM1_RLE",
    "transfer_syntaxes/rle_5/SC_rgb_rle.dcm",
    "transfer_syntaxes/rle_5/SC_rgb_rle_16bit.dcm",
    "transfer_syntaxes/rle_5/SC_rgb_rle_16bit_2frame.dcm",
    "transfer_syntaxes/rle_5/SC_rgb_rle_2frame.dcm",
    "transfer_syntaxes/rle_5/SC_rgb_rle_32bit.dcm",
    "transfer_syntaxes/rle_5/SC_rgb_rle_32bit_2frame.dcm",
    "transfer_syntaxes/rle_5/US1_RLE",
    "transfer_syntaxes/rle_5/VL1_RLE",
    "transfer_syntaxes/rle_5/emri_small_RLE.dcm",
    "transfer_syntaxes/rle_5/liver_rle.dcm",
]


def geometry_of(dataset: pydicom.Dataset) -> tuple[int, int, int, int]:
    return dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.BitsAllocated


def frames_of(dataset: pydicom.Dataset) -> list[bytes]:
    count = int(dataset.get("NumberOfFrames", 1))
    return list(generate_frames(dataset.PixelData, number_of_frames=count))


@pytest.mark.parametrize("name", REAL_FILES)
def test_real_frames_decode_strictly_and_survive_our_encoder(name: str) -> None:
    dataset = pydicom.dcmread(shared_data() / name)
    for frame in frames_of(dataset):
        pixels = rle.decode_frame(frame, *geometry_of(dataset), strict=True)
        again = rle.encode_frame(pixels, *geometry_of(dataset))
        assert rle.decode_frame(again, *geometry_of(dataset), strict=True) == pixels


@pytest.mark.parametrize("name", REAL_FILES)
def test_real_frames_decode_as_pydicom_and_pylibjpeg_decode_them(name: str) -> None:
    dataset = pydicom.dcmread(shared_data() / name)
    if dataset.BitsAllocated == 1:
        pytest.skip("neither decodes one-bit RLE that is packed eight pixels a byte")
    pylibjpeg_rle = pytest.importorskip("rle.rle", exc_type=ImportError)
    rows, columns, samples, bits = geometry_of(dataset)
    for frame in frames_of(dataset):
        ours = rle.decode_frame(frame, rows, columns, samples, bits, planar=True)
        assert ours == _rle_decode_frame(frame, rows, columns, samples, bits)
        assert ours == pylibjpeg_rle.decode_frame(frame, rows * columns, bits, "<")


def converted(tool: list[str], source: Path, target: Path) -> bytes:
    """Pixel Data after a program has converted `source`; skips if the program is not installed."""
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    subprocess.run([*tool, str(source), str(target)], check=True, capture_output=True, timeout=60)
    data: bytes = pydicom.dcmread(target).PixelData
    return data


def native_pixels(dataset: pydicom.Dataset) -> bytes:
    """Pixel Data of all frames as our decoder gives it, in the object's Planar Configuration, padded."""
    planar = dataset.get("PlanarConfiguration", 0) == 1
    data = b"".join(
        rle.decode_frame(frame, *geometry_of(dataset), planar=planar) for frame in frames_of(dataset)
    )
    return data + b"\0" * (len(data) % 2)


@pytest.mark.interop
@pytest.mark.parametrize("name", [name for name in REAL_FILES if "liver" not in name])
def test_real_files_decode_as_dcmtk_decodes_them(name: str, tmp_path: Path) -> None:
    source = shared_data() / name
    theirs = converted(["dcmdrle"], source, tmp_path / "native.dcm")
    assert native_pixels(pydicom.dcmread(source)) == theirs


@pytest.mark.interop
@pytest.mark.parametrize("tool", [["dcmdrle"], ["gdcmconv", "--raw"]])
@pytest.mark.parametrize(
    "name", ["CT1_RLE", "MR1_RLE", "NM1_RLE", "US1_RLE", "VL1_RLE", "emri_small_RLE.dcm"]
)
def test_other_programs_decode_our_frames(name: str, tool: list[str], tmp_path: Path) -> None:
    dataset = pydicom.dcmread(shared_data() / "transfer_syntaxes/rle_5" / name)
    native = native_pixels(dataset)
    planar = dataset.get("PlanarConfiguration", 0) == 1
    geometry = geometry_of(dataset)
    decoded = [rle.decode_frame(frame, *geometry, planar=planar) for frame in frames_of(dataset)]
    frames = [rle.encode_frame(pixels, *geometry, planar=planar) for pixels in decoded]
    dataset.PixelData = encapsulate(frames)
    dataset.save_as(tmp_path / "ours.dcm")
    assert converted(tool, tmp_path / "ours.dcm", tmp_path / "native.dcm") == native
