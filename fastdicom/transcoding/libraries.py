"""The codec libraries behind one signature: bytes and an image's description in, bytes out.

Imported only inside worker processes (see workers.py): these libraries hold the GIL for long, crash on
damaged input or write to stderr, and none of that reaches the host. Each library is imported when it is first
asked for.

Native pixels here are little-endian, interleaved, 8 or 16 bits a sample (one byte for Bits Allocated 1).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Final, cast

import numpy
from numpy.typing import NDArray

from fastdicom.errors import CodecError
from fastdicom.transcoding.workers import Job

Pixels = NDArray[numpy.integer[Any]]

JPEG_LS_TINY: Final = 1024
"""Bytes of a frame below which pyjpegls may not have room for the result."""


def run(job: Job, data: memoryview) -> memoryview:
    """Do it. Raises CodecError, or whatever the library raises."""
    if job.operation in DECODERS:
        return _to_native(DECODERS[job.operation](bytes(data), job), job).data.cast("B")
    return memoryview(ENCODERS[job.operation](_from_native(data, job), job))


def _library(name: str) -> Any:
    return importlib.import_module(name)


# ---- decoders
# -----------------------------------------------------------------------------------------------------


def _decode_jpeg(data: bytes, job: Job) -> Pixels:
    """libjpeg-turbo: all DCT processes with Huffman codes, 8 and 12 bits."""
    if job.samples == 1:
        return cast(Pixels, _library("imagecodecs").jpeg8_decode(data))
    source = "YCBCR" if job.colour == "ybr" else "RGB"
    return cast(Pixels, _library("imagecodecs").jpeg8_decode(data, colorspace=source, outcolorspace="RGB"))


def _decode_jpeg_ls(data: bytes, job: Job) -> Pixels:
    return cast(Pixels, _library("imagecodecs").jpegls_decode(data))


def _decode_jpeg_ls_second(data: bytes, job: Job) -> Pixels:
    decoded, _ = _library("jpeg_ls").decode_pixel_data(data)[:2]
    return numpy.frombuffer(decoded, dtype="<u2" if job.precision > 8 else "u1")


def _decode_jpeg_2000(data: bytes, job: Job) -> Pixels:
    """OpenJPEG. Also for lossy HTJ2K: the OpenJPH binding wraps white to black there."""
    return cast(Pixels, _library("imagecodecs").jpeg2k_decode(data, planar=False, numthreads=1))


def _decode_jpeg_2000_second(data: bytes, job: Job) -> Pixels:
    return cast(Pixels, _library("openjpeg").decode(data))


def _decode_htj2k(data: bytes, job: Job) -> Pixels:
    """OpenJPH, for lossless codestreams."""
    return cast(Pixels, _library("imagecodecs").htj2k_decode(data, planar=False))


def _decode_rle_second(data: bytes, job: Job) -> Pixels:
    planes = _library("rle.utils").decode_frame(data, job.rows * job.columns, job.bits_allocated, "<")
    samples = numpy.frombuffer(planes, dtype=f"<u{job.bits_allocated // 8}")
    return samples.reshape(job.samples, job.rows, job.columns).transpose(1, 2, 0)


DECODERS: Final[dict[str, Callable[[bytes, Job], Pixels]]] = {
    "decode-jpeg": _decode_jpeg,
    "decode-jpeg-ls": _decode_jpeg_ls,
    "decode-jpeg-ls-second": _decode_jpeg_ls_second,
    "decode-jpeg-2000": _decode_jpeg_2000,
    "decode-jpeg-2000-second": _decode_jpeg_2000_second,
    "decode-htj2k": _decode_htj2k,
    "decode-rle-second": _decode_rle_second,
}


def _to_native(decoded: Pixels, job: Job) -> Pixels:
    """A decoder's array as native pixels; refused when it is not exactly what the gate announced."""
    count = job.rows * job.columns * job.samples
    if decoded.size != count:
        raise CodecError(f"the decoder made {decoded.size} samples, {count} were due")
    width = max(1, job.bits_allocated // 8)
    if decoded.itemsize > width and int(decoded.max(initial=0)) >> (8 * width):
        raise CodecError("the decoder made samples larger than Bits Allocated")
    if job.signed and not job.stream_signed and job.precision < 8 * width:
        return _extend_sign(decoded, job.precision, width)
    return numpy.ascontiguousarray(
        decoded, dtype=f"<{'i' if decoded.dtype.kind == 'i' else 'u'}{width}"
    ).reshape(-1)


def _extend_sign(decoded: Pixels, precision: int, width: int) -> Pixels:
    """Two's complement of `precision` bits to whole samples; JPEG-LS does not know signs."""
    shift = 8 * width - precision
    samples = numpy.ascontiguousarray(decoded, dtype=f"<u{width}").reshape(-1)
    return ((samples << shift).view(f"<i{width}") >> shift).astype(f"<i{width}", copy=False)


# ---- encoders
# -----------------------------------------------------------------------------------------------------


def _encode_jpeg(pixels: Pixels, job: Job) -> bytes:
    """libjpeg-turbo, baseline or 12 bits extended. It clips in silence: the range is checked before."""
    if job.samples == 1:
        bits = 12 if job.bits_allocated == 16 else None
        return bytes(_library("imagecodecs").jpeg8_encode(pixels, level=int(job.loss), bitspersample=bits))
    source = "RGB" if job.colour == "rgb" else "YCBCR"
    return bytes(
        _library("imagecodecs").jpeg8_encode(
            pixels, level=int(job.loss), colorspace=source, outcolorspace="YCBCR", subsampling="422"
        )
    )


def _encode_jpeg_ls(pixels: Pixels, job: Job) -> bytes:
    """CharLS through pyjpegls, which writes the true precision; imagecodecs writes 16 bits for 12.

    pyjpegls makes no room for the header of images of a few pixels, so those go through imagecodecs.
    """
    if pixels.nbytes < JPEG_LS_TINY:
        return bytes(_library("imagecodecs").jpegls_encode(pixels, level=int(job.loss)))
    options = {"interleave_mode": 2} if job.samples > 1 else {}
    size = (job.rows, job.columns, job.samples, job.precision)
    return bytes(
        _library("jpeg_ls").encode_buffer(pixels.tobytes(), *size, lossy_error=int(job.loss), **options)
    )


def _encode_jpeg_2000(pixels: Pixels, job: Job) -> bytes:
    return bytes(
        _library("imagecodecs").jpeg2k_encode(
            pixels,
            level=job.loss or None,
            codecformat="J2K",
            colorspace="RGB" if job.samples == 3 else None,
            bitspersample=job.precision,
            reversible=not job.loss,
            mct=job.colour == "rgb",
            numthreads=1,
        )
    )


def _encode_htj2k(pixels: Pixels, job: Job) -> bytes:
    """OpenJPH. It writes 8 or 16 bits precision whatever the true one, in RPCL order with a TLM segment."""
    return bytes(
        _library("imagecodecs").htj2k_encode(
            pixels, level=job.loss or None, rgb=job.colour == "rgb", reversible=not job.loss, tlm=True
        )
    )


ENCODERS: Final[dict[str, Callable[[Pixels, Job], bytes]]] = {
    "encode-jpeg": _encode_jpeg,
    "encode-jpeg-ls": _encode_jpeg_ls,
    "encode-jpeg-2000": _encode_jpeg_2000,
    "encode-htj2k": _encode_htj2k,
}


def _from_native(data: memoryview, job: Job) -> Pixels:
    """Native pixels as an array of rows, columns and samples."""
    kind = "i" if job.stream_signed else "u"
    pixels = numpy.frombuffer(data, dtype=f"<{kind}{job.bits_allocated // 8}")
    shape = (job.rows, job.columns) if job.samples == 1 else (job.rows, job.columns, job.samples)
    return pixels.reshape(shape)
