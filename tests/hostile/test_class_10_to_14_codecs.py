"""Image geometry (10), RLE (11), JPEG (12), JPEG-LS and JPEG 2000 (13), fragments (14).

Twice: at the decoders' door, and through a node that stores the object and is asked for it by a peer that
takes native pixels only. It is refused or fails, in time and within memory; what is stored stays as it came.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastdicom.errors import CodecError, MalformedDataset
from fastdicom.transcoding.codecs import decode_frame
from fastdicom.transcoding.frames import Frames
from tests.hostile.codestreams import (
    DELIMITER,
    Hostile,
    all_frames,
    data_set,
    item,
    pixel_data_items,
)
from tests.hostile.harness import CANNOT_UNDERSTAND, Target, fresh_uids
from tests.support import procfs
from tests.support.node import fastdicom_node, peer_table
from tests.support.rawdicom import CT_IMAGE_STORAGE, IMPLICIT_LE, RawAssociation
from tests.support.rawelements import STUDY_INSTANCE_UID
from tests.support.rawpdu import Proposal
from tests.support.rawserver import RawServer, Sink, only_syntaxes
from tests.support.retrieve import Querier

SECONDS, MEMORY_MB = 5.0, 64.0
FRAMES = all_frames()


@pytest.mark.parametrize("case", FRAMES, ids=lambda case: f"class_{case.threat}-{case.name}")
def test_class_10_to_13_a_decoder_refuses_or_is_right_in_time_and_memory(case: Hostile) -> None:
    import os

    pid = os.getpid()
    procfs.reset_peak(pid)
    before, begun = procfs.resident_mb(pid), time.monotonic()
    try:
        frame = decode_frame(case.syntax, case.data, case.image)
    except CodecError as error:
        assert str(error)
    else:
        assert len(frame) == case.image.frame_length
    assert time.monotonic() - begun < SECONDS
    assert procfs.peak_mb(pid) - before < MEMORY_MB


@pytest.mark.parametrize("frames", [1, 2, 1 << 31])
@pytest.mark.parametrize("name", pixel_data_items())
def test_class_14_fragments_that_lie_are_refused_or_told_apart_rightly(name: str, frames: int) -> None:
    value = pixel_data_items()[name]
    begun = time.monotonic()
    try:
        found = Frames(value, 0, frames)
    except (CodecError, MalformedDataset):
        pass
    else:
        assert len(found) == frames
        assert sum(len(frame) for frame in found) <= len(value)
    assert time.monotonic() - begun < SECONDS


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, Sink]]:
    """A node, and a destination that takes Implicit VR Little Endian only."""
    sink = Sink(choose=only_syntaxes(IMPLICIT_LE))
    root = tmp_path_factory.mktemp("codecs")
    with RawServer(sink.serve) as server:
        table = [peer_table("SINK", server.port)]
        with fastdicom_node(root / "node", peers=table) as running:
            yield Target(running, root, running.archive), sink


def through_the_node(node: tuple[Target, Sink], syntax: str, data: bytes, uids: tuple[str, str, str]) -> None:
    """Store it and have it sent: the answers are honest, the bytes stay, the node is unharmed."""
    target, sink = node
    with target.unharmed() as after:
        with RawAssociation.to(target.port, [Proposal(1, CT_IMAGE_STORAGE, (syntax,))]) as association:
            status = association.store(CT_IMAGE_STORAGE, uids[2], data).status
            association.release()
        assert status in (0, CANNOT_UNDERSTAND)
        after.stored = int(status == 0)
        if status:
            return
        begun = time.monotonic()
        with Querier(target.port) as querier:
            final = querier.move("STUDY", {STUDY_INSTANCE_UID: uids[0]})
        assert time.monotonic() - begun < 3 * SECONDS
        if final.status == 0:
            assert uids[2] in sink.by_instance()
        else:
            assert final.status in (0xA702, 0xB000) and final.comment
            assert uids[2] not in sink.by_instance()
    kept = [
        path for path in target.stored_files() if path.suffix == ".dcm" and uids[2].encode() in _head(path)
    ]
    assert len(kept) == 1 and kept[0].read_bytes().endswith(data)


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(1000)


# one of each kind: the decoders themselves were asked above
CHOSEN = [case for case in FRAMES if "mutant" not in case.name and "as lossless" not in case.name]


@pytest.mark.parametrize("case", CHOSEN[::4], ids=lambda case: f"class_{case.threat}-{case.name}")
def test_class_10_to_13_a_node_keeps_what_it_cannot_decode_and_says_so(
    node: tuple[Target, Sink], case: Hostile
) -> None:
    uids = fresh_uids()
    padded = case.data + b"\0" * (len(case.data) % 2)
    pixels = item(b"") + item(padded) + DELIMITER
    through_the_node(node, case.syntax, data_set(uids, CT_IMAGE_STORAGE, case.image, pixels), uids)


@pytest.mark.parametrize("name", pixel_data_items())
def test_class_14_a_node_survives_fragments_that_lie(node: tuple[Target, Sink], name: str) -> None:
    uids = fresh_uids()
    data = data_set(
        uids, CT_IMAGE_STORAGE, FRAMES[0].image._replace(rows=4, columns=5), pixel_data_items()[name]
    )
    through_the_node(node, "1.2.840.10008.1.2.4.70", data, uids)
