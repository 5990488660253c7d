"""kill -9 while what comes in is compressed: what was acknowledged is there, once, with the same pixels.

Between the last fragment and the answer there are two files for a moment, the one that came and its copy,
compressed; no row may name one that is gone, and no file be left without a row. What came and was not
answered for may be there as it came.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import xxhash

from fastdicom.dataset.record import StoredEntry
from fastdicom.transcoding.codecs import JPEG_LOSSLESS_SV1
from fastdicom.transcoding.objects import convert
from tests.crash.support import SIZE, check_promise, killed_again_and_again
from tests.support.datasets import Template
from tests.support.rawdicom import CT_IMAGE_STORAGE, EXPLICIT_LE

ROUNDS = 20
RULES = [{"transfer_syntax": "JPEGLosslessSV1", "sop_classes": ["CTImageStorage"]}]


def compressible() -> Template:
    """Instances with a ramp for pixels: noise would be kept as it came."""
    noise = Template.make(CT_IMAGE_STORAGE, EXPLICIT_LE, SIZE)
    ramp = b"".join((number % 64 * 3).to_bytes(2, "little") for number in range(SIZE // 2))
    assert noise.data[-SIZE - 8 : -SIZE] == b"OW\0\0" + SIZE.to_bytes(4, "little")
    return replace(noise, data=noise.data[:-SIZE] + ramp)


def decompressed(entry: StoredEntry, data: bytes) -> bytes:
    """What was sent, from what is stored; the row says the same, whether it was written or recovered."""
    assert entry.file.transfer_syntax_uid == JPEG_LOSSLESS_SV1
    sent = b"".join(convert(data, JPEG_LOSSLESS_SV1, EXPLICIT_LE))
    proof = entry.file.compression
    assert proof is not None, "an instance without the proof that its pixels are the same"
    assert proof.received_checksum == xxhash.xxh3_64_intdigest(sent)
    return sent


@pytest.mark.timeout(600)
def test_what_was_acknowledged_survives_kills_while_it_is_compressed(tmp_path: Path) -> None:
    archive, senders = killed_again_and_again(
        tmp_path, ROUNDS, seed=20260302, template=compressible(), compress=RULES
    )
    answered = {one.uids(number).instance for one in senders for number in one.acknowledged}

    def received(entry: StoredEntry, data: bytes) -> bytes:
        if entry.file.compression is None and entry.sop_instance_uid not in answered:
            return data
        return decompressed(entry, data)

    check_promise(archive, senders, spare=True, received=received)
