"""[transcoding]: what is sent to a peer that does not take an instance as it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastdicom.settings import choice, listing, number, setting, transfer_syntax
from fastdicom.standard.transfer_syntaxes import KNOWN


def _lossy_target(value: object) -> str:
    uid = transfer_syntax(value)
    if not KNOWN[uid].encode or KNOWN[uid].lossless is not False:
        raise ValueError(f"{KNOWN[uid].keyword} is no lossy transfer syntax that we can write")
    return uid


def lossless_target(value: object) -> str:
    uid = transfer_syntax(value)
    if not KNOWN[uid].encode or KNOWN[uid].lossless is False:
        raise ValueError(f"{KNOWN[uid].keyword} is no lossless transfer syntax that we can write")
    return uid


lossy_targets = listing(_lossy_target)


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodingConfig:
    """[transcoding]. The stored transfer syntax is always sent where it is accepted.

    prefer: lossless targets to try before the others, which come in the order Explicit VR Little Endian,
    Deflated, Big Endian, Implicit VR, JPEG Lossless SV1, JPEG-LS, RLE, JPEG 2000, JPEG Lossless, HTJ2K.
    lossy: targets to use when no lossless one is accepted; empty: never. jpeg_quality: 1-100.
    jpeg_ls_near: the largest error of a sample. colour: YCbCr in JPEG becomes "rgb" in native pixels, or is
    kept ("keep"). threads, codec_workers: 0 for one for each processor.
    """

    prefer: tuple[str, ...] = setting((), listing(lossless_target))
    lossy: tuple[str, ...] = setting((), lossy_targets)
    jpeg_quality: int = setting(90, number(1, 100))
    jpeg_ls_near: int = setting(2, number(1, 255))
    colour: Literal["rgb", "keep"] = setting("rgb", choice("rgb", "keep"))
    threads: int = setting(0, number(0, 256))
    codec_workers: int = setting(0, number(0, 256))
