"""The Image Pixel module of a stored Data Set, read and checked: what its frames are. PS3.3 C.7.6.3."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from fastdicom.errors import CodecError, MalformedDataset
from fastdicom.kernels import pixels
from fastdicom.transcoding import outline as tags
from fastdicom.transcoding.gate import ImageAttributes, check_image
from fastdicom.transcoding.outline import Buffer, Outline, named

SUBSAMPLED: Final = frozenset(("YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420"))
"""Native pixels of these share chroma between pixels: no codec here takes them as they are."""

NUMBER_OF_FRAMES_MAX: Final = (1 << 31) - 1
REMEMBERED_LENGTH_MAX: Final = 1024
"""Bytes of the elements from Samples per Pixel to Pixel Representation; in images they are 100 to 300."""


def read_image(outline: Outline, frame_length_max: int) -> tuple[ImageAttributes, int]:
    """The attributes of a frame, and the number of frames.

    Raises MalformedDataset for an attribute that is missing or no number, CodecError for an image that no
    codec can carry or that is too large.
    """
    if tags.PIXEL_DATA not in outline:
        raise CodecError("Float Pixel Data have no compressed form")
    described = outline.between(tags.SAMPLES_PER_PIXEL, tags.PIXEL_REPRESENTATION)
    if outline.in_order and len(described) <= REMEMBERED_LENGTH_MAX:
        try:
            return _remembered(bytes(described), outline.transfer_syntax_uid, frame_length_max)
        except (MalformedDataset, CodecError):
            return _read(outline, frame_length_max)  # raises the same, with its place in this Data Set
    return _read(outline, frame_length_max)


@lru_cache(maxsize=128)
def _remembered(
    described: bytes, transfer_syntax_uid: str, frame_length_max: int
) -> tuple[ImageAttributes, int]:
    """What `_read` makes of these elements: they are the same in all instances of most series."""
    return _read(Outline(described, transfer_syntax_uid), frame_length_max)


def _read(outline: Outline, frame_length_max: int) -> tuple[ImageAttributes, int]:
    samples = outline.number(tags.SAMPLES_PER_PIXEL, 1)
    allocated = outline.number(tags.BITS_ALLOCATED)
    image = ImageAttributes(
        rows=outline.number(tags.ROWS),
        columns=outline.number(tags.COLUMNS),
        samples_per_pixel=samples,
        bits_allocated=allocated,
        bits_stored=outline.number(tags.BITS_STORED, allocated),
        pixel_representation=outline.number(tags.PIXEL_REPRESENTATION, 0),
        photometric_interpretation=outline.text(
            tags.PHOTOMETRIC_INTERPRETATION, "MONOCHROME2" if samples == 1 else "RGB"
        ),
        planar_configuration=outline.number(tags.PLANAR_CONFIGURATION, 0) if samples > 1 else 0,
    )
    check_image(image)
    if image.frame_length > frame_length_max:
        raise CodecError(f"a frame of {image.frame_length} bytes: the ceiling is {frame_length_max}")
    if image.pixel_representation not in (0, 1) or image.planar_configuration not in (0, 1):
        raise CodecError("Pixel Representation or Planar Configuration is neither 0 nor 1")
    high_bit = outline.number(tags.HIGH_BIT, image.bits_stored - 1)
    if not image.bits_stored - 1 <= high_bit < image.bits_allocated:
        raise CodecError(f"High Bit {high_bit} of {image.bits_stored} bits stored in {image.bits_allocated}")
    count = outline.integer_string(tags.NUMBER_OF_FRAMES, 1)
    if not 1 <= count <= NUMBER_OF_FRAMES_MAX:
        raise CodecError(f"Number of Frames {named(tags.NUMBER_OF_FRAMES)} is {count}")
    return image, count


def packed_bits(image: ImageAttributes) -> int:
    """Bits of one native frame as it stands in Pixel Data."""
    return image.sample_count * image.bits_allocated


def native_length(image: ImageAttributes, count: int) -> int:
    """Bytes of `count` native frames, without the byte that pads them."""
    return (packed_bits(image) * count + 7) // 8


class NativeFrames:
    """The frames of little-endian native Pixel Data: interleaved, a byte for each pixel of one bit."""

    def __init__(self, value: memoryview, image: ImageAttributes, count: int) -> None:
        """Raises CodecError if `value` is not as long as that many frames are."""
        if image.photometric_interpretation in SUBSAMPLED:
            raise CodecError(f"native {image.photometric_interpretation} pixels are not compressed")
        due = native_length(image, count)
        if len(value) < due:
            raise CodecError(f"Pixel Data has {len(value)} bytes, {count} frames take {due}")
        if len(value) - due > 1 and len(value) - due >= packed_bits(image) // 8:
            raise CodecError(f"Pixel Data has {len(value)} bytes, more frames than the {count} stated")
        self._value = value
        self._image = image
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Buffer:
        image = self._image
        bits = packed_bits(image)
        if image.bits_allocated == 1:
            return pixels.unpack_bits(self._value, image.sample_count, index * bits)
        frame = self._value[index * bits // 8 : (index + 1) * bits // 8]
        if image.planar_configuration == 1:
            return pixels.to_interleaved(frame, image.samples_per_pixel, image.bits_allocated)
        return frame


def native_value(
    frames: Iterable[Buffer], image: ImageAttributes, count: int, big_endian: bool
) -> Iterator[Buffer]:
    """Frames as the value of native Pixel Data: bits packed, padded, in words of 16 bits if big endian."""
    if image.bits_allocated == 1:
        yield from _packed(frames)
    elif big_endian and image.bits_allocated > 8:
        for frame in frames:
            yield pixels.swap_bytes(frame, 16)
    else:
        yield from frames
    if native_length(image, count) % 2:
        yield b"\0"


def _packed(frames: Iterable[Buffer]) -> Iterator[Buffer]:
    """Frames need not end with a byte: the bits left over begin the next piece."""
    rest, used = b"", 0
    for frame in frames:
        bits = used + len(frame)
        out = bytearray((bits + 7) // 8)
        out[: len(rest)] = rest
        pixels.pack_bits(frame, used, out=out)
        used = bits % 8
        rest = bytes(out[-1:]) if used else b""
        yield memoryview(out)[: bits // 8]
    if rest:
        yield rest
