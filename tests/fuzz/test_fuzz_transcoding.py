"""Mutated Data Sets through whole conversions: pixels or an error of ours; what we made can be read again."""

from __future__ import annotations

import os
import random

from fastdicom.errors import FastdicomError
from fastdicom.standard.transfer_syntaxes import NATIVE
from fastdicom.transcoding import codecs
from fastdicom.transcoding.objects import Options, convert
from tests.support.image_objects import EXPLICIT_LE, image_object, to_bytes
from tests.support.images import picture

SYNTAXES = [*sorted(NATIVE), codecs.RLE_LOSSLESS, codecs.JPEG_LOSSLESS_SV1]
MUTATIONS = int(os.environ.get("FASTDICOM_MUTATIONS", "2000"))


def mutated(data: bytes, rng: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        found[rng.randrange(len(found))] = rng.choice((0, 1, 128, 255, rng.randrange(256)))
    if rng.random() < 0.15:
        del found[rng.randrange(len(found)) :]
    return bytes(found)


def test_mutated_data_sets_end_in_pixels_or_in_an_error_of_ours() -> None:
    frames = image_object(picture(9, 11, 0, 4000, "<u2", 3).transpose(2, 0, 1), BitsStored=12)
    colour = image_object(picture(9, 11, 0, 255, "u1", 3), SamplesPerPixel=3)
    sources = [
        (uid, b"".join(convert(to_bytes(ds), EXPLICIT_LE, uid)))
        for ds in (frames, colour)
        for uid in SYNTAXES
    ]
    options = Options(frame_length_max=1 << 20, memory_max=1 << 16)
    rng = random.Random(5)
    made = refused = 0
    for _ in range(MUTATIONS):
        from_uid, data = rng.choice(sources)
        to_uid = rng.choice(SYNTAXES)
        try:
            result = convert(mutated(data, rng), from_uid, to_uid, options)
            whole = b"".join(result)
        except FastdicomError:
            refused += 1
            continue
        made += 1
        assert result.length in (None, len(whole))
        if result.changed_pixels and to_uid not in NATIVE:
            b"".join(convert(whole, to_uid, EXPLICIT_LE, options))
    assert made > MUTATIONS // 10 and refused > MUTATIONS // 10
