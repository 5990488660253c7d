"""RLE Lossless in a few lines of Python, after PS3.5 Annex G: what the kernel is compared with."""

from __future__ import annotations

import struct
from itertools import pairwise


class Unreadable(Exception):
    """The reference cannot decode this frame at all."""


def unpack(segment: bytes, size: int) -> bytes:
    """The first `size` bytes of an unpacked segment, zeros where it ends early."""
    out, at = bytearray(), 0
    while len(out) < size and at < len(segment):
        control = segment[at]
        if control < 128:
            out += segment[at + 1 : at + 2 + control]
            at += 2 + control
        elif control > 128:
            out += segment[at + 1 : at + 2] * (257 - control)
            at += 2
        else:
            at += 1
    return bytes(out[:size]).ljust(size, b"\0")


def segments_of(frame: bytes, count: int) -> list[bytes]:
    """The segments of a frame whose header is right; Unreadable otherwise."""
    if len(frame) < 64:
        raise Unreadable("short")
    header = struct.unpack("<16I", frame[:64])
    bounds = [*header[1 : 1 + count], len(frame)]
    if header[0] != count or bounds[0] < 64 or any(a >= b for a, b in pairwise(bounds)):
        raise Unreadable("header")
    return [frame[a:b] for a, b in pairwise(bounds)]


def decode(frame: bytes, rows: int, columns: int, samples: int, bits: int, planar: bool) -> bytes:
    """Little-endian samples of 8 bits and more."""
    pixels, width = rows * columns, bits // 8
    if pixels * samples * width > 64 * len(frame):
        raise Unreadable("too small for that image")
    out = bytearray(pixels * samples * width)
    for index, segment in enumerate(segments_of(frame, samples * width)):
        sample, byte = index // width, width - 1 - index % width
        plane = unpack(segment, pixels)
        if planar:
            start = sample * width * pixels + byte
            out[start : start + width * pixels : width] = plane
        else:
            out[sample * width + byte :: samples * width] = plane
    return bytes(out)


def lines_of(segment: bytes, columns: int) -> list[int]:
    """How many bytes each line of a segment unpacks to; a run or literal that crosses a line shows."""
    lines, line, at = [], 0, 0
    while at < len(segment):
        control = segment[at]
        if control < 128:
            line += min(control + 1, len(segment) - at - 1)
            at += 2 + control
        elif control > 128:
            line += 257 - control
            at += 2
        else:
            at += 1
        if line >= columns:
            lines.append(line)
            line = 0
    return lines


def pack_literally(plane: bytes) -> bytes:
    """The simplest encoder: literals only."""
    chunks = [plane[i : i + 128] for i in range(0, len(plane), 128)]
    packed = b"".join(bytes([len(chunk) - 1]) + chunk for chunk in chunks)
    return packed + b"\0" * (len(packed) % 2)


def frame_of(segments: list[bytes]) -> bytes:
    """A frame with these segments."""
    offsets = [64 + sum(map(len, segments[:i])) for i in range(len(segments))]
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)
