"""One frame from any encapsulated transfer syntax to native pixels and back, behind two functions.

RLE and lossless JPEG are our own kernels and run here; every other codec is a library and runs in a worker
process (workers.py). No codec sees a codestream that has not passed the gate (gate.py). Nothing is imported
before it is needed.

A native frame here is little-endian and interleaved (Planar Configuration 0); with Bits Allocated 1 it has
one byte of 0 or 1 for each pixel, see `fastdicom.kernels.pixels.pack_bits`. `decoded_image` and
`encoded_image` say how the Image Pixel attributes change.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from fastdicom.errors import CodecError
from fastdicom.kernels import jpeg_lossless, pixels, rle
from fastdicom.transcoding import gate
from fastdicom.transcoding.gate import Codestream, ImageAttributes

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from fastdicom.transcoding.workers import Job, Workers

JPEG_BASELINE: Final = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED: Final = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS: Final = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_SV1: Final = "1.2.840.10008.1.2.4.70"
JPEG_LS_LOSSLESS: Final = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR_LOSSLESS: Final = "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS: Final = "1.2.840.10008.1.2.4.90"
JPEG_2000: Final = "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS: Final = "1.2.840.10008.1.2.4.201"
HTJ2K_LOSSLESS_RPCL: Final = "1.2.840.10008.1.2.4.202"
HTJ2K: Final = "1.2.840.10008.1.2.4.203"
RLE_LOSSLESS: Final = gate.RLE_LOSSLESS

LOSSY_ONLY: Final = frozenset({JPEG_BASELINE, JPEG_EXTENDED, JPEG_LS_NEAR_LOSSLESS})
RLE_SEGMENTS_MAX: Final = 15
CODESTREAM_LENGTH_EXTRA: Final = 1 << 16
"""Room for headers, on top of twice the native frame: no encoder here makes more."""

ColourChoice = Literal["rgb", "keep"]


class CannotCarry(CodecError):
    """The image has no form in the transfer syntax that was asked for; another one may have it."""


class Quality(NamedTuple):
    """How much a lossy encoder may lose. The syntaxes that can do both stay lossless without one.

    jpeg: 1-100 as libjpeg counts. near: the largest error of a sample in JPEG-LS. psnr: dB in JPEG 2000.
    step: the quantizer of HTJ2K.
    """

    jpeg: int = 90
    near: int = 2
    psnr: float = 50.0
    step: float = 0.005


# ---- decoding
# -----------------------------------------------------------------------------------------------------

LIBRARY_DECODERS: Final[dict[str, tuple[str, ...]]] = {
    "jpeg": ("decode-jpeg",),
    "jpeg-ls": ("decode-jpeg-ls", "decode-jpeg-ls-second"),
    "jpeg-2000": ("decode-jpeg-2000", "decode-jpeg-2000-second"),
    "htj2k": ("decode-htj2k", "decode-jpeg-2000"),
}
"""For each coding the operations to try in order; the next one only when a library refused, not when it
died."""


def decode_frame(
    transfer_syntax_uid: str,
    data: Buffer,
    image: ImageAttributes,
    colour: ColourChoice = "rgb",
    strict: bool = False,
    workers: Workers | None = None,
) -> bytearray:
    """Decode one frame to native pixels, `image.frame_length` bytes.

    data: the codestream, padding included. colour: "rgb" turns YCbCr of the JPEG DCT processes into RGB,
    "keep" gives YBR_FULL; JPEG 2000's component transforms are part of the codestream and always undone.
    strict: no leniency where we know better than to fail: an RLE segment has to fill its plane, lossless JPEG
    has to end with EOI. workers: the pool to use, by default one that all callers share.

    Raises CodecError (offset: bytes into `data`) for what cannot be decoded right, Unavailable without a
    worker.

    >>> from fastdicom.transcoding.codecs import RLE_LOSSLESS, ImageAttributes, decode_frame, encode_frame
    >>> image = ImageAttributes(rows=2, columns=4)
    >>> bytes(decode_frame(RLE_LOSSLESS, encode_frame(RLE_LOSSLESS, b"aaaabcde", image), image))
    b'aaaabcde'
    """
    found = gate.inspect(transfer_syntax_uid, data, image)
    return decode_inspected(found, data, image, colour, strict, workers)


def decode_inspected(
    found: Codestream,
    data: Buffer,
    image: ImageAttributes,
    colour: ColourChoice = "rgb",
    strict: bool = False,
    workers: Workers | None = None,
    out: bytearray | None = None,
    begun: jpeg_lossless.Decoding | None = None,
) -> bytearray:
    """As `decode_frame`, for a codestream that the gate has let through: found is what it said.

    out: `image.frame_length` bytes that our own kernels decode into instead of a new bytearray; with an
    error it is filled in part. begun: what `begin_decoding` gave for the same frame.
    """
    if begun is not None:
        return _extend_sign(begun.wait(), found, image)
    if found.coding == "rle":
        return rle.decode_frame(data, *_size(image), strict=strict, out=out)
    if found.coding == "jpeg-lossless":
        frame = jpeg_lossless.decode_frame(data, *_size(image), end_required=strict, out=out)
        return _extend_sign(frame, found, image)
    view = memoryview(data).cast("B")[found.start : found.end]
    return _decode_with_libraries(found, view, image, colour, workers or shared_workers())


def begin_decoding(
    found: Codestream, data: Buffer, image: ImageAttributes, strict: bool, out: bytearray
) -> jpeg_lossless.Decoding | None:
    """Have a thread of the kernel's decode the frame into `out`; None where that is not worth it.

    RLE is decoded before another processor would begin with it; libraries have processes.
    """
    if found.coding != "jpeg-lossless":
        return None
    decoding = jpeg_lossless.Decoding(data, *_size(image), end_required=strict, out=out)
    decoding.begin()
    return decoding


def decoded_image(
    transfer_syntax_uid: str, data: Buffer, image: ImageAttributes, colour: ColourChoice = "rgb"
) -> ImageAttributes:
    """The Image Pixel attributes of what `decode_frame` makes of this frame. Raises CodecError as it does."""
    return inspected_image(gate.inspect(transfer_syntax_uid, data, image), image, colour)


def inspected_image(
    found: Codestream, image: ImageAttributes, colour: ColourChoice = "rgb"
) -> ImageAttributes:
    """As `decoded_image`, for a codestream that the gate has let through."""
    return image._replace(
        photometric_interpretation=_native_photometric(found, image, colour), planar_configuration=0
    )


def _native_photometric(found: Codestream, image: ImageAttributes, colour: ColourChoice) -> str:
    """PS3.5 8.2: what is inside a codestream only (YBR_RCT, YBR_ICT, subsampled YBR) has no native form."""
    described = image.photometric_interpretation
    if image.samples_per_pixel != 3:
        return described
    if found.coding == "jpeg":
        return "RGB" if colour == "rgb" or found.colour == "rgb" else "YBR_FULL"
    if described in ("YBR_RCT", "YBR_ICT"):
        return "RGB"
    return "YBR_FULL" if described == "YBR_FULL_422" else described


def _size(image: ImageAttributes) -> tuple[int, int, int, int]:
    return image.rows, image.columns, image.samples_per_pixel, image.bits_allocated


def _extend_sign(frame: bytearray, found: Codestream, image: ImageAttributes) -> bytearray:
    """Signed samples of less precision than Bits Allocated, to whole two's complement words."""
    if image.pixel_representation and found.precision < image.bits_allocated:
        pixels.align_samples(
            frame, image.bits_allocated, found.precision, found.precision - 1, True, out=frame
        )
    return frame


def _decode_with_libraries(
    found: Codestream, data: memoryview, image: ImageAttributes, colour: ColourChoice, workers: Workers
) -> bytearray:
    from fastdicom.transcoding.workers import LibraryRefused, budget_for

    operations = LIBRARY_DECODERS[found.coding]
    if found.coding == "htj2k" and not found.lossless:
        operations = ("decode-jpeg-2000",)  # OpenJPH's binding wraps white to black
    budget = budget_for(image.frame_length)
    for operation in operations:
        job = _decode_job(operation, found, image, colour)
        try:
            frame = workers.run(job, data, image.frame_length, budget)
        except LibraryRefused:
            if operation == operations[-1]:
                raise
            continue
        if len(frame) != image.frame_length:
            raise CodecError(f"{operation}: {len(frame)} bytes, a frame has {image.frame_length}")
        return frame
    raise CodecError(f"no decoder for {found.coding}")


def _decode_job(operation: str, found: Codestream, image: ImageAttributes, colour: ColourChoice) -> Job:
    from fastdicom.transcoding.workers import Job

    return Job(
        operation,
        *_size(image),
        signed=bool(image.pixel_representation),
        precision=found.precision,
        stream_signed=found.signed,
        colour="ybr" if found.colour == "ybr" and colour == "rgb" else "rgb",
    )


# ---- encoding
# -----------------------------------------------------------------------------------------------------


def encode_frame(
    transfer_syntax_uid: str,
    frame: Buffer,
    image: ImageAttributes,
    quality: Quality | None = None,
    workers: Workers | None = None,
) -> bytes:
    """Encode one native frame (interleaved, see above); the codestream without padding.

    Lossless wherever the syntax can be, unless `quality` is given; .50, .51 and .81 take a default one. The
    precision is Bits Stored, or Bits Allocated where a sample uses bits above it (overlays) and where the
    syntax has no signs.

    Raises CannotCarry if the syntax has no form for the image, CodecError if the frame does not fit it.
    """
    gate.check_image(image)
    if len(memoryview(frame).cast("B")) != image.frame_length:
        raise CodecError(f"{len(memoryview(frame).cast('B'))} bytes, a frame has {image.frame_length}")
    lossy = check_encodable(transfer_syntax_uid, image, quality)
    if transfer_syntax_uid == RLE_LOSSLESS:
        return rle.encode_frame(frame, *_size(image))
    precision = _precision(transfer_syntax_uid, frame, image, lossy)
    if transfer_syntax_uid in (JPEG_LOSSLESS, JPEG_LOSSLESS_SV1):
        return jpeg_lossless.encode_frame(frame, *_size(image), precision)
    if quality is None and transfer_syntax_uid in LOSSY_ONLY:
        quality = Quality()
    job = _encode_job(transfer_syntax_uid, image, precision, quality)
    return _encode_with_library(job, frame, image, workers or shared_workers())


def encoded_image(
    transfer_syntax_uid: str, image: ImageAttributes, quality: Quality | None = None
) -> ImageAttributes:
    """The Image Pixel attributes of what `encode_frame` makes of a native frame. PS3.5 8.2."""
    colours = image.photometric_interpretation
    if image.samples_per_pixel == 3:
        if transfer_syntax_uid in (JPEG_BASELINE, JPEG_EXTENDED):
            colours = "YBR_FULL_422"
        elif colours == "RGB" and transfer_syntax_uid in gate.JPEG_2000_SYNTAXES:
            colours = "YBR_ICT" if is_lossy(transfer_syntax_uid, quality) else "YBR_RCT"
    return image._replace(photometric_interpretation=colours, planar_configuration=0)


def is_lossy(transfer_syntax_uid: str, quality: Quality | None) -> bool:
    """Whether `encode_frame` with this quality may change pixels."""
    return transfer_syntax_uid in LOSSY_ONLY or (
        quality is not None and transfer_syntax_uid in (JPEG_2000, HTJ2K)
    )


def check_encodable(transfer_syntax_uid: str, image: ImageAttributes, quality: Quality | None = None) -> bool:
    """Raise CannotCarry for an image that the syntax has no form for. Returns whether pixels may change."""
    lossy = is_lossy(transfer_syntax_uid, quality)
    if transfer_syntax_uid == RLE_LOSSLESS:
        segments = image.samples_per_pixel * max(1, image.bits_allocated // 8)
        if segments > RLE_SEGMENTS_MAX:
            raise CannotCarry(f"an image of {segments} RLE segments")
        return False
    if transfer_syntax_uid not in ENCODERS and transfer_syntax_uid not in (JPEG_LOSSLESS, JPEG_LOSSLESS_SV1):
        raise CannotCarry(f"no encoder for transfer syntax {transfer_syntax_uid}")
    if image.bits_allocated not in (8, 16):
        raise CannotCarry(f"{image.bits_allocated} bits allocated: only RLE can carry them")
    if image.samples_per_pixel not in (1, 3):
        raise CannotCarry(f"{image.samples_per_pixel} samples per pixel")
    if lossy and image.photometric_interpretation == "PALETTE COLOR":
        raise CannotCarry(
            "lossy compression of palette colours: neighbouring numbers are no neighbouring colours"
        )
    if transfer_syntax_uid in (JPEG_BASELINE, JPEG_EXTENDED):
        most = 8 if transfer_syntax_uid == JPEG_BASELINE or image.samples_per_pixel == 3 else 12
        if image.pixel_representation or image.bits_stored > most:
            raise CannotCarry(f"JPEG carries unsigned samples of {most} bits here, not {image.bits_stored}")
        if image.bits_allocated == 16 and transfer_syntax_uid == JPEG_BASELINE:
            raise CannotCarry("JPEG Baseline carries 8 bits allocated")
        if image.samples_per_pixel == 3 and image.photometric_interpretation not in ("RGB", "YBR_FULL"):
            raise CannotCarry(f"JPEG of {image.photometric_interpretation} pixels")
    if transfer_syntax_uid == JPEG_LS_NEAR_LOSSLESS and image.pixel_representation:
        raise CannotCarry("near-lossless JPEG-LS of signed samples could turn the largest into the smallest")
    return lossy


def _precision(transfer_syntax_uid: str, frame: Buffer, image: ImageAttributes, lossy: bool) -> int:
    """Bits of a sample in the codestream: Bits Stored if that keeps every bit.

    JPEG and JPEG-LS have no signed samples, and decoders differ in whether they extend the sign: such samples
    go through as whole words, which costs nothing in lossless JPEG (differences are modulo 2^16).
    """
    signed = bool(image.pixel_representation)
    if signed and transfer_syntax_uid not in gate.JPEG_2000_SYNTAXES:
        return image.bits_allocated
    stray = pixels.stray_bits(frame, image.bits_allocated, image.bits_stored, image.bits_stored - 1, signed)
    if stray and lossy:
        raise CannotCarry(
            f"a sample uses bits above its {image.bits_stored}, which lossy compression would spoil"
        )
    return image.bits_allocated if stray else max(2, image.bits_stored)


ENCODERS: Final[dict[str, str]] = {
    JPEG_BASELINE: "encode-jpeg",
    JPEG_EXTENDED: "encode-jpeg",
    JPEG_LS_LOSSLESS: "encode-jpeg-ls",
    JPEG_LS_NEAR_LOSSLESS: "encode-jpeg-ls",
    JPEG_2000_LOSSLESS: "encode-jpeg-2000",
    JPEG_2000: "encode-jpeg-2000",
    HTJ2K_LOSSLESS: "encode-htj2k",
    HTJ2K_LOSSLESS_RPCL: "encode-htj2k",
    HTJ2K: "encode-htj2k",
}


def _loss(transfer_syntax_uid: str, quality: Quality | None) -> float:
    """The number that the encoder of this syntax takes; 0: lossless."""
    if quality is None:
        return 0.0
    return {
        JPEG_BASELINE: float(quality.jpeg),
        JPEG_EXTENDED: float(quality.jpeg),
        JPEG_LS_NEAR_LOSSLESS: float(quality.near),
        JPEG_2000: quality.psnr,
        HTJ2K: quality.step,
    }.get(transfer_syntax_uid, 0.0)


def _encode_job(
    transfer_syntax_uid: str, image: ImageAttributes, precision: int, quality: Quality | None
) -> Job:
    from fastdicom.transcoding.workers import Job

    signed = bool(image.pixel_representation)
    return Job(
        ENCODERS[transfer_syntax_uid],
        *_size(image),
        signed=signed,
        precision=precision,
        stream_signed=signed and transfer_syntax_uid in gate.JPEG_2000_SYNTAXES,
        colour="rgb" if image.photometric_interpretation == "RGB" else "keep",
        loss=_loss(transfer_syntax_uid, quality),
    )


def _encode_with_library(job: Job, frame: Buffer, image: ImageAttributes, workers: Workers) -> bytes:
    from fastdicom.transcoding.workers import budget_for

    length_max = 2 * image.frame_length + CODESTREAM_LENGTH_EXTRA
    return bytes(workers.run(job, frame, length_max, budget_for(image.frame_length)))


# ---- the pool that callers share
# ----------------------------------------------------------------------------------

_shared: Workers | None = None
_shared_lock = threading.Lock()


def shared_workers() -> Workers:
    """The pool of whoever does not bring one; made at the first call, its processes at the first job."""
    global _shared
    from fastdicom.transcoding.workers import Workers

    with _shared_lock:
        if _shared is None:
            _shared = Workers()
        return _shared


def close_shared_workers() -> None:
    """End the processes of the shared pool, if there are any; the next job starts new ones."""
    global _shared
    with _shared_lock:
        workers, _shared = _shared, None
    if workers is not None:
        workers.close()
