"""ext/codestream.pyx: what encoders write is read right, what attackers write is refused with its place."""

from __future__ import annotations

import random
import struct
import time

import imagecodecs
import numpy
import pytest

from fastdicom.errors import CodecError
from fastdicom.kernels import codestream
from tests.support import jpeg2000_reference as j2k
from tests.support import jpeg_reference as jpeg
from tests.support.jpeg2000_reference import Image

GREY = (numpy.add.outer(numpy.arange(64), numpy.arange(80)) * 20 % 4096).astype("<u2")
COLOUR = numpy.stack([(GREY >> 4).astype("u1")] * 3, axis=-1)
SEGMENTS = struct.pack("<16I", 2, 64, 70, *[0] * 13)


def jpeg_segment(marker: int, content: bytes) -> bytes:
    return jpeg.segment(marker, content)


# ---- real encoders -----------------------------------------------------------------------------------------


def test_baseline_colour_is_described() -> None:
    data = imagecodecs.jpeg8_encode(COLOUR, level=90, subsampling="422")
    found = codestream.read_jpeg(data)
    assert found[:7] == (0xC0, 8, 64, 80, b"\x01\x02\x03", ((2, 1), (1, 1), (1, 1)), 1)
    assert found[7:9] == (True, -1)
    assert found[14:] == (len(data), True)


def test_adobe_colour_is_described() -> None:
    data = imagecodecs.jpeg8_encode(COLOUR, level=90, colorspace="RGB", outcolorspace="RGB")
    assert codestream.read_jpeg(data)[7:9] == (False, 0)


def test_extended_and_lossless_are_described() -> None:
    assert codestream.read_jpeg(imagecodecs.jpeg8_encode(GREY, bitspersample=12))[:4] == (0xC1, 12, 64, 80)
    data = jpeg.encode(jpeg.noise(5, 6, 3, 12), jpeg.Options(12, 5, 2, 1, False))
    found = codestream.read_jpeg(data)
    assert found[:4] == (0xC3, 12, 5, 6)
    assert (found[6], found[9], found[10], found[12]) == (3, 6, 5, 2)  # scans, restart, predictor, shift


def test_jpeg_ls_is_described() -> None:
    jpeg_ls = pytest.importorskip("jpeg_ls")
    data = bytes(jpeg_ls.encode_buffer(GREY.tobytes(), 64, 80, 1, 12, 3))
    found = codestream.read_jpeg(data)
    assert found[:4] == (0xF7, 12, 64, 80)
    assert found[10:12] == (3, 0)
    colour = bytes(jpeg_ls.encode_buffer(COLOUR.tobytes(), 64, 80, 3, 8, 0, 2))
    assert codestream.read_jpeg(colour)[10:12] == (0, 2)


def test_jpeg_2000_is_described() -> None:
    data = imagecodecs.jpeg2k_encode(GREY, codecformat="J2K", reversible=True, bitspersample=12)
    found = codestream.read_jpeg2000(data)
    assert found[:7] == (0, len(data), 64, 80, 1, 12, False)
    assert found[11:] == (0, True, False, 0, True)
    signed = imagecodecs.jpeg2k_encode((GREY - 2048).astype("<i2"), codecformat="J2K", reversible=True)
    assert codestream.read_jpeg2000(signed)[6] is True
    lossy = imagecodecs.jpeg2k_encode(COLOUR, codecformat="J2K", level=40, colorspace="RGB")
    assert codestream.read_jpeg2000(lossy)[11:13] == (1, False)
    tiled = imagecodecs.htj2k_encode(GREY, reversible=True, tile=(32, 32))
    assert codestream.read_jpeg2000(tiled)[7] == 6


def test_a_jp2_file_is_opened() -> None:
    data = imagecodecs.jpeg2k_encode(COLOUR, codecformat="JP2", reversible=True, colorspace="RGB")
    start, end, *found = codestream.read_jpeg2000(data)
    assert data[start : start + 2] == b"\xff\x4f"
    assert data[end - 2 : end] == b"\xff\xd9"
    assert found[12] == 16
    assert codestream.read_jpeg2000(data[start:end])[2:14] == tuple(found[:12])


def test_high_throughput_is_described() -> None:
    data = imagecodecs.htj2k_encode(GREY, reversible=True, tlm=True)
    found = codestream.read_jpeg2000(data)
    assert found[1:7] == (len(data), 64, 80, 1, 16, False)
    assert found[10:15] == (2, 0, True, True, 0)


def test_rle_offsets_are_returned() -> None:
    assert codestream.read_rle(SEGMENTS + bytes(20)) == (64, 70)


# ---- JPEG: lies --------------------------------------------------------------------------------------------

PLAIN = jpeg.encode(jpeg.noise(4, 5, 1, 8), jpeg.Options(8))
FRAME = b"\xff\xc3\x00\x0b\x08\x00\x04\x00\x05\x01\x01\x11\x00"
SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x01\x00\x00"


def with_frame(frame: bytes) -> bytes:
    assert PLAIN.count(FRAME) == 1
    return PLAIN.replace(FRAME, frame)


def with_scan(scan: bytes) -> bytes:
    assert PLAIN.count(SCAN) == 1
    return PLAIN.replace(SCAN, scan)


def progressive(scans: int) -> bytes:
    """A progressive image that refines one coefficient again and again."""
    one = jpeg_segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + b"\x55"
    return b"\xff\xd8" + b"\xff\xc2" + FRAME[2:] + one * scans + b"\xff\xd9"


def frame_of(components: int, length: int | None = None) -> bytes:
    content = struct.pack(">BHHB", 8, 4, 5, components & 255) + b"\x01\x11\x00" * components
    return b"\xff\xc3" + struct.pack(">H", len(content) + 2 if length is None else length) + content


JPEG_LIES = {
    "empty": b"",
    "SOI only": b"\xff\xd8",
    "no SOI": b"\xff\xd9" + PLAIN,
    "SOI and EOI": b"\xff\xd8\xff\xd9",
    "TEM in the header": with_frame(b"\xff\x01" + FRAME),
    "TEM instead of tables": PLAIN[:2] + b"\xff\x01" * 1000,
    "restart marker in the header": with_frame(b"\xff\xd3" + FRAME),
    "reserved marker": with_frame(b"\xff\x02\x00\x02" + FRAME),
    "a second SOI": with_frame(b"\xff\xd8" + FRAME),
    "no marker": with_frame(b"\x00" + FRAME),
    "length 0": with_frame(b"\xff\xe0\x00\x00" + FRAME),
    "length 1": with_frame(b"\xff\xe0\x00\x01" + FRAME),
    "length past the end": with_frame(b"\xff\xe0\xff\xff" + FRAME),
    "hierarchical": with_frame(b"\xff\xde" + FRAME[2:] + FRAME),
    "two frames": with_frame(FRAME + FRAME),
    "no columns": with_frame(FRAME.replace(b"\x00\x05", b"\x00\x00")),
    "no components": with_frame(frame_of(0)),
    "255 components": with_frame(frame_of(255)),
    "components that are not there": with_frame(FRAME[:9] + b"\x03" + FRAME[10:]),
    "precision 17": with_frame(FRAME.replace(b"\x08\x00\x04", b"\x11\x00\x04")),
    "sampling 0": with_frame(FRAME.replace(b"\x01\x11", b"\x01\x01")),
    "sampling 5": with_frame(FRAME.replace(b"\x01\x11", b"\x01\x51")),
    "scan before the frame": PLAIN[:2] + SCAN + PLAIN[2:],
    "scan of an unknown component": with_scan(SCAN.replace(b"\x01\x01\x00", b"\x01\x02\x00")),
    "scan of no component": with_scan(b"\xff\xda\x00\x06\x00\x01\x00\x00"),
    "scan of five components": with_scan(b"\xff\xda\x00\x10\x05" + b"\x01\x00" * 5 + b"\x01\x00\x00"),
    "predictor 9": with_scan(SCAN.replace(b"\x00\x01\x00\x00", b"\x00\x09\x00\x00")),
    "the same scan twice": PLAIN[:-2] + SCAN + b"\x55\x55\xff\xd9",
    "table with too many codes": with_scan(jpeg_segment(0xC4, b"\x00\x03" + bytes(15) + b"abc") + SCAN),
    "table without its symbols": with_scan(jpeg_segment(0xC4, bytes(16) + b"\xff") + SCAN),
    "table for no destination": with_scan(jpeg_segment(0xC4, b"\x04" + bytes(16)) + SCAN),
    "quantization cut": with_scan(jpeg_segment(0xDB, b"\x00" + bytes(63)) + SCAN),
    "unannounced restart": PLAIN[:-4] + b"\xff\xd0" + PLAIN[-4:],
    "restart interval of 6 bytes": with_scan(b"\xff\xdd\x00\x06\x00\x00\x00\x05" + SCAN),
    "line count before the scan": with_scan(b"\xff\xdc\x00\x04\x00\x04" + SCAN),
    "another line count": PLAIN[:-2] + b"\xff\xdc\x00\x04\x00\x05\xff\xd9",
    "10,000 scans": progressive(10_000),
    "details before means": b"\xff\xd8\xff\xc2" + FRAME[2:]
    + jpeg_segment(0xDA, b"\x01\x01\x00\x01\x05\x00") + b"\x55\xff\xd9",
}  # fmt: skip


@pytest.mark.parametrize("name", JPEG_LIES)
def test_jpeg_lies_are_refused_with_their_place(name: str) -> None:
    codestream.read_jpeg(PLAIN)
    begin = time.perf_counter()
    with pytest.raises(CodecError) as caught:
        codestream.read_jpeg(JPEG_LIES[name])
    assert time.perf_counter() - begin < 0.1
    assert caught.value.offset is not None
    assert 0 <= caught.value.offset <= len(JPEG_LIES[name])


def test_scans_are_counted_up_to_the_ceiling() -> None:
    assert codestream.read_jpeg(progressive(100))[6] == 100
    with pytest.raises(CodecError, match="more scans"):
        codestream.read_jpeg(progressive(101))
    assert codestream.read_jpeg(progressive(200), scans_max=200)[6] == 200


def test_restart_markers_have_to_be_in_order() -> None:
    data = jpeg.encode(jpeg.noise(12, 5, 1, 8), jpeg.Options(8, restart_lines=1))
    assert codestream.read_jpeg(data)[9] == 5
    with pytest.raises(CodecError, match="out of order"):
        codestream.read_jpeg(data.replace(b"\xff\xd1", b"\xff\xd2"))


def test_sequential_scans_with_zeros_are_tolerated() -> None:
    data = imagecodecs.jpeg8_encode(GREY, bitspersample=12)
    assert codestream.read_jpeg(data.replace(b"\x00\x3f\x00", b"\x00\x00\x00"))[0] == 0xC1


JPEG_LS = b"\xff\xd8\xff\xf7" + FRAME[2:]
JPEG_LS_SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00\x55\xff\x7f\xff\xd9"
JPEG_LS_LIES = {
    "mapping table": jpeg_segment(0xF8, b"\x02\x01\x01" + bytes(8)),
    "oversize image": jpeg_segment(0xF8, b"\x04\x02" + bytes(8)),
    "short parameters": jpeg_segment(0xF8, b"\x01" + bytes(9)),
    "empty parameters": jpeg_segment(0xF8, b""),
    "thresholds out of order": jpeg_segment(0xF8, b"\x01\x00\xff\x00\x09\x00\x03\x00\x15\x00\x40"),
    "threshold above MAXVAL": jpeg_segment(0xF8, b"\x01\x00\x0f\x00\x03\x00\x07\x00\x15\x00\x40"),
}


@pytest.mark.parametrize("name", JPEG_LS_LIES)
def test_jpeg_ls_lies_are_refused(name: str) -> None:
    good = jpeg_segment(0xF8, b"\x01\x00\xff\x00\x03\x00\x07\x00\x15\x00\x40")
    assert codestream.read_jpeg(JPEG_LS + good + JPEG_LS_SCAN)[0] == 0xF7
    with pytest.raises(CodecError):
        codestream.read_jpeg(JPEG_LS + JPEG_LS_LIES[name] + JPEG_LS_SCAN)


# ---- JPEG 2000: lies ---------------------------------------------------------------------------------------

WHOLE = j2k.codestream(Image())
HT_STYLE, HT_CAPABILITY = 0x40, 1 << 17

JPEG_2000_LIES = {
    "empty": b"",
    "no SOC": b"\xff\x4e" + WHOLE[2:],
    "no SIZ": WHOLE[:2] + WHOLE[2 + len(j2k.siz(Image())) :],
    "empty image": j2k.codestream(Image(rows=0)),
    "image of 2^32 columns": WHOLE.replace(struct.pack(">II", 80, 64), b"\xff" * 8, 1),
    "image of 65,536 rows": j2k.codestream(Image(rows=65536, tile=(80, 65536))),
    "tiles of 0": j2k.codestream(Image(tile=(0, 64))),
    "tiles of 1 x 1": j2k.codestream(Image(rows=2000, columns=2000, tile=(1, 1))),
    "tile offset behind the image": j2k.codestream(Image(tile_offset=(1, 0))),
    "first tile outside": j2k.codestream(Image(offset=(100, 0), tile_offset=(0, 0), tile=(50, 64))),
    "16,384 components": j2k.codestream(Image(components=16384)),
    "no component": j2k.codestream(Image(components=0)),
    "38 bits": j2k.codestream(Image(precision=38)),
    "different precision": j2k.codestream(Image(components=3)).replace(
        b"\x07\x01\x01\xff\x52", b"\x08\x01\x01\xff\x52"
    ),
    "subsampled": j2k.codestream(Image(subsampling=(2, 2))),
    "Part 2": j2k.codestream(Image(capabilities=0x8000)),
    "Part 2 marker": WHOLE.replace(j2k.qcd(Image()), j2k.qcd(Image()) + b"\xff\x74\x00\x02"),
    "33 levels": j2k.codestream(Image(levels=33)),
    "block of 2^12 wide": j2k.codestream(Image(block=(10, 0))),
    "block of 2^13 samples": j2k.codestream(Image(block=(5, 4))),
    "wavelet 2": j2k.codestream(Image(wavelet=2)),
    "no layer": j2k.codestream(Image(layers=0)),
    "65,535 layers": j2k.codestream(Image(layers=65535, components=3)),
    "progression 5": j2k.codestream(Image(progression=5)),
    "transform of one component": j2k.codestream(Image(transform=1)),
    "precincts of one sample": j2k.codestream(Image(levels=1, precincts=b"\xff\x00")),
    "tiny precincts": j2k.codestream(
        Image(rows=60000, columns=60000, tile=(60000, 60000), levels=1, precincts=b"\x11\x11")
    ),
    "tiny blocks": j2k.codestream(Image(rows=60000, columns=60000, tile=(60000, 60000), block=(0, 0))),
    "HT without CAP": j2k.codestream(Image(style=HT_STYLE)),
    "another extension": j2k.codestream(Image(cap=1 << 18)),
    "COD missing": WHOLE.replace(j2k.cod(Image()), b""),
    "QCD missing": WHOLE.replace(j2k.qcd(Image()), b""),
    "COC before COD": WHOLE.replace(j2k.cod(Image()), b"\xff\x53\x00\x09\x00\x00\x05\x04\x04\x00\x01"),
    "COC of component 9": WHOLE.replace(j2k.qcd(Image()), b"\xff\x53\x00\x09\x09\x00\x05\x04\x04\x00\x01"),
    "QCC of component 9": WHOLE.replace(j2k.qcd(Image()), b"\xff\x5d\x00\x05\x09\x40\x40" + j2k.qcd(Image())),
    "segment of length 0": WHOLE.replace(j2k.qcd(Image()), b"\xff\x5c\x00\x00"),
    "segment past the end": WHOLE.replace(j2k.qcd(Image())[:4], b"\xff\x5c\xff\xff"),
    "no marker": WHOLE.replace(j2k.qcd(Image()), b"\x00\x00"),
    "tile 7 of 1": j2k.codestream(Image(tiles=(7,))),
    "tile twice": j2k.codestream(Image(tiles=(0, 0))),
    "tile missing": j2k.codestream(Image(tile=(40, 64))),
    "no tile": j2k.codestream(Image(tiles=())),
    "tile-part of 5 bytes": WHOLE.replace(struct.pack(">IBB", 54, 0, 1), struct.pack(">IBB", 5, 0, 1)),
    "tile-part past the end": WHOLE.replace(struct.pack(">IBB", 54, 0, 1), struct.pack(">IBB", 5400, 0, 1)),
    "tile-part 1 first": WHOLE.replace(struct.pack(">IBB", 54, 0, 1), struct.pack(">IBB", 54, 1, 0)),
    "tile header without end": j2k.codestream(Image(), tile_header=b"\xff\x64\x00\x40"),
    "second SIZ in a tile": j2k.codestream(Image(), tile_header=j2k.siz(Image())),
    "tiny blocks in a tile": j2k.codestream(
        Image(rows=60000, columns=60000, tile=(60000, 60000)), tile_header=j2k.cod(Image(block=(0, 0)))
    ),
    "HT in a tile only": j2k.codestream(Image(), tile_header=j2k.cod(Image(style=HT_STYLE))),
    "box cut": j2k.jp2(WHOLE)[:10],
    "box past the end": j2k.jp2(WHOLE).replace(b"\0\0\0\x14ftyp", b"\0\0\1\x14ftyp"),
    "box of 4 bytes": j2k.jp2(WHOLE).replace(b"\0\0\0\x14ftyp", b"\0\0\0\x04ftyp"),
    "box of 2^64": j2k.jp2(WHOLE).replace(b"\0\0\0\x14ftyp", b"\0\0\0\x01ftyp" + b"\xff" * 8),
    "no codestream box": j2k.jp2(WHOLE).replace(b"jp2c", b"jp2d"),
    "palette": j2k.jp2(WHOLE, j2k.box(b"pclr", bytes(8))),
    "inner box larger": j2k.jp2(WHOLE, j2k.box(b"colr", bytes(8), 200)),
}  # fmt: skip


@pytest.mark.parametrize("name", JPEG_2000_LIES)
def test_jpeg_2000_lies_are_refused_with_their_place(name: str) -> None:
    data = JPEG_2000_LIES[name]
    assert data not in (WHOLE, j2k.jp2(WHOLE))
    begin = time.perf_counter()
    with pytest.raises(CodecError) as caught:
        codestream.read_jpeg2000(data)
    assert time.perf_counter() - begin < 0.1
    assert caught.value.offset is not None
    assert 0 <= caught.value.offset <= len(data)


@pytest.mark.parametrize(
    "image",
    [
        Image(),
        Image(components=3, transform=1),
        Image(tile=(40, 32), tiles=(3, 0, 2, 1)),
        Image(offset=(7, 9), tile=(87, 73)),
        Image(levels=0),
        Image(levels=32, layers=5),
        Image(levels=1, precincts=b"\x77\x88"),
        Image(style=HT_STYLE, cap=HT_CAPABILITY),
        Image(precision=16, signed=True, wavelet=0),
    ],
)
def test_whole_jpeg_2000_is_accepted(image: Image) -> None:
    data = j2k.codestream(image)
    found = codestream.read_jpeg2000(data + b"\0")
    assert found[:7] == (
        0,
        len(data),
        image.rows,
        image.columns,
        image.components,
        image.precision,
        image.signed,
    )
    assert found[7] == len(image.tiles)
    assert found[12:14] == (image.wavelet == 1, image.cap is not None)
    boxed = j2k.jp2(data)
    assert codestream.read_jpeg2000(boxed)[2:14] == found[2:14]


def test_a_tile_of_its_own_coding_is_described() -> None:
    header = j2k.cod(Image(wavelet=0))
    assert codestream.read_jpeg2000(j2k.codestream(Image(), tile_header=header))[12] is False


def test_a_missing_end_of_jpeg_2000_is_told() -> None:
    assert codestream.read_jpeg2000(j2k.codestream(Image(), end=b""))[15] is False


def test_the_last_tile_part_may_leave_its_length_open() -> None:
    data = WHOLE.replace(struct.pack(">IBB", 54, 0, 1), struct.pack(">IBB", 0, 0, 1))
    assert codestream.read_jpeg2000(data)[1] == len(data)


def test_tile_ceiling_is_the_callers() -> None:
    data = j2k.codestream(Image(tile=(40, 32), tiles=(0, 1, 2, 3)))
    with pytest.raises(CodecError, match="more tiles"):
        codestream.read_jpeg2000(data, tiles_max=3)


# ---- RLE ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        b"",
        bytes(63),
        bytes(100),
        struct.pack("<16I", 16, *range(64, 79)) + bytes(100),
        struct.pack("<16I", 2**32 - 1, 64, *[0] * 14) + bytes(100),
        struct.pack("<16I", 2, 64, 64, *[0] * 13) + bytes(100),
        struct.pack("<16I", 2, 70, 66, *[0] * 13) + bytes(100),
        struct.pack("<16I", 1, 63, *[0] * 14) + bytes(100),
        struct.pack("<16I", 1, 164, *[0] * 14) + bytes(100),
        struct.pack("<16I", 1, 2**32 - 1, *[0] * 14) + bytes(100),
    ],
)
def test_rle_lies_are_refused(header: bytes) -> None:
    with pytest.raises(CodecError):
        codestream.read_rle(header)


# ---- cut and mutated ---------------------------------------------------------------------------------------

WHOLE_STREAMS = [
    PLAIN,
    jpeg.encode(jpeg.noise(4, 5, 3, 8), jpeg.Options(8, 2, 0, 2, False, fill=True)),
    progressive(3),
    JPEG_LS + JPEG_LS_SCAN,
    WHOLE,
    j2k.jp2(j2k.codestream(Image(tile=(40, 32), tiles=(0, 1, 2, 3)))),
    j2k.codestream(Image(style=HT_STYLE, cap=HT_CAPABILITY)),
]


def read(data: bytes) -> int:
    """The offset behind the codestream, whichever kind it is; it lies inside the data."""
    for reader, end in ((codestream.read_jpeg, 14), (codestream.read_jpeg2000, 1)):
        try:
            found = reader(data)
        except CodecError as error:
            assert error.offset is not None
            assert 0 <= error.offset <= len(data)
        else:
            assert 0 < found[end] <= len(data)
            return int(found[end])
    return 0


@pytest.mark.parametrize("data", WHOLE_STREAMS)
def test_a_cut_anywhere_is_refused_or_told(data: bytes) -> None:
    assert read(data)
    for length in range(len(data)):
        if read(data[:length]):
            reader = codestream.read_jpeg if data[1] == 0xD8 else codestream.read_jpeg2000
            assert reader(data[:length])[15] is False  # no end marker


def test_mutations_are_read_or_refused_in_no_time() -> None:
    rng = random.Random(3)
    begin = time.perf_counter()
    for _ in range(50_000):
        data = bytearray(rng.choice(WHOLE_STREAMS))
        for _ in range(rng.randint(1, 5)):
            data[rng.randrange(len(data))] = rng.choice((rng.randrange(256), 0, 0xFF, 0x01, 0xD8, 0x90))
        read(bytes(data))
    assert time.perf_counter() - begin < 20
