"""Whole Data Sets from one transfer syntax to another: the pixels, and what is said about them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest
from pydicom import Dataset

from fastdicom.errors import CodecError, FastdicomError, MalformedDataset, Refused
from fastdicom.standard.transfer_syntaxes import KNOWN, NATIVE
from fastdicom.transcoding import codecs, objects
from fastdicom.transcoding.codecs import CannotCarry, Quality
from fastdicom.transcoding.objects import Options, convert
from fastdicom.transcoding.plan import LOSSLESS_ORDER, LOSSY_ORDER
from fastdicom.transcoding.workers import Workers
from tests.support.image_objects import (
    DEFLATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    Pixels,
    from_bytes,
    image_object,
    to_bytes,
)
from tests.support.images import IMAGES, picture

RLE, SV1, JPEG = codecs.RLE_LOSSLESS, codecs.JPEG_LOSSLESS_SV1, codecs.JPEG_BASELINE
ENCAPSULATED = [uid for uid in LOSSLESS_ORDER if uid not in NATIVE]
OUR_OWN = [SV1, codecs.JPEG_LOSSLESS, RLE]
KEYWORD = {uid: row.keyword for uid, row in KNOWN.items()}


@pytest.fixture(scope="module")
def options() -> Iterator[Options]:
    with Workers(count=1) as workers:
        yield Options(workers=workers)


def converted(data: bytes, from_uid: str, to_uid: str, options: Options | None = None) -> bytes:
    result = convert(memoryview(data), from_uid, to_uid, options)
    whole = b"".join(result)
    assert result.length in (None, len(whole))
    assert len(whole) % 2 == 0
    return whole


def there_and_back(ds: Dataset, by_uid: str, options: Options | None = None) -> tuple[Dataset, Dataset]:
    """Encoded, and decoded again."""
    coded = converted(to_bytes(ds), EXPLICIT_LE, by_uid, options)
    back = converted(coded, by_uid, EXPLICIT_LE, options)
    return from_bytes(coded, by_uid), from_bytes(back, EXPLICIT_LE)


def differences(one: Dataset, other: Dataset) -> set[str]:
    keywords = {element.keyword for ds in (one, other) for element in ds}
    return {name for name in keywords if one.get(name) != other.get(name)}


# ---- every byte there and back -----------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", ENCAPSULATED, ids=KEYWORD.get)
@pytest.mark.parametrize("name", ["8 bits signed", "12 of 16 bits signed", "RGB", "YBR_FULL", "one pixel"])
def test_nothing_is_lost_by_a_lossless_syntax(options: Options, syntax: str, name: str) -> None:
    pixels, image = IMAGES[name]
    ds = image_object(
        pixels,
        SamplesPerPixel=image.samples_per_pixel,
        BitsStored=image.bits_stored,
        PhotometricInterpretation=image.photometric_interpretation,
    )
    coded, back = there_and_back(ds, syntax, options)
    assert differences(back, ds) <= set()
    assert differences(coded, ds) <= {"PixelData", "PhotometricInterpretation"}
    assert coded["PixelData"].VR == "OB" and "LossyImageCompression" not in coded


@pytest.mark.parametrize("from_uid", [*OUR_OWN, *sorted(NATIVE)], ids=KEYWORD.get)
@pytest.mark.parametrize("to_uid", [*OUR_OWN, *sorted(NATIVE)], ids=KEYWORD.get)
def test_the_way_does_not_matter(from_uid: str, to_uid: str) -> None:
    ds = image_object(picture(31, 17, -900, 1500, "<i2"), BitsStored=12)
    data = converted(to_bytes(ds), EXPLICIT_LE, from_uid)
    direct = converted(to_bytes(ds), EXPLICIT_LE, to_uid)
    assert converted(data, from_uid, to_uid) == direct


def test_frames_have_a_basic_offset_table_that_is_right() -> None:
    frames = picture(40, 23, 0, 4000, "<u2", 4).transpose(2, 0, 1)
    coded, back = there_and_back(image_object(frames), RLE)
    assert (coded.pixel_array == frames).all() and (back.pixel_array == frames).all()
    data = coded.PixelData
    count = int.from_bytes(data[4:8], "little") // 4
    offsets = [int.from_bytes(data[8 + 4 * n : 12 + 4 * n], "little") for n in range(count)]
    assert count == 4 and offsets[0] == 0
    assert all(data[8 + 4 * count + at :][:4] == b"\xfe\xff\x00\xe0" for at in offsets)


def test_an_extended_offset_table_takes_over_where_32_bits_are_not_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(objects, "basic_offset_table", lambda lengths: None)
    frames = picture(40, 23, 0, 4000, "<u2", 3).transpose(2, 0, 1)
    coded = converted(to_bytes(image_object(frames)), EXPLICIT_LE, RLE)
    ds = from_bytes(coded, RLE)
    assert len(ds.ExtendedOffsetTable) == len(ds.ExtendedOffsetTableLengths) == 24
    assert ds.PixelData[:8] == b"\xfe\xff\x00\xe0" + bytes(4)
    back = from_bytes(converted(coded, RLE, EXPLICIT_LE), EXPLICIT_LE)
    assert (back.pixel_array == frames).all() and "ExtendedOffsetTable" not in back


@pytest.mark.parametrize("frames", [1, 3])
def test_single_bits_are_packed_across_frames(frames: int) -> None:
    bits = numpy.random.default_rng(1).integers(0, 2, (frames, 5, 7), dtype="u1")
    ds = image_object(bits, BitsStored=1)
    ds.BitsAllocated = 1
    packed = numpy.packbits(bits.reshape(-1), bitorder="little").tobytes()
    ds.PixelData = packed + b"\0" * (len(packed) % 2)
    coded, back = there_and_back(ds, RLE)
    assert (coded.pixel_array.reshape(bits.shape) == bits).all()
    assert back.PixelData == ds.PixelData


def test_planes_are_interleaved_on_the_way() -> None:
    pixels = picture(20, 30, 0, 255, "u1", 3)
    ds = image_object(pixels.transpose(2, 0, 1).reshape(20, 30, 3), SamplesPerPixel=3)
    ds.PlanarConfiguration = 1
    coded, back = there_and_back(ds, SV1)
    assert coded.PlanarConfiguration == back.PlanarConfiguration == 0
    assert (back.pixel_array == pixels).all()


@pytest.mark.parametrize("to_uid", [IMPLICIT_LE, EXPLICIT_BE])
def test_native_results_have_their_own_byte_order_and_vr(to_uid: str) -> None:
    pixels = picture(9, 9, 0, 65535, "<u2")
    data = converted(to_bytes(image_object(pixels)), EXPLICIT_LE, SV1)
    ds = from_bytes(converted(data, SV1, to_uid), to_uid)
    assert (ds.pixel_array == pixels).all()
    assert str(ds.PatientName) == "Müller^Transcoder" and ds["PixelData"].VR == "OW"


def test_an_odd_frame_is_padded_and_the_pad_is_no_pixel() -> None:
    pixels = picture(3, 5, 0, 255, "u1")
    _, back = there_and_back(image_object(pixels), SV1)
    assert len(back.PixelData) == 16 and (back.pixel_array == pixels).all()


def test_an_overlay_in_unused_bits_stays_in_them(options: Options) -> None:
    pixels = picture(16, 16, 0, 4095, "<u2") | 0x4000
    ds = image_object(pixels, BitsStored=12)
    ds.add_new(0x60000102, "US", 14)
    for syntax in ENCAPSULATED:
        _, back = there_and_back(ds, syntax, options)
        assert back.PixelData == ds.PixelData, KEYWORD[syntax]


def test_what_follows_the_pixels_stays() -> None:
    ds = image_object(picture(8, 8, 0, 255, "u1"))
    ds.DataSetTrailingPadding = b"abcd"
    coded, back = there_and_back(ds, RLE)
    assert coded.DataSetTrailingPadding == back.DataSetTrailingPadding == b"abcd"


def test_a_group_length_that_would_be_wrong_is_left_out() -> None:
    ds = image_object(picture(8, 8, 0, 255, "u1", 3), SamplesPerPixel=3, PlanarConfiguration=1)
    ds.add_new(0x00280000, "UL", 90)
    assert 0x00280000 not in from_bytes(converted(to_bytes(ds), EXPLICIT_LE, RLE), RLE)


# ---- colours -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("colour", "named"), [("rgb", "RGB"), ("keep", "YBR_FULL")])
def test_jpeg_becomes_rgb_unless_it_is_to_be_kept(
    options: Options, colour: codecs.ColourChoice, named: str
) -> None:
    pixels = picture(32, 32, 20, 230, "u1", 3)
    data = converted(to_bytes(image_object(pixels, SamplesPerPixel=3)), EXPLICIT_LE, JPEG, options)
    ds = from_bytes(
        converted(data, JPEG, EXPLICIT_LE, Options(colour=colour, workers=options.workers)), EXPLICIT_LE
    )
    assert ds.PhotometricInterpretation == named
    assert ds.LossyImageCompression == "01"
    decoded = numpy.frombuffer(ds.PixelData, "u1").reshape(pixels.shape).astype(int)
    assert (numpy.abs(decoded - pixels) <= 12).all() == (colour == "rgb")


def test_a_palette_is_kept_lossless_and_never_lossy(options: Options) -> None:
    ds = image_object(picture(8, 8, 0, 255, "u1"), PhotometricInterpretation="PALETTE COLOR")
    coded, back = there_and_back(ds, SV1)
    assert coded.PhotometricInterpretation == back.PhotometricInterpretation == "PALETTE COLOR"
    with pytest.raises(CannotCarry, match="palette"):
        convert(to_bytes(ds), EXPLICIT_LE, JPEG, options)


# ---- loss --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [*LOSSY_ORDER, codecs.JPEG_2000], ids=KEYWORD.get)
def test_a_lossy_result_is_another_instance_that_says_so(options: Options, syntax: str) -> None:
    pixels = picture(64, 64, 10, 240, "u1")
    ds = image_object(pixels)
    wanted = Options(quality=Quality(jpeg=80, near=3, psnr=40.0), workers=options.workers)
    result = convert(to_bytes(ds), EXPLICIT_LE, syntax, wanted)
    coded = from_bytes(b"".join(result), syntax)
    assert result.sop_instance_uid == coded.SOPInstanceUID != ds.SOPInstanceUID
    assert coded.LossyImageCompression == "01"
    assert coded.LossyImageCompressionMethod.startswith("ISO_1")
    assert float(coded.LossyImageCompressionRatio) > 1
    assert coded.ImageType[0] == "DERIVED"
    assert "Lossy compression" in coded.DerivationDescription
    assert coded.DerivationCodeSequence[0].CodeValue == "113040"
    (source,) = coded.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == ds.SOPInstanceUID
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121320"
    again = convert(to_bytes(ds), EXPLICIT_LE, syntax, wanted)
    assert again.sop_instance_uid == result.sop_instance_uid
    back = from_bytes(converted(b"".join(again), syntax, EXPLICIT_LE, options), EXPLICIT_LE)
    assert back.LossyImageCompression == "01" and back.SOPInstanceUID == result.sop_instance_uid
    assert numpy.abs(back.pixel_array.astype(int) - pixels).max() <= 24


def test_a_second_loss_is_added_to_the_first(options: Options) -> None:
    ds = image_object(picture(64, 64, 10, 240, "u1"))
    ds.LossyImageCompression, ds.LossyImageCompressionRatio = "01", "7.5"
    ds.LossyImageCompressionMethod = "ISO_15444_1"
    ds.DerivationDescription = "Sharpened"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.9"
    ds.SourceImageSequence = [item]
    for undefined in (False, True):
        ds["SourceImageSequence"].is_undefined_length = undefined
        coded = from_bytes(converted(to_bytes(ds), EXPLICIT_LE, JPEG, options), JPEG)
        assert len(coded.LossyImageCompressionRatio) == 2 and coded.LossyImageCompressionRatio[0] == 7.5
        assert list(coded.LossyImageCompressionMethod) == ["ISO_15444_1", "ISO_10918_1"]
        assert coded.DerivationDescription.startswith("Sharpened; Lossy")
        uids = [one.ReferencedSOPInstanceUID for one in coded.SourceImageSequence]
        assert uids == ["1.9", "1.2.3.4.5"]


def test_pixels_of_a_lossy_stream_say_so_even_if_it_did_not(options: Options) -> None:
    coded = from_bytes(
        converted(to_bytes(image_object(picture(64, 64, 9, 99, "u1"))), EXPLICIT_LE, JPEG, options), JPEG
    )
    del coded.LossyImageCompression, coded.LossyImageCompressionRatio, coded.LossyImageCompressionMethod
    coded.is_implicit_VR, coded.is_little_endian = False, True
    bare = to_bytes(coded, JPEG)
    ds = from_bytes(converted(bare, JPEG, EXPLICIT_LE, options), EXPLICIT_LE)
    assert ds.LossyImageCompression == "01" and ds.LossyImageCompressionMethod == "ISO_10918_1"
    assert ds.SOPInstanceUID == coded.SOPInstanceUID


# ---- right or refused --------------------------------------------------------------------------------------


def refusal(ds: Dataset, to_uid: str, from_uid: str = EXPLICIT_LE) -> str:
    with pytest.raises(FastdicomError) as caught:
        b"".join(convert(to_bytes(ds, from_uid), from_uid, to_uid))
    return str(caught.value)


def grey() -> Dataset:
    return image_object(picture(8, 8, 0, 255, "u1"))


def test_32_bits_go_as_rle_and_nothing_else() -> None:
    ds = image_object(picture(8, 8, 0, 2**31, "<u4"))
    _, back = there_and_back(ds, RLE)
    assert back.PixelData == ds.PixelData
    assert "32 bits" in refusal(ds, SV1)


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_float_pixels_are_not_compressed(keyword: str) -> None:
    ds = grey()
    del ds.PixelData
    setattr(ds, keyword, bytes(512))
    assert "Float" in refusal(ds, RLE)
    assert from_bytes(converted(to_bytes(ds), EXPLICIT_LE, IMPLICIT_LE), IMPLICIT_LE)[keyword].value


def test_empty_and_short_and_long_pixel_data() -> None:
    ds = grey()
    ds.PixelData = b""
    assert "0 bytes, 1 frames take 64" in refusal(ds, RLE)
    ds.PixelData = bytes(62)
    assert "62 bytes" in refusal(ds, SV1)
    ds.PixelData = bytes(128)
    assert "more frames" in refusal(ds, SV1)
    ds.PixelData = bytes(100)  # some makers pad so
    _, back = there_and_back(ds, SV1)
    assert len(back.PixelData) == 64


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("NumberOfFrames", 0, "Number of Frames"),
        ("NumberOfFrames", 2**31 - 1, "frames take"),
        ("Rows", 0, "0 rows"),
        ("BitsStored", 9, "9 bits stored in 8"),
        ("HighBit", 8, "High Bit 8"),
        ("SamplesPerPixel", 2, "2 samples"),
        ("PixelRepresentation", 2, "neither 0 nor 1"),
        ("PhotometricInterpretation", "YBR_FULL_422", "YBR_FULL_422"),
    ],
)
def test_attributes_that_cannot_be_are_named(keyword: str, value: object, said: str) -> None:
    ds = grey()
    setattr(ds, keyword, value)
    assert said in refusal(ds, RLE)


def test_rows_of_another_vr_are_named() -> None:
    ds = grey()
    del ds.Rows
    ds.add_new(0x00280010, "UL", 8)
    assert refusal(ds, RLE) == "(0028,0010) is no number of 16 bits: VR UL, 4 bytes"


@pytest.mark.parametrize("where", ["before", "behind"])
def test_an_attribute_out_of_order_counts_although_the_others_were_read_before(where: str) -> None:
    """What is remembered of an image must not take two frames for one."""
    ds = image_object(picture(16, 16, 0, 900, "<u2").reshape(2, 8, 16))
    del ds.NumberOfFrames
    first = to_bytes(ds)
    frames = b"\x28\x00\x08\x00IS\x02\x002 "
    at = first.index(b"\x20\x00\x0d\x00UI" if where == "before" else b"\x28\x00\x06\x01US")
    with pytest.raises(CodecError, match="more frames than the 1 stated"):
        convert(first, EXPLICIT_LE, RLE)
    coded = b"".join(convert(first[:at] + frames + first[at:], EXPLICIT_LE, RLE))
    assert from_bytes(coded, RLE).pixel_array.shape == (2, 8, 16)


def test_a_frame_above_the_ceiling_is_refused_before_it_is_read() -> None:
    with pytest.raises(CodecError, match="ceiling is 63"):
        convert(to_bytes(grey()), EXPLICIT_LE, RLE, Options(frame_length_max=63))


def test_a_broken_frame_is_named_with_its_place() -> None:
    frames = picture(40, 23, 0, 4000, "<u2", 3).transpose(2, 0, 1)
    data = bytearray(converted(to_bytes(image_object(frames)), EXPLICIT_LE, SV1))
    at = data.rfind(b"\xff\xda")
    data[at + 20 : at + 24] = b"\xff\xd9\xff\xd9"
    with pytest.raises(CodecError, match=r"^frame 3 of 3: .* \(at byte \d+\)$"):
        converted(bytes(data), SV1, EXPLICIT_LE)


def test_too_few_fragments_are_refused() -> None:
    ds = from_bytes(converted(to_bytes(grey()), EXPLICIT_LE, SV1), SV1)
    ds.NumberOfFrames = 3
    assert "told apart as 3 frames" in refusal(ds, EXPLICIT_LE, SV1)


def test_pixels_without_fragments_are_refused_in_an_encapsulated_syntax() -> None:
    data = to_bytes(grey())
    with pytest.raises(CodecError, match="without fragments"):
        convert(data, SV1, EXPLICIT_LE)


def test_a_truncated_data_set_is_malformed() -> None:
    with pytest.raises(MalformedDataset, match="cut short"):
        convert(to_bytes(grey())[:-2], EXPLICIT_LE, RLE)


@pytest.mark.parametrize("uid", sorted(set(KNOWN) - {u for u, row in KNOWN.items() if row.decode}))
def test_what_is_only_stored_and_sent_on_is_refused_with_its_name(uid: str) -> None:
    coded = from_bytes(converted(to_bytes(grey()), EXPLICIT_LE, RLE), RLE)
    with pytest.raises(Refused) as caught:
        convert(to_bytes(coded, RLE), uid, EXPLICIT_LE)
    assert KNOWN[uid].name in str(caught.value)
    with pytest.raises(Refused) as caught:
        convert(to_bytes(grey()), EXPLICIT_LE, uid)
    assert KNOWN[uid].name in str(caught.value)


def test_the_same_syntax_is_the_same_bytes_whatever_it_is() -> None:
    assert b"".join(convert(b"anything", "1.2.3.4", "1.2.3.4")) == b"anything"


def test_a_report_changes_its_encoding_only() -> None:
    ds = grey()
    del ds.PixelData
    explicit = to_bytes(ds)
    for uid in (SV1, RLE, "1.2.840.10008.1.2.4.100"):
        assert converted(explicit, EXPLICIT_LE, uid) == explicit
        assert converted(explicit, uid, IMPLICIT_LE) == converted(explicit, EXPLICIT_LE, IMPLICIT_LE)


# ---- long ones ---------------------------------------------------------------------------------------------


def long_one(frames: int) -> Pixels:
    return numpy.arange(frames, dtype="<u2")[:, None, None] * numpy.ones((1, 256, 256), "<u2")


def test_memory_does_not_grow_with_the_frames(tmp_path: Path) -> None:
    data = to_bytes(image_object(long_one(200)))
    small = Options(folder=tmp_path, memory_max=1 << 16)
    with (tmp_path / "coded").open("wb") as file:
        file.writelines(convert(memoryview(data), EXPLICIT_LE, RLE, small))
    coded = (tmp_path / "coded").read_bytes()
    tracemalloc.start()
    try:
        for piece in convert(memoryview(data), EXPLICIT_LE, SV1, small):
            del piece
        for piece in convert(memoryview(coded), RLE, EXPLICIT_LE, small):
            del piece
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
    assert len(data) > 25 << 20


def test_long_ones_are_streamed_with_an_empty_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "STREAMED_FROM", 1 << 16)
    pixels = long_one(5)
    data = to_bytes(image_object(pixels))
    result = convert(data, EXPLICIT_LE, RLE, Options(streamed=True))
    assert result.length is None
    ds = from_bytes(b"".join(result), RLE)
    assert ds.PixelData[:8] == b"\xfe\xff\x00\xe0" + bytes(4)
    assert (ds.pixel_array == pixels).all()


def test_helpers_do_frames_at_once_and_keep_their_order() -> None:
    pixels = long_one(20)
    data = to_bytes(image_object(pixels))
    with ThreadPoolExecutor(3) as helpers:
        wanted = Options(helpers=helpers, helper_count=3)
        coded = converted(data, EXPLICIT_LE, SV1, wanted)
        assert coded == converted(data, EXPLICIT_LE, SV1)
        assert converted(coded, SV1, EXPLICIT_LE, wanted) == converted(coded, SV1, EXPLICIT_LE)


@pytest.mark.parametrize("to_uid", [DEFLATED, EXPLICIT_LE])
def test_settled_results_cannot_fail_any_more(to_uid: str, tmp_path: Path) -> None:
    data = converted(to_bytes(image_object(long_one(3))), EXPLICIT_LE, SV1)
    for memory_max in (0, 1 << 30):
        wanted = Options(folder=tmp_path, memory_max=memory_max)
        settled = convert(data, SV1, to_uid, wanted).settle(wanted)
        assert settled.settled
        assert b"".join(settled) == b"".join(settled) == converted(data, SV1, to_uid)
    assert list(tmp_path.iterdir()) == []
