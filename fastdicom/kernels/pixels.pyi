"""Pixel data rearranged: byte order, planes, bits and sign. The GIL is released.

Every function takes a whole buffer and returns a new bytearray, or fills `out` and returns it; `out` must
have exactly the size of the result (UsageError). Where input and result have the same size, `out` may be
the input itself, unless the function says otherwise. Samples are little-endian.

Raises CodecError where the data are not a whole number of samples, pixels or rows (offset: where the rest
starts), or where attributes contradict each other.
"""

from typing import TypeVar, overload

from typing_extensions import Buffer

WritableBuffer = TypeVar("WritableBuffer", bound=Buffer)

@overload
def swap_bytes(data: Buffer, bits: int, out: None = None) -> bytearray:
    """Reverse the bytes of every word of 16, 32 or 64 bits: Explicit VR Big Endian to Little and back.

    The word is that of the VR, not of the sample: 8-bit pixels in OW are swapped in pairs, PS3.5 A.3.
    """

@overload
def swap_bytes(data: Buffer, bits: int, out: WritableBuffer) -> WritableBuffer: ...
@overload
def to_interleaved(data: Buffer, samples: int, bits_allocated: int, out: None = None) -> bytearray:
    """Planar Configuration 1 to 0 for one frame of 1 to 4 samples of 8, 16 or 32 bits. Not in place."""

@overload
def to_interleaved(
    data: Buffer, samples: int, bits_allocated: int, out: WritableBuffer
) -> WritableBuffer: ...
@overload
def to_planar(data: Buffer, samples: int, bits_allocated: int, out: None = None) -> bytearray:
    """Planar Configuration 0 to 1 for one frame of 1 to 4 samples of 8, 16 or 32 bits. Not in place."""

@overload
def to_planar(data: Buffer, samples: int, bits_allocated: int, out: WritableBuffer) -> WritableBuffer: ...
@overload
def unpack_bits(data: Buffer, count: int, first: int = 0, out: None = None) -> bytearray:
    """One-bit pixels to a byte of 0 or 1 each, the least significant bit first. PS3.5 8.1.1.

    first, count: in bits. Frames follow each other without padding, so that frame i of n pixels starts
    at bit i * n. Raises CodecError if `data` does not hold them.

    >>> from fastdicom.kernels import pixels
    >>> list(pixels.unpack_bits(bytes([0b0110_0000, 0b1]), 5, first=4))
    [0, 1, 1, 0, 1]
    """

@overload
def unpack_bits(data: Buffer, count: int, first: int = 0, *, out: WritableBuffer) -> WritableBuffer: ...
@overload
def pack_bits(pixels: Buffer, first: int = 0, out: None = None) -> bytearray:
    """Pixels of 0 and 1, a byte each, to one bit each: the inverse of unpack_bits.

    `out` may be larger than needed: the bits before `first` and behind the last pixel stay as they are,
    which is how frames that do not end on a byte are put together. Raises CodecError (offset: the pixel)
    for a value above 1; pixels before it may have been written.
    """

@overload
def pack_bits(pixels: Buffer, first: int = 0, *, out: WritableBuffer) -> WritableBuffer: ...
@overload
def align_samples(
    data: Buffer, bits_allocated: int, bits_stored: int, high_bit: int, signed: bool, out: None = None
) -> bytearray:
    """The stored values as plain integers of 8, 16 or 32 bits. PS3.5 8.1.1.

    The stored bits move down until High Bit is Bits Stored - 1. What else the sample held (overlays,
    leftovers) is cleared, or filled with the sign if `signed` (Pixel Representation 1).
    """

@overload
def align_samples(
    data: Buffer, bits_allocated: int, bits_stored: int, high_bit: int, signed: bool, out: WritableBuffer
) -> WritableBuffer: ...
def stray_bits(data: Buffer, bits_allocated: int, bits_stored: int, high_bit: int, signed: bool) -> int:
    """The bits outside Bits Stored that any sample uses for something else than its sign; 0 if none.

    What is in them would be lost by align_samples and by every codec that is told the true precision:
    an overlay (see overlay_bits), or a wrong Bits Stored.
    """

@overload
def overlay_bits(data: Buffer, bits_allocated: int, bit: int, out: None = None) -> bytearray:
    """Bit number `bit` of every sample, as the bitmap of Overlay Data (60xx,3000).

    bit: Overlay Bit Position (60xx,0102), 0 is the least significant. The result has a bit for each
    sample, the first one least significant, and ends with a whole byte. Not in place.
    """

@overload
def overlay_bits(data: Buffer, bits_allocated: int, bit: int, out: WritableBuffer) -> WritableBuffer: ...
def use_path(name: str) -> None:
    """Use the code of a vector path: "scalar", "baseline" (SSE2, NEON), "ssse3", "best"; see rle.use_path."""
