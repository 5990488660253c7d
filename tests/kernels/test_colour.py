"""ext/colour.pyx against exact arithmetic and pydicom."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.pixels.processing import convert_color_space

from fastdicom.errors import CodecError, UsageError
from fastdicom.kernels import colour
from tests.support.shared_data import shared_data

PATHS = ("scalar", "baseline", "ssse3", "best")
# Around the vectors (16 pixels) and the rows (2,048 pixels, or pairs of them) of the kernel.
PIXEL_COUNTS = (0, 1, 2, 15, 16, 17, 33, 100, 2047, 2048, 2049, 4097, 9001)


@pytest.fixture(params=PATHS, autouse=True)
def vector_path(request: pytest.FixtureRequest) -> Iterator[None]:
    colour.use_path(request.param)
    yield
    colour.use_path("best")


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def rounded(numerator: NDArray[Any], denominator: int) -> NDArray[Any]:
    """numerator / denominator, rounded to nearest, halves up, in exact arithmetic."""
    result: NDArray[Any] = (2 * numerator + denominator) // (2 * denominator)
    return result


def clipped(components: list[NDArray[Any]]) -> NDArray[Any]:
    result: NDArray[Any] = np.minimum(np.maximum(np.stack(components, axis=1), np.int64(0)), np.int64(255))
    return result.astype(np.uint8)


def exact_rgb(ybr: NDArray[Any]) -> NDArray[Any]:
    y, cb, cr = (ybr[:, i].astype(np.int64) for i in range(3))
    red = rounded(1402 * (cr - 128), 1000)
    green = rounded(-(114 * 1772 * (cb - 128) + 299 * 1402 * (cr - 128)), 587 * 1000)
    blue = rounded(1772 * (cb - 128), 1000)
    return clipped([y + red, y + green, y + blue])


def exact_ybr(rgb: NDArray[Any]) -> NDArray[Any]:
    red, green, blue = (rgb[:, i].astype(np.int64) for i in range(3))
    y = rounded(299 * red + 587 * green + 114 * blue, 1000)
    cb = 128 + rounded(-299 * red - 587 * green + 886 * blue, 1772)
    cr = 128 + rounded(701 * red - 587 * green - 114 * blue, 1402)
    return clipped([y, cb, cr])


def all_triples(first: int) -> NDArray[Any]:
    """The 65,536 triples that start with `first`."""
    second, third = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    columns = [np.full(65536, first), second.ravel(), third.ravel()]
    return np.stack(columns, axis=1).astype(np.uint8)


@pytest.mark.parametrize("luma", [0, 1, 100, 128, 254, 255])
def test_ybr_full_to_rgb_is_correctly_rounded(luma: int) -> None:
    ybr = all_triples(luma)
    assert colour.ybr_full_to_rgb(ybr.tobytes()) == exact_rgb(ybr).tobytes()


@pytest.mark.parametrize("red", [0, 1, 77, 128, 254, 255])
def test_rgb_to_ybr_full_is_correctly_rounded(red: int) -> None:
    rgb = all_triples(red)
    assert colour.rgb_to_ybr_full(rgb.tobytes()) == exact_ybr(rgb).tobytes()


def test_every_colour_is_correctly_rounded_both_ways() -> None:
    for first in range(256):
        triples = all_triples(first)
        assert colour.ybr_full_to_rgb(triples.tobytes()) == exact_rgb(triples).tobytes()
        assert colour.rgb_to_ybr_full(triples.tobytes()) == exact_ybr(triples).tobytes()


def test_colours_agree_with_pydicom_within_one() -> None:
    """pydicom computes in 32-bit floats, which round some exact halves the other way."""
    for theirs_name, ours in (("YBR_FULL", colour.rgb_to_ybr_full), ("RGB", colour.ybr_full_to_rgb)):
        image = np.frombuffer(noise(300 * 300 * 3), np.uint8).reshape(300, 300, 3)
        source = "RGB" if theirs_name == "YBR_FULL" else "YBR_FULL"
        theirs = convert_color_space(image, source, theirs_name).astype(int)
        difference = np.frombuffer(ours(image.tobytes()), np.uint8).reshape(image.shape) - theirs
        assert np.abs(difference).max() <= 1
        assert np.count_nonzero(difference) < image.size / 1000


def test_grey_stays_grey() -> None:
    grey = bytes(value for value in range(256) for _ in range(3))
    ybr = colour.rgb_to_ybr_full(grey)
    assert ybr == bytes(byte for value in range(256) for byte in (value, 128, 128))
    assert colour.ybr_full_to_rgb(ybr) == grey


@pytest.mark.parametrize("count", PIXEL_COUNTS)
@pytest.mark.parametrize("convert", [colour.ybr_full_to_rgb, colour.rgb_to_ybr_full])
def test_colours_convert_in_place(convert: Callable[..., bytearray], count: int) -> None:
    data = noise(3 * count)
    in_place = bytearray(data)
    assert convert(in_place, in_place) is in_place
    assert in_place == convert(data)


@pytest.mark.parametrize("pairs", [1, 8, 9, 50, 1024, 2048, 2049, 5000])
def test_422_gives_both_pixels_of_a_pair_its_colour(pairs: int) -> None:
    quads = np.frombuffer(noise(4 * pairs), np.uint8).reshape(pairs, 4)
    full = np.stack([quads[:, [0, 2, 3]], quads[:, [1, 2, 3]]], axis=1).reshape(-1, 3)
    assert colour.ybr_full_422_to_rgb(quads.tobytes(), 2) == exact_rgb(full).tobytes()


@pytest.mark.parametrize("pairs", [1, 8, 9, 50, 1024, 2048, 2049, 5000])
def test_422_takes_the_mean_colour_of_a_pair(pairs: int) -> None:
    rgb = np.frombuffer(noise(6 * pairs), np.uint8).reshape(-1, 3)
    ybr = exact_ybr(rgb).reshape(pairs, 2, 3).astype(int)
    means = (ybr[:, 0, 1:] + ybr[:, 1, 1:] + 1) // 2
    expected = np.concatenate([ybr[:, :, 0], means], axis=1).astype(np.uint8)
    assert colour.rgb_to_ybr_full_422(rgb.tobytes(), 2) == expected.tobytes()


def test_422_refuses_odd_columns_and_parts_of_rows() -> None:
    for columns in (0, 1, 3, -2):
        with pytest.raises(CodecError, match="pairs"):
            colour.ybr_full_422_to_rgb(bytes(24), columns)
    with pytest.raises(CodecError, match="rows of 4 columns") as caught:
        colour.ybr_full_422_to_rgb(bytes(28), 4)
    assert caught.value.offset == 24
    with pytest.raises(CodecError, match="rows of 4 columns"):
        colour.rgb_to_ybr_full_422(bytes(30), 4)
    with pytest.raises(CodecError, match="whole number of pixels"):
        colour.ybr_full_to_rgb(bytes(10))


def test_a_real_422_image_agrees_with_pydicom_within_one() -> None:
    dataset = pydicom.dcmread(shared_data() / "modalities/YBR_422.dcm")
    size = dataset.Rows * dataset.Columns * 2
    ours = colour.ybr_full_422_to_rgb(dataset.PixelData[:size], dataset.Columns)
    theirs = dataset.pixel_array.astype(int)  # pydicom converts YBR_FULL_422 to RGB by itself
    assert np.abs(np.frombuffer(ours, np.uint8).reshape(theirs.shape) - theirs).max() <= 1


@pytest.mark.parametrize("size", [0, 29, 31])
def test_an_out_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match="30 bytes"):
        colour.ybr_full_to_rgb(bytes(30), bytearray(size))


def test_empty_pixel_data_stay_empty() -> None:
    for given in (None, bytearray()):
        assert colour.ybr_full_to_rgb(b"", given) == b""
        assert colour.rgb_to_ybr_full(b"", given) == b""
        assert colour.ybr_full_422_to_rgb(b"", 2, given) == b""
        assert colour.rgb_to_ybr_full_422(b"", 2, given) == b""
