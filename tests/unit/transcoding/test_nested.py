"""Icons with pixels in fragments become native whatever the Data Set is converted to. PS3.5 A.4."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy
import pytest
from pydicom import Dataset

from fastdicom.errors import MalformedDataset
from fastdicom.kernels.recode import Recoder
from fastdicom.transcoding import codecs, nested
from fastdicom.transcoding.codecs import CannotCarry
from fastdicom.transcoding.objects import Options, convert
from fastdicom.transcoding.workers import Workers
from tests.support.image_objects import (
    DEFLATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    Pixels,
    from_bytes,
    icon,
    image_object,
    to_bytes,
)
from tests.support.images import picture

RLE, SV1, JPEG = codecs.RLE_LOSSLESS, codecs.JPEG_LOSSLESS_SV1, codecs.JPEG_BASELINE
ICON = picture(24, 32, 0, 200, "u1")
WIDE = picture(20, 16, 0, 4000, "<u2")


@pytest.fixture(scope="module")
def options() -> Iterator[Options]:
    with Workers(1) as workers:
        yield Options(workers=workers)


def image(uid: str, *icons: Dataset, undefined: bool = False, **attributes: Any) -> bytes:
    """A small image in `uid` with an Icon Image Sequence."""
    ds = from_bytes(b"".join(convert(to_bytes(image_object(WIDE)), EXPLICIT_LE, uid)), uid)
    ds.IconImageSequence = list(icons)
    ds["IconImageSequence"].is_undefined_length = undefined
    for item in icons:
        item.is_undefined_length_sequence_item = undefined
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return to_bytes(ds, uid)


def pixels_of(item: Dataset, dtype: str = "u1") -> Pixels:
    """Native pixels of an item."""
    shape = (item.Rows, item.Columns) if item.SamplesPerPixel == 1 else (item.Rows, item.Columns, 3)
    return numpy.frombuffer(
        item.PixelData[: int(numpy.prod(shape)) * numpy.dtype(dtype).itemsize], dtype
    ).reshape(shape)


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("to_uid", [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED, SV1])
def test_an_icon_becomes_native_and_nothing_else_changes(to_uid: str, undefined: bool) -> None:
    source = image(RLE, icon(ICON, RLE), icon(WIDE, RLE), undefined=undefined, PatientComments="after")
    found = from_bytes(b"".join(convert(source, RLE, to_uid)), to_uid)
    first, second = found.IconImageSequence
    assert numpy.array_equal(pixels_of(first), ICON)
    assert numpy.array_equal(pixels_of(second, ">u2" if to_uid == EXPLICIT_BE else "<u2"), WIDE)
    if to_uid != IMPLICIT_LE:
        assert not second["PixelData"].is_undefined_length and second["PixelData"].VR == "OW"
    bare = image(RLE, PatientComments="after")
    without = from_bytes(b"".join(convert(bare, RLE, to_uid)), to_uid)
    del found.IconImageSequence, without.IconImageSequence
    assert found == without


def test_a_lossy_colour_icon_becomes_rgb_and_gets_no_attributes_of_images(options: Options) -> None:
    colours = picture(16, 16, 0, 250, "u1")[:, :, None] * numpy.ones(3, "u1")
    small = icon(colours, JPEG, options, SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL_422")
    ds = from_bytes(b"".join(convert(to_bytes(image_object(ICON)), EXPLICIT_LE, JPEG, options)), JPEG)
    ds.IconImageSequence = [small]
    found = from_bytes(b"".join(convert(to_bytes(ds, JPEG), JPEG, EXPLICIT_LE, options)), EXPLICIT_LE)
    (item,) = found.IconImageSequence
    assert item.PhotometricInterpretation == "RGB" and "LossyImageCompression" not in item
    assert numpy.abs(pixels_of(item).astype(int) - colours).max() <= 8
    assert found.LossyImageCompression == "01"


def test_an_icon_deep_in_what_has_no_pixels_is_found() -> None:
    ds = image_object(ICON)
    del ds.PixelData
    holder, reference = Dataset(), Dataset()
    reference.IconImageSequence = [icon(ICON, SV1)]
    holder.ReferencedSOPSequence = [reference, Dataset()]
    ds.CurrentRequestedProcedureEvidenceSequence = [holder]
    source = to_bytes(ds, SV1)
    for to_uid in (EXPLICIT_LE, RLE, IMPLICIT_LE):
        found = from_bytes(b"".join(convert(source, SV1, to_uid)), to_uid)
        inner = found.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSOPSequence
        assert numpy.array_equal(pixels_of(inner[0].IconImageSequence[0]), ICON) and len(inner) == 2


def test_every_kind_of_head_in_an_icon_is_followed() -> None:
    """64-bit integers, and a VR that no table knows: both have a length of 32 bits."""
    item = icon(ICON, RLE)
    item.add_new(0x00091002, "UV", 1)
    item.add_new(0x00091003, "OB", b"ab")
    source = image(RLE, item).replace(b"\x09\x00\x03\x10OB", b"\x09\x00\x03\x10ZZ")
    assert b"".join(convert(source, RLE, EXPLICIT_LE)).count(b"\x09\x00\x03\x10ZZ\0\0\2\0\0\0ab") == 1


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("to_uid", [EXPLICIT_LE, IMPLICIT_LE, DEFLATED, SV1])
def test_an_icon_of_an_icon_becomes_native_too(to_uid: str, undefined: bool) -> None:
    outer, inner = icon(ICON, RLE), icon(WIDE, RLE)
    inner.is_undefined_length_sequence_item = undefined
    outer.IconImageSequence = [inner, icon(ICON, RLE)]
    outer["IconImageSequence"].is_undefined_length = undefined
    source = image(RLE, outer, undefined=undefined, PatientComments="after")
    found = from_bytes(b"".join(convert(source, RLE, to_uid)), to_uid)
    (outer,) = found.IconImageSequence
    first, second = outer.IconImageSequence
    assert numpy.array_equal(pixels_of(outer), ICON) and numpy.array_equal(pixels_of(second), ICON)
    assert numpy.array_equal(pixels_of(first, "<u2"), WIDE) and found.PatientComments == "after"


@pytest.mark.parametrize("to_uid", [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED, SV1])
def test_an_icon_behind_the_pixels_becomes_native_too(to_uid: str) -> None:
    ds = from_bytes(image(RLE, icon(WIDE, RLE)), RLE)
    ds.add_new(0x7FE30010, "LO", "MAKER")
    ds.add_new(0x7FE31010, "SQ", [icon(ICON, RLE)])
    ds.add_new(0xFFFCFFFC, "OB", b"padding!")
    source = to_bytes(ds, RLE)
    at = source.index(b"\xe3\x7f\x10\x00LO")
    source = source[:at] + b"\xe3\x7f\x00\x00UL\x04\x00" + bytes(4) + source[at:]  # its Group Length
    found = from_bytes(b"".join(convert(source, RLE, to_uid)), to_uid)
    pixels, behind = found[0x7FE00010], found[0x7FE31010]
    if to_uid == IMPLICIT_LE:  # private: no table knows that it is a sequence
        assert ICON.tobytes() in behind.value
    else:
        assert numpy.array_equal(pixels_of(behind.value[0]), ICON)
    assert numpy.array_equal(
        pixels_of(found.IconImageSequence[0], ">u2" if to_uid == EXPLICIT_BE else "<u2"), WIDE
    )
    assert found[0xFFFCFFFC].value == b"padding!" and 0x7FE30000 not in found
    if to_uid == EXPLICIT_LE:
        assert pixels.value == WIDE.tobytes()


def test_a_group_length_before_an_icon_is_left_out() -> None:
    source = image(RLE, icon(ICON, RLE))
    at = source.index(b"\x88\x00\x00\x02SQ")
    with_length = source[:at] + b"\x88\x00\x00\x00UL\x04\x00" + bytes(4) + source[at:]
    assert b"".join(convert(with_length, RLE, EXPLICIT_LE)) == b"".join(convert(source, RLE, EXPLICIT_LE))


def refusal(source: bytes, from_uid: str = RLE) -> str:
    with pytest.raises(CannotCarry) as caught:
        convert(source, from_uid, EXPLICIT_LE if from_uid == RLE else RLE)
    return str(caught.value)


def test_what_cannot_be_an_icon_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    native = to_bytes(image_object(ICON, IconImageSequence=[icon(ICON, RLE)]))
    assert "native transfer syntax" in refusal(native, EXPLICIT_LE)
    monkeypatch.setattr(nested, "LENGTH_MAX", 100)
    assert "(0088,0200)" in refusal(image(RLE, icon(ICON, RLE)))


def test_a_broken_icon_fails_by_name() -> None:
    broken = icon(ICON, RLE)
    broken.Rows = 2000
    with pytest.raises(codecs.CodecError, match=r"frame 1 of 1"):
        convert(image(RLE, broken), RLE, EXPLICIT_LE)


def test_every_cut_of_an_icon_is_refused_before_it_is_followed() -> None:
    """The walk that nested.py trusts."""
    source = image(RLE, icon(ICON, RLE), undefined=True)
    at = source.index(b"\x88\x00\x00\x02SQ")
    for cut in range(at + 1, source.index(b"\xe0\x7f\x10\x00", source.index(b"\xfe\xff\xdd\xe0", at))):
        with pytest.raises(MalformedDataset):
            convert(source[:cut], RLE, EXPLICIT_LE)


def test_the_kernel_names_the_sequences_up_to_its_ceiling() -> None:
    ds = image_object(ICON)
    for number in range(9):
        item = Dataset()
        item.add(icon(ICON, RLE)["PixelData"])
        ds.add_new(0x00091010 + number, "SQ", [item, item])
        names = Recoder(to_bytes(ds), True, False, True, False, wanted=(0x7FE00010,)).nested_tags
        assert names == (tuple(0x00091010 + one for one in range(number + 1)) if number < 8 else None)
