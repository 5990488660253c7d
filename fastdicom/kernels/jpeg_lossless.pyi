"""Lossless JPEG both ways: T.81 Annex H, SOF3 with Huffman codes; PS3.5 A.4.1, 8.2.1. The GIL is released.

Samples are little-endian, 8 or 16 bits, and stay what they are: no colour transform, no sign.
"""

from typing import TypeVar, overload

from typing_extensions import Buffer

WritableBuffer = TypeVar("WritableBuffer", bound=Buffer)

class Decoding:
    """A frame that a thread of the kernel's decodes, which never touches the interpreter; as `decode_frame`.

    `data` and `out` are borrowed until `wait` or `stop` returns. One Python thread at a time.
    """

    def __init__(
        self,
        data: Buffer,
        rows: int,
        columns: int,
        samples: int,
        bits_allocated: int,
        out: bytearray | None = None,
        planar: bool = False,
        end_required: bool = False,
    ) -> None:
        """Raises CodecError for a frame that cannot be; nothing is decoded yet."""

    def begin(self) -> None:
        """Hand it to a thread, of which there is one for each processor but one, and not more than 8.

        Two frames of 16 bits and one size are decoded side by side, in four fifths of the time: a thread
        waits for the second one. What no thread has begun with is decoded by whoever waits for it.
        """

    def wait(self) -> bytearray:
        """The frame. What no thread has begun with is decoded here. Raises CodecError, as often as asked."""

    def stop(self) -> None:
        """It is not wanted any more: `wait` raises CodecError, unless it has given the frame before."""

def threads_max() -> int:
    """How many threads there can be."""

@overload
def decode_frame(
    data: Buffer,
    rows: int,
    columns: int,
    samples: int,
    bits_allocated: int,
    out: None = None,
    planar: bool = False,
    end_required: bool = False,
) -> bytearray:
    """Decode one frame: a new bytearray, or `out`, which must have exactly the frame's size.

    Understands predictors 1-7, point transforms, restart intervals of whole lines, 1-4 components interleaved
    or in scans of their own, precision 2-16, SSSS 16, several DHT, codes of ones, tables with symbols that
    are never used, DNL, and a missing EOI unless `end_required`. planar: Planar Configuration 1.

    Raises CodecError (offset: bytes into `data`) if the codestream is damaged, ends early, is another
    process, or differs from the size given; `out` may then be filled in part. Memory is asked for after a
    look at the length: every sample takes a bit at least.

    >>> from fastdicom.kernels import jpeg_lossless
    >>> codestream = jpeg_lossless.encode_frame(bytes(range(12)), 3, 4, 1, 8, precision=8)
    >>> jpeg_lossless.decode_frame(codestream, 3, 4, 1, 8) == bytes(range(12))
    True
    """

@overload
def decode_frame(
    data: Buffer,
    rows: int,
    columns: int,
    samples: int,
    bits_allocated: int,
    out: WritableBuffer,
    planar: bool = False,
    end_required: bool = False,
) -> WritableBuffer: ...
def encode_frame(
    pixels: Buffer,
    rows: int,
    columns: int,
    samples: int,
    bits_allocated: int,
    precision: int,
    predictor: int = 1,
    planar: bool = False,
) -> bytes:
    """Encode one frame as a single scan with the Huffman code that is optimal for it; SOI to EOI, no padding.

    precision: 2-16, at most `bits_allocated`; no sample may have more bits. predictor: 1 is what .70 asks
    for. planar: how `pixels` are ordered. Raises CodecError for an image that lossless JPEG cannot carry or
    if `pixels` is not exactly one frame.
    """
