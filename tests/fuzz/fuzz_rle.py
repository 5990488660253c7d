"""RLE frames of every geometry: decoded like the reference or refused, and encoded back.

python -m tests.fuzz rle; see docs/fuzzing.md.
"""

from __future__ import annotations

import random
import zlib

from fastdicom.errors import CodecError
from fastdicom.kernels import rle
from tests.support import rle_reference as reference

SAMPLES_AND_BITS = [(1, 8), (1, 16), (3, 8), (1, 1), (4, 8), (3, 16), (1, 32), (3, 32), (1, 64)]
PARAMETERS_SIZE = 4
REFERENCE_EVERY = 16  # the reference takes a hundred times as long


def geometry_of(parameters: bytes) -> tuple[int, int, int, int]:
    rows, columns, kind, scale = parameters
    samples, bits = SAMPLES_AND_BITS[kind % len(SAMPLES_AND_BITS)]
    return 1 + rows, 1 + columns * (16 if scale >= 0xF0 else 1), samples, bits


def decoded_by_reference(frame: bytes, geometry: tuple[int, int, int, int]) -> bytearray | None:
    try:
        return bytearray(reference.decode(frame, *geometry, False))
    except reference.Unreadable:
        return None


def one_input(data: bytes) -> None:
    """The first bytes are the geometry, the rest the frame."""
    if len(data) < PARAMETERS_SIZE:
        return
    geometry, frame = geometry_of(data[:PARAMETERS_SIZE]), data[PARAMETERS_SIZE:]
    compare = zlib.crc32(data) % REFERENCE_EVERY == 0 and geometry[3] > 1
    expected = decoded_by_reference(frame, geometry) if compare else None
    try:
        pixels = rle.decode_frame(frame, *geometry)
    except CodecError:
        assert expected is None
        return
    assert not compare or pixels == expected
    planar = rle.decode_frame(frame, *geometry, planar=True)
    assert len(planar) == len(pixels)
    again = rle.encode_frame(planar, *geometry, planar=True)
    assert rle.decode_frame(again, *geometry, strict=True) == pixels
    try:
        assert rle.decode_frame(frame, *geometry, strict=True) == pixels
    except CodecError as error:
        assert error.offset is not None
        assert 0 <= error.offset <= len(frame)


def seeds() -> list[bytes]:
    """A frame of each kind, with runs and literals, and one that takes two strips of the decoder."""
    rng = random.Random(1)
    found = []
    for kind in range(len(SAMPLES_AND_BITS)):
        for rows, columns, scale in ((4, 40, 0), (2, 129, 0), (20, 20, 0xF0)):
            geometry = geometry_of(bytes([rows, columns, kind, scale]))
            size = geometry[0] * geometry[1] * geometry[2] * max(1, geometry[3] // 8)
            pixels = bytearray()
            while len(pixels) < size:
                pixels += (
                    rng.randbytes(rng.randrange(1, 9)) if rng.random() < 0.4 else b"\1" * rng.randrange(200)
                )
            if geometry[3] == 1:
                pixels = bytearray(byte & 1 for byte in pixels)
            frame = rle.encode_frame(pixels[:size], *geometry)
            found.append(bytes([rows, columns, kind, scale]) + frame)
    return found
