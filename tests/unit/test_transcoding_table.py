"""docs/transcoding.md says what the code does."""

from __future__ import annotations

import pytest

from docs.generate_transcoding import (
    BLOCKS,
    CODED,
    DECODED,
    DOCUMENT,
    ENCODED,
    LOSSY,
    RECODED,
    REFUSED,
    SAME,
    what_happens,
)
from docs.generated import filled
from fastdicom.errors import Refused
from fastdicom.standard.transfer_syntaxes import KNOWN, NATIVE
from fastdicom.transcoding import codecs
from fastdicom.transcoding.objects import Options, convert
from fastdicom.transcoding.workers import Workers
from tests.support.image_objects import EXPLICIT_LE, image_object, to_bytes
from tests.support.images import picture

OURS = [*sorted(NATIVE), codecs.RLE_LOSSLESS, codecs.JPEG_LOSSLESS, codecs.JPEG_LOSSLESS_SV1]
WRITTEN = [uid for uid, row in KNOWN.items() if row.encode]


def test_the_table_is_up_to_date() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert filled(text, BLOCKS) == text, "run python -m docs.generate_transcoding"
    assert filled(text.replace("| L |", "| E |", 1), BLOCKS) != text.replace("| L |", "| E |", 1)


def seen(from_uid: str, to_uid: str, source: bytes, options: Options) -> str:
    """The sign of the table that a conversion deserves."""
    if from_uid == to_uid:
        assert b"".join(convert(source, from_uid, to_uid, options)) == source
        return SAME
    try:
        result = convert(source, from_uid, to_uid, options)
    except Refused:
        return REFUSED
    b"".join(result)
    if result.sop_instance_uid is not None:
        return LOSSY
    if not result.changed_pixels:
        return CODED
    if from_uid in NATIVE:
        return ENCODED
    return DECODED if to_uid in NATIVE else RECODED


def check(sources: list[str], targets: list[str], options: Options) -> None:
    plain = to_bytes(image_object(picture(16, 16, 0, 255, "u1")))
    for from_uid in sources:
        source = b"".join(convert(plain, EXPLICIT_LE, from_uid, options))
        for to_uid in targets:
            assert seen(from_uid, to_uid, source, options) == what_happens(from_uid, to_uid), (
                KNOWN[from_uid].keyword,
                KNOWN[to_uid].keyword,
            )


def test_cells_of_our_own_codecs_are_what_happens() -> None:
    refused = [uid for uid, row in KNOWN.items() if not row.encode]
    check(OURS, [*OURS, *refused], Options())


@pytest.mark.slow
def test_every_cell_is_what_happens() -> None:
    with Workers(count=2) as workers:
        check(WRITTEN, WRITTEN, Options(workers=workers))
