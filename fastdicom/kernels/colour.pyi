"""YBR_FULL and YBR_FULL_422 to RGB and back, 8 bits. The GIL is released. PS3.3 C.7.6.3.1.2.

Every function takes a whole buffer of interleaved pixels and returns a new bytearray, or fills `out` and
returns it; `out` must have exactly the size of the result (UsageError). Where input and result have the
same size, `out` may be the input itself.

Raises CodecError where the data are not a whole number of pixels or rows (offset: where the rest starts).

YBR_RCT and YBR_ICT have no function: they exist inside a JPEG 2000 codestream only, whose decoder gives
RGB. Palette colour stays as it is.
"""

from typing import TypeVar, overload

from typing_extensions import Buffer

WritableBuffer = TypeVar("WritableBuffer", bound=Buffer)

@overload
def ybr_full_to_rgb(data: Buffer, out: None = None) -> bytearray:
    """Interleaved 8-bit YBR_FULL to RGB, correctly rounded and clipped. PS3.3 C.7.6.3.1.2."""

@overload
def ybr_full_to_rgb(data: Buffer, out: WritableBuffer) -> WritableBuffer: ...
@overload
def rgb_to_ybr_full(data: Buffer, out: None = None) -> bytearray:
    """Interleaved 8-bit RGB to YBR_FULL, correctly rounded. Not lossless: going back may differ by 1."""

@overload
def rgb_to_ybr_full(data: Buffer, out: WritableBuffer) -> WritableBuffer: ...
@overload
def ybr_full_422_to_rgb(data: Buffer, columns: int, out: None = None) -> bytearray:
    """Native 8-bit YBR_FULL_422 (Y1 Y2 Cb Cr for two pixels) to RGB; both pixels get the same Cb and Cr.

    `columns` must be even. Not in place: the result is half as large again.
    """

@overload
def ybr_full_422_to_rgb(data: Buffer, columns: int, out: WritableBuffer) -> WritableBuffer: ...
@overload
def rgb_to_ybr_full_422(data: Buffer, columns: int, out: None = None) -> bytearray:
    """8-bit RGB to native YBR_FULL_422; Cb and Cr of a pair are the means of its two pixels. Not in place."""

@overload
def rgb_to_ybr_full_422(data: Buffer, columns: int, out: WritableBuffer) -> WritableBuffer: ...
def use_path(name: str) -> None:
    """Use the code of a vector path: "scalar", "baseline" (SSE2, NEON), "ssse3", "best"; see rle.use_path."""
