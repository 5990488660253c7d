"""JPEG 2000 codestreams put together by hand, right or wrong, without a single coded packet that matters."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple


class Image(NamedTuple):
    """SIZ and COD in numbers; the defaults make a codestream that the gate accepts. T.800 A.5.1, A.6.1."""

    rows: int = 64
    columns: int = 80
    components: int = 1
    precision: int = 8
    signed: bool = False
    capabilities: int = 0
    offset: tuple[int, int] = (0, 0)
    tile: tuple[int, int] = (80, 64)
    tile_offset: tuple[int, int] = (0, 0)
    subsampling: tuple[int, int] = (1, 1)
    progression: int = 0
    layers: int = 1
    transform: int = 0
    levels: int = 5
    block: tuple[int, int] = (4, 4)
    style: int = 0
    wavelet: int = 1
    precincts: bytes = b""
    cap: int | None = None
    tiles: Sequence[int] = (0,)
    body: bytes = b"\x80" * 40


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">HH", marker, len(content) + 2) + content


def siz(image: Image) -> bytes:
    width, height = image.columns + image.offset[0], image.rows + image.offset[1]
    content = struct.pack(
        ">HIIIIIIIIH",
        image.capabilities, width, height, *image.offset, *image.tile, *image.tile_offset, image.components,
    )  # fmt: skip
    component = bytes([(image.precision - 1) | image.signed << 7, *image.subsampling])
    return segment(0xFF51, content + component * image.components)


def cod(image: Image) -> bytes:
    content = struct.pack(
        ">BBHBBBBBB",
        bool(image.precincts), image.progression, image.layers, image.transform,
        image.levels, *image.block, image.style, image.wavelet,
    )  # fmt: skip
    return segment(0xFF52, content + image.precincts)


def qcd(image: Image) -> bytes:
    return segment(0xFF5C, b"\x40" + b"\x48" * (1 + 3 * image.levels))


def tile_part(tile: int, body: bytes, header: bytes = b"", part: int = 0, parts: int = 1) -> bytes:
    length = 12 + len(header) + 2 + len(body)
    return segment(0xFF90, struct.pack(">HIBB", tile, length, part, parts)) + header + b"\xff\x93" + body


def codestream(image: Image, end: bytes = b"\xff\xd9", tile_header: bytes = b"") -> bytes:
    """SOC to EOC."""
    out = b"\xff\x4f" + siz(image)
    if image.cap is not None:
        out += segment(0xFF50, struct.pack(">IH", image.cap, 0))
    out += cod(image) + qcd(image)
    return out + b"".join(tile_part(tile, image.body, tile_header) for tile in image.tiles) + end


def box(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    """A JP2 box, with another length than its own if asked. T.800 I.4."""
    return struct.pack(">I", 8 + len(content) if length is None else length) + kind + content


def jp2(inner: bytes, header: bytes | None = None) -> bytes:
    """A JP2 file around a codestream; `header` are the boxes in jp2h."""
    if header is None:
        header = box(b"ihdr", bytes(14)) + box(b"colr", b"\x01\x00\x00" + struct.pack(">I", 16))
    signature = box(b"jP  ", b"\x0d\x0a\x87\x0a")
    return signature + box(b"ftyp", b"jp2 \0\0\0\0jp2 ") + box(b"jp2h", header) + box(b"jp2c", inner)
