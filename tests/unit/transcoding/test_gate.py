"""transcoding/gate.py: claims against the Image Pixel attributes, and what a codestream is taken for."""

from __future__ import annotations

import struct
import time

import imagecodecs
import pydicom
import pytest
from pydicom.encaps import generate_frames

from fastdicom.errors import CodecError
from fastdicom.transcoding import codecs, gate
from fastdicom.transcoding.gate import ImageAttributes
from tests.support import jpeg2000_reference as j2k
from tests.support import jpeg_reference as jpeg
from tests.support.images import IMAGES
from tests.support.shared_data import manifest, shared_data

BASELINE, SV1 = codecs.JPEG_BASELINE, codecs.JPEG_LOSSLESS_SV1
PIXELS, IMAGE = IMAGES["8 bits"]
COLOUR, COLOUR_IMAGE = IMAGES["RGB"]
LOSSLESS = jpeg.encode(jpeg.noise(4, 5, 1, 8), jpeg.Options(8, 4))
SMALL = ImageAttributes(4, 5)


def test_lossless_jpeg_is_described() -> None:
    found = gate.inspect(SV1, LOSSLESS + b"\0", SMALL)
    assert found == gate.Codestream(
        "jpeg-lossless", 4, 5, 1, 8, False, True, "as-described", 0, len(LOSSLESS), True, 0xC3, 4
    )


@pytest.mark.parametrize(
    "image",
    [
        SMALL._replace(rows=5),
        SMALL._replace(columns=4),
        SMALL._replace(samples_per_pixel=3),
        SMALL._replace(samples_per_pixel=2),
        SMALL._replace(rows=0),
        SMALL._replace(columns=65536),
        SMALL._replace(bits_allocated=12),
        SMALL._replace(bits_stored=9),
        SMALL._replace(rows=65535, columns=65535),
    ],
)
def test_an_image_that_does_not_fit_is_refused(image: ImageAttributes) -> None:
    with pytest.raises(CodecError):
        gate.inspect(SV1, LOSSLESS, image)


def test_precision_above_bits_allocated_is_refused() -> None:
    data = jpeg.encode(jpeg.noise(4, 5, 1, 12), jpeg.Options(12))
    assert gate.inspect(SV1, data, SMALL._replace(bits_allocated=16)).precision == 12
    with pytest.raises(CodecError, match="12 bits precision"):
        gate.inspect(SV1, data, SMALL)


def test_16_bit_precision_over_12_bit_data_is_let_through() -> None:
    data = jpeg.encode(jpeg.noise(4, 5, 1, 12), jpeg.Options(16))
    assert gate.inspect(SV1, data, SMALL._replace(bits_allocated=16, bits_stored=12)).precision == 16


def test_a_jpeg_of_another_process_is_taken_for_what_it_is() -> None:
    """sample-op.dcm and others have baseline in a lossless transfer syntax."""
    data = imagecodecs.jpeg8_encode(PIXELS, level=90)
    found = gate.inspect(SV1, data, IMAGE)
    assert (found.coding, found.process, found.lossless) == ("jpeg", gate.BASELINE, False)


@pytest.mark.parametrize(
    ("syntax", "data"),
    [
        (codecs.JPEG_LS_LOSSLESS, LOSSLESS),
        (codecs.JPEG_2000_LOSSLESS, LOSSLESS),
        (codecs.RLE_LOSSLESS, LOSSLESS),
        (SV1, j2k.codestream(j2k.Image(rows=4, columns=5, tile=(5, 4)))),
        ("1.2.840.10008.1.2.4.110", LOSSLESS),
        ("1.2.840.10008.1.2.1", LOSSLESS),
    ],
)
def test_a_codestream_of_another_family_is_refused(syntax: str, data: bytes) -> None:
    with pytest.raises(CodecError):
        gate.inspect(syntax, data, SMALL)


@pytest.mark.parametrize("marker", [0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_hierarchical_and_arithmetic_processes_are_refused_by_name(marker: int) -> None:
    with pytest.raises(CodecError, match=f"SOF{marker - 0xC0}|scan"):
        gate.inspect(SV1, LOSSLESS.replace(b"\xff\xc3", bytes([0xFF, marker])), SMALL)


def test_a_missing_end_is_let_through_for_lossless_jpeg_only() -> None:
    assert gate.inspect(SV1, LOSSLESS[:-2], SMALL).whole is False
    with pytest.raises(CodecError, match="end of the codestream"):
        gate.inspect(BASELINE, imagecodecs.jpeg8_encode(PIXELS)[:-2], IMAGE)


def test_too_few_bytes_for_the_image_are_refused() -> None:
    codes = LOSSLESS.index(b"\xff\xda") + 10
    with pytest.raises(CodecError, match="least"):
        gate.inspect(SV1, LOSSLESS[: codes + 1] + b"\xff\xd9", SMALL)
    frame = struct.pack(">BHHB", 8, 9000, 9000, 1) + b"\x01\x11\x00"
    scan = jpeg.segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + b"\x00" * 30
    huge = b"\xff\xd8" + jpeg.segment(0xF7, frame) + scan + b"\xff\xd9"
    with pytest.raises(CodecError, match="least"):
        gate.inspect(codecs.JPEG_LS_LOSSLESS, huge, ImageAttributes(9000, 9000))


def test_the_header_of_a_bomb_is_refused_in_no_time() -> None:
    """Class 13: 1.5 KB of JPEG-LS that declare 65,500 x 65,500, with a Data Set that agrees."""
    frame = struct.pack(">BHHB", 8, 65500, 65500, 1) + b"\x01\x11\x00"
    scan = jpeg.segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + b"\x00" * 1500
    bomb = b"\xff\xd8" + jpeg.segment(0xF7, frame) + scan + b"\xff\xd9"
    begin = time.perf_counter()
    with pytest.raises(CodecError, match="ceiling"):
        gate.inspect(codecs.JPEG_LS_LOSSLESS, bomb, ImageAttributes(65500, 65500))
    with pytest.raises(CodecError, match="the least"):
        gate.inspect(codecs.JPEG_LS_LOSSLESS, bomb, ImageAttributes(512, 512))
    assert time.perf_counter() - begin < 0.05


@pytest.mark.parametrize(
    ("options", "photometric", "colour"),
    [
        ({"subsampling": "422"}, "YBR_FULL_422", "ybr"),
        ({"subsampling": "422"}, "RGB", "rgb"),  # as DCMTK, GDCM and pydicom
        ({"colorspace": "RGB", "outcolorspace": "RGB"}, "RGB", "rgb"),
        ({"colorspace": "RGB", "outcolorspace": "RGB"}, "YBR_FULL", "rgb"),  # Adobe's marker says it
        ({"subsampling": "444"}, "YBR_FULL", "ybr"),
    ],
)
def test_colour_is_decided(options: dict[str, str], photometric: str, colour: str) -> None:
    data = imagecodecs.jpeg8_encode(COLOUR, level=90, **options)
    image = COLOUR_IMAGE._replace(photometric_interpretation=photometric)
    assert gate.inspect(BASELINE, data, image).colour == colour


def test_sampling_of_chroma_up_to_two_is_let_through() -> None:
    for subsampling in ("444", "422", "420", "440"):
        data = imagecodecs.jpeg8_encode(COLOUR, subsampling=subsampling)
        assert gate.inspect(BASELINE, data, COLOUR_IMAGE).samples == 3
    quarter = imagecodecs.jpeg8_encode(COLOUR, subsampling="411")
    with pytest.raises(CodecError, match="sampled"):
        gate.inspect(BASELINE, quarter, COLOUR_IMAGE)


def test_four_components_are_let_through_as_samples_only() -> None:
    data = jpeg.encode(jpeg.noise(4, 5, 4, 8), jpeg.Options(8))
    four = SMALL._replace(samples_per_pixel=4, photometric_interpretation="ARGB")
    assert gate.inspect(SV1, data, four).samples == 4
    scan = b"\xff\xda\x00\x0e\x04\x01\x00\x02\x00\x03\x00\x04\x00"
    assert data.count(scan + b"\x01\x00\x00") == 1
    baseline = data.replace(b"\xff\xc3", b"\xff\xc0").replace(scan + b"\x01\x00\x00", scan + b"\x00\x3f\x00")
    with pytest.raises(CodecError, match="four components"):
        gate.inspect(BASELINE, baseline, four)


def test_a_jp2_file_is_narrowed_to_its_codestream() -> None:
    inner = j2k.codestream(j2k.Image())
    found = gate.inspect(codecs.JPEG_2000_LOSSLESS, j2k.jp2(inner), ImageAttributes(64, 80))
    assert j2k.jp2(inner)[found.start : found.end] == inner


def test_signedness_and_loss_of_jpeg_2000_are_told() -> None:
    data = j2k.codestream(j2k.Image(precision=12, signed=True, wavelet=0))
    found = gate.inspect(codecs.JPEG_2000, data, ImageAttributes(64, 80, 1, 16, 12, 1))
    assert (found.signed, found.lossless, found.precision) == (True, False, 12)


@pytest.mark.parametrize(
    ("segments", "image"),
    [
        (1, ImageAttributes(4, 5, 1, 16, 16)),
        (3, ImageAttributes(4, 5, 1, 16, 16)),
        (2, ImageAttributes(400, 500, 1, 16, 16)),
    ],
)
def test_rle_that_cannot_fill_the_image_is_refused(segments: int, image: ImageAttributes) -> None:
    offsets = [64 + 10 * i for i in range(segments)]
    header = struct.pack("<16I", segments, *offsets, *[0] * (15 - segments))
    with pytest.raises(CodecError):
        gate.inspect(codecs.RLE_LOSSLESS, header + bytes(40), image)


BROKEN_ON_PURPOSE = {"odd/JPEG2000-embedded-sequence-delimiter.dcm"}
"""SIZ of this one holds FFFE,E0DD and announces 4,292,730,882 tiles: no decoder takes it either."""


def test_every_compressed_file_passes_the_gate() -> None:
    shared_data()
    seen = 0
    for row in manifest():
        if row.transfer_syntax_uid not in gate.DECODABLE:
            continue
        dataset = pydicom.dcmread(row.path, force=True)
        if "PixelData" not in dataset:
            continue
        image = image_of(dataset)
        count = int(dataset.get("NumberOfFrames", 1) or 1)
        for frame in generate_frames(dataset.PixelData, number_of_frames=count):
            if row.name in BROKEN_ON_PURPOSE:
                with pytest.raises(CodecError):
                    gate.inspect(row.transfer_syntax_uid, frame, image)
            else:
                gate.inspect(row.transfer_syntax_uid, frame, image)
            seen += 1
    assert seen > 300


def image_of(dataset: pydicom.Dataset) -> ImageAttributes:
    return ImageAttributes(
        dataset.Rows,
        dataset.Columns,
        dataset.SamplesPerPixel,
        dataset.BitsAllocated,
        dataset.BitsStored,
        dataset.PixelRepresentation,
        dataset.PhotometricInterpretation,
        dataset.get("PlanarConfiguration", 0),
    )
