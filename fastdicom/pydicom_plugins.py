"""Our pixel kernels as pydicom's: one import, and each `pixel_array` and `compress()` uses them.

    import fastdicom.pydicom_plugins

    dataset.pixel_array                         # RLE Lossless, JPEG Lossless (.57, .70): our kernels
    dataset.compress(JPEGLosslessSV1)           # pydicom alone has no encoder for it

The plugins stand before pydicom's others and are called "fastdicom" (`decoding_plugin`, `encoding_plugin`).
They give what is right or raise, and then pydicom asks the next plugin: frames that do not fill their image,
RLE with segments in the wrong order, JPEG of another process. Needs pydicom 3. Nothing else in fastdicom
imports this module; `unregister` takes everything back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastdicom.errors import CodecError, UsageError
from fastdicom.kernels import pixels
from fastdicom.transcoding import codecs, gate
from fastdicom.transcoding.codecs import JPEG_LOSSLESS, JPEG_LOSSLESS_SV1, RLE_LOSSLESS
from fastdicom.transcoding.gate import ImageAttributes

if TYPE_CHECKING:
    from pydicom.pixels.common import CoderBase, RunnerBase
    from pydicom.pixels.decoders.base import DecodeRunner
    from pydicom.pixels.encoders.base import EncodeRunner

LABEL: Final = "fastdicom"
OUR_CODINGS: Final = ("rle", "jpeg-lossless")
SYNTAXES: Final = (RLE_LOSSLESS, JPEG_LOSSLESS, JPEG_LOSSLESS_SV1)
DECODER_DEPENDENCIES: Final[dict[str, tuple[str, ...]]] = dict.fromkeys(SYNTAXES, ())
"""pydicom asks for it by this name: what decoding each transfer syntax needs besides."""
ENCODER_DEPENDENCIES: Final = DECODER_DEPENDENCIES
PYDICOM_MAJOR: Final = 3
BYTE: Final = 8
WORD: Final = 16


def is_available(uid: str) -> bool:
    """pydicom asks: can this transfer syntax be coded here?"""
    return uid in SYNTAXES


# ---- registering --------------------------------------------------------------------------------


def register() -> None:
    """Put our plugins before the others; done already when this module is imported, harmless again.

    Raises UsageError for a pydicom without the interface of version 3.
    """
    for coder in _decoders() + _encoders():
        if LABEL not in coder.available_plugins:
            name = "decode_frame" if coder._decoder else "encode_frame"
            coder.add_plugin(LABEL, (__name__, name))
            # Plugins are asked in this order, and there is no other way to come before one that is there.
            coder._available = {LABEL: coder._available.pop(LABEL), **coder._available}


def unregister() -> None:
    """Leave pydicom as it was before `register`."""
    from pydicom.pixels.encoders import base

    for coder in _decoders() + _encoders():
        if LABEL in coder.available_plugins:
            coder.remove_plugin(LABEL)
        if not coder._decoder and not coder.available_plugins and coder.UID != RLE_LOSSLESS:
            del base._PIXEL_DATA_ENCODERS[coder.UID]


def _decoders() -> list[CoderBase]:
    _require_pydicom()
    from pydicom.pixels.decoders.base import get_decoder

    return [get_decoder(uid) for uid in SYNTAXES]


def _encoders() -> list[CoderBase]:
    """pydicom's encoder of RLE, and those of lossless JPEG: it has rules for these, but no encoder."""
    _require_pydicom()
    from pydicom.pixels.encoders import base
    from pydicom.uid import UID

    for uid in map(UID, SYNTAXES):
        if uid not in base._PIXEL_DATA_ENCODERS:
            base._PIXEL_DATA_ENCODERS[uid] = base.Encoder(uid), "3.0"
    return [base.get_encoder(uid) for uid in SYNTAXES]


def _require_pydicom() -> None:
    import pydicom

    if int(pydicom.__version__.split(".")[0]) < PYDICOM_MAJOR:
        raise UsageError(f"pydicom {pydicom.__version__} has no pixel plugins; version {PYDICOM_MAJOR} has")


# ---- what pydicom calls -------------------------------------------------------------------------


def decode_frame(src: bytes, runner: DecodeRunner) -> bytearray:
    """One frame, interleaved, in as many bits as the Data Set allocates. Raises CodecError.

    RLE has to fill its image exactly; where it does not, another plugin may know what to make of it.
    """
    image = _image(runner)
    uid = str(runner.transfer_syntax)
    if image.bits_allocated == 1:
        raise CodecError("one-bit pixels, of which pydicom expects eight in a byte")
    if runner.get_option("rle_segment_order", ">") != ">":
        raise CodecError("RLE with the least significant byte first")
    found = gate.inspect(uid, src, image)
    if found.coding not in OUR_CODINGS:
        raise CodecError(f"a {found.coding} codestream, which is not ours to decode")
    frame = codecs.decode_frame(uid, src, image, strict=found.coding == "rle")
    if image.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    return frame


def encode_frame(src: bytes, runner: EncodeRunner) -> bytes:
    """One frame, encoded and padded to an even length. Raises CodecError for what the syntax cannot carry."""
    if runner.get_option("byteorder", "<") == ">":
        raise CodecError("big-endian samples")
    image = _image(runner)
    uid = str(runner.transfer_syntax)
    frame = _whole_samples(src, image)
    if image.samples_per_pixel > 1 and runner.planar_configuration == 1:
        if uid != RLE_LOSSLESS:
            raise CodecError("Planar Configuration 1: lossless JPEG is interleaved, and decoders go by it")
        if not runner.is_array:  # arrays come as (rows, columns, samples) whatever it says
            frame = pixels.to_interleaved(frame, image.samples_per_pixel, image.bits_allocated)
    codestream = codecs.encode_frame(uid, frame, image)
    return codestream + bytes(len(codestream) % 2)


def _whole_samples(src: bytes, image: ImageAttributes) -> bytes | bytearray:
    """The frame with Bits Allocated again, where pydicom has left only the byte that Bits Stored needs."""
    if image.bits_allocated != WORD or image.bits_stored > BYTE or len(src) != image.sample_count:
        return src
    words = bytearray(2 * len(src))
    words[::2] = src
    signed = bool(image.pixel_representation)
    return pixels.align_samples(words, WORD, image.bits_stored, image.bits_stored - 1, signed, out=words)


def _image(runner: RunnerBase) -> ImageAttributes:
    return ImageAttributes(
        rows=runner.rows,
        columns=runner.columns,
        samples_per_pixel=runner.samples_per_pixel,
        bits_allocated=runner.bits_allocated,
        bits_stored=runner.bits_stored,
        pixel_representation=runner.pixel_representation,
        photometric_interpretation=str(runner.photometric_interpretation),
    )


register()
