"""What a Data Set says about lossy compression, and what it has to say once it is compressed so.

PS3.3 C.7.6.1.1.2 (Image Type), C.7.6.1.1.3 (Derivation), C.7.6.1.1.5 (Lossy Image Compression), C.12.4.
"""

from __future__ import annotations

import hashlib
from typing import Final

from fastdicom.transcoding import outline as tags
from fastdicom.transcoding.codecs import (
    HTJ2K,
    JPEG_2000,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LS_NEAR_LOSSLESS,
    Quality,
)
from fastdicom.transcoding.outline import Coding, Outline, element, sequence

METHODS: Final = {
    "jpeg": "ISO_10918_1",
    "jpeg-lossless": "ISO_10918_1",
    "jpeg-ls": "ISO_14495_1",
    "jpeg-2000": "ISO_15444_1",
    "htj2k": "ISO_15444_15",
}
"""Lossy Image Compression Method (0028,2114) by coding."""

_SETTINGS: Final = {
    JPEG_BASELINE: ("jpeg", "JPEG, quality {0.jpeg}"),
    JPEG_EXTENDED: ("jpeg", "JPEG, quality {0.jpeg}"),
    JPEG_LS_NEAR_LOSSLESS: ("jpeg-ls", "JPEG-LS, error at most {0.near}"),
    JPEG_2000: ("jpeg-2000", "JPEG 2000, {0.psnr:g} dB"),
    HTJ2K: ("htj2k", "HTJ2K, quantizer step {0.step:g}"),
}
_ST_LENGTH_MAX: Final = 1024


def derived_uid(sop_instance_uid: str, transfer_syntax_uid: str, quality: Quality) -> str:
    """The SOP Instance UID of a lossy copy: the same whenever the same is made again. PS3.5 B.2."""
    content = f"{sop_instance_uid} {transfer_syntax_uid} {tuple(quality)}"
    digest = hashlib.blake2b(content.encode(), digest_size=16).digest()
    return f"2.25.{int.from_bytes(digest, 'big')}"


def lossy_flags(outline: Outline, ratio: float, coding: str) -> dict[int, bytes]:
    """The elements that say: once more compressed with loss, to one part in `ratio`."""
    before = outline.text(tags.LOSSY_IMAGE_COMPRESSION) == "01"
    ratios = _values(outline, tags.LOSSY_IMAGE_COMPRESSION_RATIO) if before else []
    methods = _values(outline, tags.LOSSY_IMAGE_COMPRESSION_METHOD) if before else []
    text = "\\".join([*ratios, f"{ratio:.4g}"])
    return {
        tags.LOSSY_IMAGE_COMPRESSION: element(tags.LOSSY_IMAGE_COMPRESSION, "CS", b"01", outline.coding),
        tags.LOSSY_IMAGE_COMPRESSION_RATIO: element(
            tags.LOSSY_IMAGE_COMPRESSION_RATIO, "DS", text.encode(), outline.coding
        ),
        tags.LOSSY_IMAGE_COMPRESSION_METHOD: element(
            tags.LOSSY_IMAGE_COMPRESSION_METHOD,
            "CS",
            "\\".join([*methods, METHODS[coding]]).encode(),
            outline.coding,
        ),
    }


def _values(outline: Outline, tag: int) -> list[str]:
    text = outline.text(tag)
    return text.split("\\") if text else []


def derivation(
    outline: Outline, transfer_syntax_uid: str, quality: Quality, ratio: float
) -> tuple[str, dict[int, bytes]]:
    """The new SOP Instance UID, and the elements that a lossy copy differs in beside those of its pixels."""
    coding = outline.coding
    name, settings = _SETTINGS[transfer_syntax_uid]
    old_uid = outline.text(tags.SOP_INSTANCE_UID)
    new_uid = derived_uid(old_uid, transfer_syntax_uid, quality)
    described = outline.text(tags.DERIVATION_DESCRIPTION)
    text = f"Lossy compression: {settings.format(quality)}, ratio {ratio:.4g}"
    described = f"{described}; {text}" if described else text
    changes = lossy_flags(outline, ratio, name) | {
        tags.SOP_INSTANCE_UID: element(tags.SOP_INSTANCE_UID, "UI", new_uid.encode(), coding),
        tags.DERIVATION_DESCRIPTION: element(
            tags.DERIVATION_DESCRIPTION, "ST", described.encode("latin-1")[-_ST_LENGTH_MAX:], coding
        ),
        tags.SOURCE_IMAGE_SEQUENCE: _with_item(
            outline, tags.SOURCE_IMAGE_SEQUENCE, _source(outline, old_uid)
        ),
        tags.DERIVATION_CODE_SEQUENCE: _with_item(
            outline,
            tags.DERIVATION_CODE_SEQUENCE,
            _code("113040", "Lossy Compression", coding),
        ),
    }
    kinds = _values(outline, tags.IMAGE_TYPE)
    if kinds:
        kinds[0] = "DERIVED"
        changes[tags.IMAGE_TYPE] = element(tags.IMAGE_TYPE, "CS", "\\".join(kinds).encode("latin-1"), coding)
    return new_uid, changes


def _with_item(outline: Outline, tag: int, item: bytes) -> bytes:
    """A sequence with one more item at its end; what is there goes along as it is."""
    fresh = sequence(tag, [item], outline.coding)
    value = bytes(outline.value(tag))
    if not value:
        return fresh
    place = outline.places[tag]
    if place.vr not in ("SQ", "UN"):
        return fresh
    order = "big" if outline.coding.big_endian else "little"
    delimiter = (0xFFFE).to_bytes(2, order) + (0xE0DD).to_bytes(2, order) + bytes(4)  # type: ignore[arg-type]
    stated = bytes(outline.source[place.value - 4 : place.value]) != b"\xff\xff\xff\xff"
    items = value if stated else value.removesuffix(delimiter)
    head_length = 12 if outline.coding.explicit_vr else 8
    return element(tag, "SQ", items + fresh[head_length:], outline.coding)


def _source(outline: Outline, old_uid: str) -> bytes:
    """An item of Source Image Sequence, PS3.3 Table 10-11 and C.12.4."""
    coding = outline.coding
    purpose = _code("121320", "Uncompressed predecessor", coding)
    return b"".join(
        (
            element(0x00081150, "UI", outline.text(tags.SOP_CLASS_UID).encode(), coding),
            element(0x00081155, "UI", old_uid.encode(), coding),
            sequence(0x0040A170, [purpose], coding),
        )
    )


def _code(value: str, meaning: str, coding: Coding) -> bytes:
    """A code of the DICOM Controlled Terminology (DCM), PS3.3 Table 8.8-1."""
    return b"".join(
        (
            element(0x00080100, "SH", value.encode(), coding),
            element(0x00080102, "SH", b"DCM", coding),
            element(0x00080104, "LO", meaning.encode(), coding),
        )
    )
