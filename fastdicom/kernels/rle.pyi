"""RLE Lossless both ways: PS3.5 Annex G, one frame a call. Both directions release the GIL.

Decoded frames are little-endian samples: interleaved (Planar Configuration 0), or one plane of samples
after the other with planar=True (1). With Bits Allocated 1 they have one byte, 0 or 1, for each pixel; see
pixels.pack_bits. Bits Allocated is 1, 8, 16, 32 or 64, and an image has at most 15 segments of one byte of
each pixel: four samples of 32 bits are refused.
"""

from typing import TypeVar, overload

from typing_extensions import Buffer

WritableBuffer = TypeVar("WritableBuffer", bound=Buffer)

@overload
def decode_frame(
    data: Buffer,
    rows: int,
    columns: int,
    samples: int,
    bits_allocated: int,
    planar: bool = False,
    out: None = None,
    strict: bool = False,
) -> bytearray:
    """Decode one frame: a new bytearray, or `out`, which must have exactly the frame's size.

    data: the frame's fragment, or its fragments joined, padding included.
    strict: every segment must hold its plane exactly; one byte of padding after it is right. Without it
        a segment that ends early leaves zeros and what follows a full plane is ignored, so that what can
        be shown is shown. Whoever passes the pixels on as lossless decodes strictly.

    Raises CodecError (offset: bytes into `data`) if the header does not fit the image, if segment offsets
    are not ascending and inside the frame, or if the frame is too short to fill an image of that size
    however it is packed; memory is asked for after that. Raises UsageError for an `out` of another size.

    >>> from fastdicom.kernels import rle
    >>> bytes(rle.decode_frame(rle.encode_frame(b"aaaabcde", 2, 4, 1, 8), 2, 4, 1, 8))
    b'aaaabcde'
    """

@overload
def decode_frame(
    data: Buffer,
    rows: int,
    columns: int,
    samples: int,
    bits_allocated: int,
    planar: bool = False,
    *,
    out: WritableBuffer,
    strict: bool = False,
) -> WritableBuffer: ...
def encode_frame(
    pixels: Buffer, rows: int, columns: int, samples: int, bits_allocated: int, planar: bool = False
) -> bytes:
    """Encode one frame; the result has an even length and starts with the RLE header.

    Lines are packed separately, runs of three and more as runs, so that a line of n bytes takes at most
    n + n // 128 + 1. Raises CodecError if the image does not fit in 15 segments or in a fragment, or if
    `pixels` is not exactly one frame.
    """

def use_path(name: str) -> None:
    """Use the code of a vector path: "scalar", "baseline" (SSE2, NEON), "ssse3" or "best".

    For tests and benches: the results are the same. Importing the module chooses the best that the
    processor has, and a path that it has not is replaced by the best below it. Raises ValueError for
    another name.
    """
