"""Encapsulated Pixel Data: frames that lie inside the value, or an error that names a place in it.

python -m tests.fuzz encapsulated; see docs/fuzzing.md.
"""

from __future__ import annotations

import random
import struct

from fastdicom.errors import CodecError, MalformedDataset
from fastdicom.kernels import encapsulated, rle
from fastdicom.transcoding.frames import Frames
from tests.support.items import cut, jpeg, jpeg_2000, offsets_of, table_of, value_of

PARAMETERS_SIZE = 2


def one_input(data: bytes) -> None:
    """The first bytes are the number of frames and that of the entries of an Extended Offset Table."""
    if len(data) < PARAMETERS_SIZE:
        return
    frame_count, entry_count = 1 + data[0] % 32, data[1] % 32
    value = data[PARAMETERS_SIZE:]
    extended = (
        (value[-16 * entry_count : -8 * entry_count], value[-8 * entry_count :]) if entry_count else None
    )
    try:
        frames = Frames(value, 0, frame_count, extended)
    except MalformedDataset as error:
        assert 0 <= error.offset <= len(value)
        return
    except CodecError:
        return
    assert 0 < frames.end <= len(value)
    fragments = encapsulated.walk(value)
    pieces = [
        value[offset : offset + length]
        for offset, length in map(fragments.__getitem__, range(len(fragments)))
    ]
    joined = b"".join(frames)
    assert joined == b"".join(pieces) or extended is not None
    assert len(joined) <= sum(map(len, pieces))


def seeds() -> list[bytes]:
    """Values of one and of several frames, cut in several ways, with tables right, wrong and absent."""
    rng = random.Random(1)
    packed = [rle.encode_frame(rng.randbytes(60) + bytes(60), 4, 10, 3, 8) for _ in range(3)]
    kinds = [[jpeg(30), jpeg(21), jpeg(40)], [jpeg_2000(30), jpeg_2000(33), jpeg_2000(20)], packed]
    found = [b"\0\0" + value_of([b"abc", b"", b"\0"]), b"\0\0" + value_of([])]
    for whole in kinds:
        for size in (1, 7, 64, 1000):
            frames = [cut(frame, size) for frame in whole]
            fragments = [fragment for frame in frames for fragment in frame]
            offsets = offsets_of(frames)
            extended = struct.pack("<6Q", *offsets, *map(len, whole))
            found.append(b"\2\0" + value_of(fragments, table_of(offsets)))
            found.append(b"\2\3" + value_of(fragments) + extended)
            found.append(b"\2\0" + value_of(fragments))
            found.append(b"\2\0" + value_of(fragments)[8:])
    return found
