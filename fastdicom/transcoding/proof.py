"""The pixels of a Data Set as one number, and the proof that two Data Sets have the same ones."""

from __future__ import annotations

from collections.abc import Iterator

import xxhash

from fastdicom.errors import CodecError
from fastdicom.transcoding.objects import Frames, Options, frames_of
from fastdicom.transcoding.outline import Buffer


def pixel_checksum(dataset: Buffer, transfer_syntax_uid: str, options: Options | None = None) -> int:
    """XXH3-64 over all native frames: little endian, interleaved, a byte for each pixel of one bit.

    Raises what decoding raises; CodecError for a Data Set without pixels.
    """
    digest = xxhash.xxh3_64()
    for frame in _each(frames_of(dataset, transfer_syntax_uid, options)):
        digest.update(frame)
    return digest.intdigest()


def compare_pixels(
    one: Buffer, one_uid: str, other: Buffer, other_uid: str, options: Options | None = None
) -> tuple[int, int]:
    """The pixel checksums of both Data Sets, which have the same pixels, byte for byte.

    Raises CodecError that names the first frame that differs, and what decoding raises.
    """
    first, second = frames_of(one, one_uid, options), frames_of(other, other_uid, options)
    if first.count != second.count:
        raise CodecError(f"{first.count} and {second.count} frames")
    digests = xxhash.xxh3_64(), xxhash.xxh3_64()
    for number, (left, right) in enumerate(zip(_each(first), _each(second), strict=True), 1):
        if bytes(left) != bytes(right):
            raise CodecError(f"frame {number} is not the same any more")
        digests[0].update(left)
        digests[1].update(right)
    return digests[0].intdigest(), digests[1].intdigest()


def _each(frames: Frames) -> Iterator[Buffer]:
    return (frames.frame(index) for index in range(frames.count))
