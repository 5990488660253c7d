"""The gate: whatever bytes come, a description that lies inside them or an error that names a place in them.

python -m tests.fuzz codestream; see docs/fuzzing.md.
"""

from __future__ import annotations

import struct

from fastdicom.errors import CodecError
from fastdicom.kernels import codestream
from fastdicom.transcoding import gate
from fastdicom.transcoding.gate import ImageAttributes
from tests.support import jpeg2000_reference as j2k
from tests.support import jpeg_reference as jpeg

IMAGES = (ImageAttributes(4, 5), ImageAttributes(64, 80, 3, 8, 8, 0, "RGB"))
SYNTAXES = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", gate.RLE_LOSSLESS)


def one_input(data: bytes) -> None:
    """Each reader, and the gate around them, for two images."""
    for reader, end in ((codestream.read_jpeg, 14), (codestream.read_jpeg2000, 1)):
        try:
            found = reader(data)
        except CodecError as error:
            assert error.offset is not None
            assert 0 <= error.offset <= len(data)
        else:
            assert 0 < found[end] <= len(data)
    try:
        offsets = codestream.read_rle(data)
    except CodecError:
        pass
    else:
        assert all(64 <= offset < len(data) for offset in offsets)
    for image in IMAGES:
        for syntax in SYNTAXES:
            try:
                described = gate.inspect(syntax, data, image)
            except CodecError:
                continue
            assert (described.rows, described.columns) == (image.rows, image.columns)
            assert 0 <= described.start < described.end <= len(data)


def seeds() -> list[bytes]:
    scan = jpeg.segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + b"\x55\xff\x00\x55"
    frame = struct.pack(">BHHB", 8, 4, 5, 1) + b"\x01\x11\x00"
    preset = jpeg.segment(0xF8, b"\x01\x00\xff\x00\x03\x00\x07\x00\x15\x00\x40")
    colour = struct.pack(">BHHB", 8, 64, 80, 3) + b"\x01\x22\x00\x02\x11\x01\x03\x11\x01"
    baseline = jpeg.segment(0xDB, bytes(65)) + jpeg.segment(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x01")
    colour_scan = jpeg.segment(0xDA, b"\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00") + b"\x55" * 60
    colour_image = j2k.Image(components=3, transform=1, tile=(40, 32), tiles=(0, 1, 2, 3))
    return [
        jpeg.encode(jpeg.noise(4, 5, 1, 8), jpeg.Options(8, 3, restart_lines=1, fill=True)),
        jpeg.encode(jpeg.noise(4, 5, 3, 8), jpeg.Options(8, interleaved=False, line_count="dnl")),
        b"\xff\xd8" + jpeg.segment(0xC2, frame) + scan * 3 + b"\xff\xd9",
        b"\xff\xd8" + jpeg.segment(0xF7, frame) + preset + scan + b"\xff\xd9",
        b"\xff\xd8" + baseline + jpeg.segment(0xC0, colour) + colour_scan + b"\xff\xd9",
        j2k.codestream(j2k.Image()),
        j2k.codestream(colour_image, tile_header=j2k.cod(j2k.Image(components=3))),
        j2k.jp2(j2k.codestream(j2k.Image(components=3, levels=1, precincts=b"\x77\x88"))),
        j2k.codestream(j2k.Image(style=0x40, cap=1 << 17)),
        struct.pack("<16I", 3, 64, 70, 80, *[0] * 12) + bytes(40),
    ]
