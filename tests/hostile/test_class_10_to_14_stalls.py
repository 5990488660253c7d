"""Mutated codestreams (10 to 14), stored, then moved to a peer that takes Explicit VR only: nobody waits.

Another association echoes all the while, as in `test_stalls`: compared with a node that is left alone, for
decoding takes processors that any echo has to wait for; and the median of three rounds counts.
"""

from __future__ import annotations

import random
import statistics
from pathlib import Path

import pytest

from fastdicom.transcoding import codecs
from fastdicom.transcoding.gate import ImageAttributes
from tests.fuzz.mutations import mutated
from tests.hostile.codestreams import DELIMITER, data_set, item
from tests.hostile.harness import CANNOT_UNDERSTAND, fresh_uids
from tests.hostile.test_stalls import STALL_S, Comparison, compared
from tests.support.images import picture
from tests.support.node import Node, fastdicom_node, peer_table
from tests.support.rawdicom import CT_IMAGE_STORAGE, EXPLICIT_LE, RawAssociation
from tests.support.rawelements import STUDY_INSTANCE_UID
from tests.support.rawpdu import Proposal
from tests.support.rawserver import RawServer, Sink, only_syntaxes
from tests.support.retrieve import Querier

SYNTAXES = (
    codecs.JPEG_LOSSLESS_SV1,
    codecs.RLE_LOSSLESS,
    codecs.JPEG_BASELINE,
    codecs.JPEG_LS_LOSSLESS,
    codecs.JPEG_2000_LOSSLESS,
    codecs.HTJ2K_LOSSLESS,
)
IMAGE = ImageAttributes(1024, 1024, 1, 8, 8)
MUTANTS, ROUNDS = 12, 3
Uids = tuple[str, str, str]


def mutants(syntax: str, uids: Uids) -> list[bytes]:
    """Data Sets of one study: a good one, and others whose Pixel Data were injured."""
    frame = picture(IMAGE.rows, IMAGE.columns, 0, 255, "u1").tobytes()
    good = codecs.encode_frame(syntax, frame, IMAGE)
    chance = random.Random(syntax)
    found = []
    for number in range(MUTANTS):
        stream = good if number == 0 else mutated(good, chance)
        pixels = item(b"") + item(stream + b"\0" * (len(stream) % 2)) + DELIMITER
        if number % 4 == 3:  # the fragments, too
            pixels = mutated(pixels, chance)
        one = (*uids[:2], f"{uids[2]}.{number}")
        found.append(data_set(one, CT_IMAGE_STORAGE, IMAGE, pixels))
    return found


def store(node: Node, syntax: str, uids: Uids, objects: list[bytes]) -> int:
    """How many of them the node took."""
    with RawAssociation.to(node.port, [Proposal(1, CT_IMAGE_STORAGE, (syntax,))]) as association:
        statuses = [
            association.store(CT_IMAGE_STORAGE, f"{uids[2]}.{number}", data).status
            for number, data in enumerate(objects)
        ]
        association.release()
    assert set(statuses) <= {0, CANNOT_UNDERSTAND}
    return statuses.count(0)


def move(node: Node, comparison: Comparison, study: str) -> float:
    """The stall while the study is converted and sent."""
    comparison.stall()
    with Querier(node.port, timeout_s=120) as querier:
        final = querier.move("STUDY", {STUDY_INSTANCE_UID: study})
    assert final.status in (0, 0xB000, 0xA702)
    return comparison.stall()


@pytest.mark.timeout(400)
def test_mutated_codestreams_on_their_way_stall_no_other_association(tmp_path: Path) -> None:
    sink = Sink(only_syntaxes(EXPLICIT_LE))
    with (
        RawServer(sink.serve, timeout_s=120) as server,
        fastdicom_node(tmp_path / "node", peers=[peer_table("SINK", server.port)]) as node,
    ):
        studies = {}
        for syntax in SYNTAXES:
            uids = fresh_uids()
            assert store(node, syntax, uids, mutants(syntax, uids)) > 1
            studies[syntax] = uids[0]
        with compared(node, tmp_path / "alone") as comparison:
            rounds = [[move(node, comparison, study) for study in studies.values()] for _ in range(ROUNDS)]
        assert node.alive
        assert "Traceback" not in node.log
    medians = [statistics.median(stalls) for stalls in zip(*rounds, strict=True)]
    print("stall of each study, median of three, ms:", [round(1000 * one, 1) for one in medians])
    assert {one.transfer_syntax for one in sink.received} == {EXPLICIT_LE}
    assert len(sink.by_instance()) >= len(SYNTAXES), "not even the good ones arrived"
    assert max(medians) < STALL_S
