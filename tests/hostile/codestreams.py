"""Codestreams and Pixel Data of THREATS classes 10 to 14: each lies in another way."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import NamedTuple

from fastdicom.transcoding import codecs
from fastdicom.transcoding.gate import ImageAttributes
from tests.support import jpeg2000_reference as j2k
from tests.support import jpeg_reference as jpeg
from tests.support.jpeg_reference import segment
from tests.support.rawelements import explicit, instance

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
SMALL = ImageAttributes(4, 5)
HUGE = ImageAttributes(65500, 65500)


class Hostile(NamedTuple):
    """One frame. threat: its class. image: what the Data Set claims beside it."""

    threat: int
    name: str
    syntax: str
    data: bytes
    image: ImageAttributes = SMALL


def _sof(marker: int, rows: int, columns: int, components: int = 1, precision: int = 8) -> bytes:
    table = b"".join(bytes([number & 0xFF, 0x11, 0]) for number in range(components))
    return segment(marker, struct.pack(">BHHB", precision, rows, columns, components & 0xFF) + table)


def _scan(components: int = 1, body: bytes = bytes(20)) -> bytes:
    selectors = b"".join(bytes([number & 0xFF, 0]) for number in range(components))
    return segment(0xDA, bytes([components & 0xFF]) + selectors + b"\0\x3f\0") + body


GOOD_JPEG = jpeg.encode(jpeg.noise(4, 5, 1, 8), jpeg.Options(8, 4))
GOOD_RLE = codecs.encode_frame(codecs.RLE_LOSSLESS, bytes(range(256)), ImageAttributes(16, 16))


def _rle(*header: int, body: bytes = b"\x03abcd") -> bytes:
    return struct.pack("<16I", *(header + (0,) * 16)[:16]) + body


def geometry() -> Iterator[Hostile]:
    """Class 10: the Image Pixel module."""
    images = {
        "65535 x 65535 of 16 bits": ImageAttributes(65535, 65535, 1, 16, 16),
        "65535 x 65535 in colour": ImageAttributes(65535, 65535, 3, 16, 16),
        "no rows": ImageAttributes(0, 5),
        "rows of 32 bits": ImageAttributes(1 << 31, 1 << 31),
        "2^31 samples a pixel": ImageAttributes(4, 5, 1 << 31),
        "bits stored above bits allocated": ImageAttributes(4, 5, 1, 8, 12),
        "7 bits allocated": ImageAttributes(4, 5, 1, 7, 7),
        "65528 bits allocated": ImageAttributes(4, 5, 1, 65528, 8),
        "negative": ImageAttributes(-4, -5),
    }
    for name, image in images.items():
        yield Hostile(10, f"{name}, JPEG", codecs.JPEG_LOSSLESS_SV1, GOOD_JPEG, image)
        yield Hostile(10, f"{name}, RLE", codecs.RLE_LOSSLESS, GOOD_RLE, image)


def rle() -> Iterator[Hostile]:
    """Class 11."""
    frames = {
        "15 segments": _rle(15, 64),
        "16 segments": _rle(16, 64),
        "2^32-1 segments": _rle(0xFFFFFFFF, 64),
        "no segment": _rle(0),
        "an offset behind the end": _rle(1, 0x7FFFFFFF),
        "an offset of 2^32-1": _rle(1, 0xFFFFFFFF),
        "an offset in the header": _rle(1, 8),
        "descending offsets": _rle(2, 80, 64, body=bytes(40)),
        "a literal past the end": _rle(1, 64, body=b"\x7fab"),
        "a run past the end": _rle(1, 64, body=b"\x81"),
        "runs past the image": _rle(1, 64, body=b"\x81a" * 4000),
        "too little for the image": _rle(1, 64, body=b"\x00a"),
        "two bytes": b"\x01\x00",
        "nothing": b"",
    }
    yield from (Hostile(11, name, codecs.RLE_LOSSLESS, data) for name, data in frames.items())
    chance = random.Random(11)
    for number in range(25):
        data = bytearray(GOOD_RLE)
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        image = ImageAttributes(16, 16)
        yield Hostile(11, f"mutant {number}", codecs.RLE_LOSSLESS, bytes(data), image)


def jpegs() -> Iterator[Hostile]:
    """Class 12."""
    one = _sof(0xC2, 64, 64)
    progressive = b"".join(_scan(body=b"\x01\x02") for _ in range(10_000))
    frames = {
        "TEM markers": (SOI + b"\xff\x01" * 5000 + _sof(0xC0, 4, 5) + _scan() + EOI, SMALL),
        "only TEM markers": (SOI + b"\xff\x01" * 5000, SMALL),
        "fill bytes without end": (SOI + b"\xff" * 100_000, SMALL),
        "a segment of length 0": (SOI + b"\xff\xe0\0\0" + _sof(0xC0, 4, 5) + _scan() + EOI, SMALL),
        "a segment of length 1": (SOI + b"\xff\xdb\0\1" + _sof(0xC0, 4, 5) + _scan() + EOI, SMALL),
        "65500 x 65500": (SOI + _sof(0xC0, 65500, 65500) + _scan() + EOI, HUGE),
        "65500 x 65500 in lossless JPEG": (SOI + _sof(0xC3, 65500, 65500) + _scan() + EOI, HUGE),
        "more than the Data Set says": (SOI + _sof(0xC0, 65500, 65500) + _scan() + EOI, SMALL),
        "255 components": (SOI + _sof(0xC0, 4, 5, 255) + _scan(4) + EOI, SMALL),
        "10,000 progressive scans": (SOI + one + progressive + EOI, ImageAttributes(64, 64)),
        "no scan": (SOI + _sof(0xC0, 4, 5) + EOI, SMALL),
        "no frame": (SOI + _scan() + EOI, SMALL),
        "two frames": (SOI + _sof(0xC0, 4, 5) + _sof(0xC0, 9, 9) + _scan() + EOI, SMALL),
        "cut": (GOOD_JPEG[: len(GOOD_JPEG) // 2], SMALL),
        "a Huffman table of nonsense": (
            SOI + _sof(0xC3, 4, 5) + segment(0xC4, b"\0" + b"\xff" * 16) + _scan() + EOI,
            SMALL,
        ),
    }
    for name, (data, image) in frames.items():
        yield Hostile(12, name, codecs.JPEG_BASELINE, data, image)
        yield Hostile(12, f"{name}, as lossless", codecs.JPEG_LOSSLESS_SV1, data, image)


def jpeg_ls_and_2000() -> Iterator[Hostile]:
    """Class 13."""
    ls = codecs.JPEG_LS_LOSSLESS
    head = _sof(0xF7, 65500, 65500)
    yield Hostile(13, "JPEG-LS 65500 x 65500", ls, SOI + head + _scan(body=bytes(1400)) + EOI, HUGE)
    preset = segment(0xF8, b"\x01" + struct.pack(">5H", 0, 65535, 0, 0, 0))
    yield Hostile(13, "bad LSE", ls, SOI + preset + _sof(0xF7, 4, 5) + _scan() + EOI)
    yield Hostile(13, "cut LSE", ls, SOI + b"\xff\xf8\0\xff\x01")
    big = 0xFFFFFFFF
    images = {
        "SIZ of 2^32": j2k.Image(rows=big, columns=big, tile=(big, big)),
        "1 x 1 tiles": j2k.Image(rows=4096, columns=4096, tile=(1, 1)),
        "tiles of no size": j2k.Image(tile=(0, 0)),
        "16,384 components": j2k.Image(components=16384),
        "an offset beyond the image": j2k.Image(offset=(big - 100, big - 100)),
        "32 levels of 2^32 layers": j2k.Image(levels=33, layers=65535),
        "code blocks of 2^255": j2k.Image(block=(255, 255)),
        "subsampling by 0": j2k.Image(subsampling=(0, 0)),
    }
    for name, image in images.items():
        claimed = ImageAttributes(min(image.rows, 65535), min(image.columns, 65535))
        for syntax in (codecs.JPEG_2000_LOSSLESS, codecs.HTJ2K_LOSSLESS):
            yield Hostile(13, f"{name} {syntax[-3:]}", syntax, j2k.codestream(image), claimed)
    whole = j2k.codestream(j2k.Image())
    for part in (2, 20, len(whole) // 2, len(whole) - 2):
        image_80 = ImageAttributes(64, 80)
        yield Hostile(13, f"cut at {part}", codecs.JPEG_2000_LOSSLESS, whole[:part], image_80)
    log_flood = j2k.codestream(j2k.Image(), tile_header=j2k.segment(0xFF61, b"\0") * 5000)
    yield Hostile(13, "5,000 packet headers", codecs.JPEG_2000_LOSSLESS, log_flood, ImageAttributes(64, 80))


def all_frames() -> list[Hostile]:
    """Every one of classes 10 to 13."""
    return [*geometry(), *rle(), *jpegs(), *jpeg_ls_and_2000()]


def item(data: bytes, length: int | None = None) -> bytes:
    """An Item of encapsulated Pixel Data. PS3.5 A.4."""
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(data) if length is None else length) + data


DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def pixel_data_items() -> dict[str, bytes]:
    """Class 14: values of encapsulated Pixel Data."""
    frame = item(GOOD_JPEG + b"\0" * (len(GOOD_JPEG) % 2))
    return {
        "an offset table that lies": item(struct.pack("<2I", 0xFFFFFFF0, 3)) + frame * 2 + DELIMITER,
        "an odd offset table": item(b"abc") + frame * 2 + DELIMITER,
        "a fragment of 0xFFFFFFF0 bytes": item(b"") + item(b"abcd", 0xFFFFFFF0),
        "a fragment of undefined length": item(b"") + item(b"abcd", 0xFFFFFFFF) + DELIMITER,
        "no fragment": item(b"") + DELIMITER,
        "no offset table": DELIMITER,
        "no delimiter": item(b"") + frame,
        "an odd fragment": item(b"") + item(b"abc") + DELIMITER,
        "empty fragments": item(b"") + item(b"") * 2 + DELIMITER,
        "100,000 tiny fragments": item(b"") + item(b"ab") * 100_000 + DELIMITER,
        "another tag": item(b"") + b"\x08\0\x18\0" + struct.pack("<I", 4) + b"abcd" + DELIMITER,
    }


def data_set(uids: tuple[str, str, str], sop_class: str, image: ImageAttributes, pixels: bytes) -> bytes:
    """An image of these claims around encapsulated Pixel Data, in Explicit VR Little Endian."""

    def us(tag: int, value: int) -> bytes:
        return explicit(tag, "US", struct.pack("<H", value & 0xFFFF))

    elements = [
        us(0x00280002, image.samples_per_pixel),
        explicit(0x00280004, "CS", image.photometric_interpretation),
        us(0x00280010, image.rows), us(0x00280011, image.columns),
        us(0x00280100, image.bits_allocated), us(0x00280101, image.bits_stored),
        us(0x00280102, image.bits_stored - 1), us(0x00280103, image.pixel_representation),
    ]  # fmt: skip
    return instance(uids, sop_class, [*elements, explicit(0x7FE00010, "OB", pixels, 0xFFFFFFFF)])
