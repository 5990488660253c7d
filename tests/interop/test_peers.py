"""The peers start, answer the raw client, keep what it stores, and are gone afterwards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support import peers, procfs
from tests.support.processes import Peer, PeerMissing, program
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    EXPLICIT_LE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
    RawAssociation,
    seconds_to_echo,
)
from tests.support.rawelements import STUDY_INSTANCE_UID, identifier, instance
from tests.support.rawpdu import Proposal
from tests.support.rawserver import RawServer, Sink

pytestmark = pytest.mark.interop

UIDS = ("1.2.3.1", "1.2.3.2", "1.2.3.3")
CONTEXTS: list[Proposal | str] = [
    Proposal(1, CT_IMAGE_STORAGE, (EXPLICIT_LE,)),
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
]
ALL = [peers.storescp, peers.dcmqrscp, peers.orthanc, peers.pynetdicom_storescp, peers.pynetdicom_qrscp]


@pytest.mark.parametrize("start", ALL)
def test_peer_echoes_and_stores(
    start: Callable[[Path], AbstractContextManager[Peer]], tmp_path: Path
) -> None:
    with start(tmp_path) as peer:
        assert seconds_to_echo(peer.port, peer.ae_title) < 5
        with RawAssociation.to(peer.port, CONTEXTS[:1], called=peer.ae_title) as association:
            response = association.store(CT_IMAGE_STORAGE, UIDS[2], instance(UIDS, CT_IMAGE_STORAGE))
            assert response.status == 0
            association.release()
        assert procfs.cpu_seconds(peer.pid) >= 0
        assert procfs.peak_mb(peer.pid) > 1
    assert not peer.alive


@pytest.mark.parametrize("start", [peers.dcmqrscp, peers.orthanc, peers.pynetdicom_qrscp])
def test_peer_finds_and_moves_to_the_sink(
    start: Callable[..., AbstractContextManager[Peer]], tmp_path: Path
) -> None:
    sink = Sink()
    study = identifier("STUDY", {STUDY_INSTANCE_UID: UIDS[0]})
    with (
        RawServer(sink.serve) as server,
        start(tmp_path, destinations=[("SINK", server.port)]) as peer,
        RawAssociation.to(peer.port, CONTEXTS, called=peer.ae_title, calling="SINK") as association,
    ):
        association.store(CT_IMAGE_STORAGE, UIDS[2], instance(UIDS, CT_IMAGE_STORAGE))
        assert [one.status for one in association.find(STUDY_ROOT_FIND, study)] == [0xFF00, 0]
        assert association.move(STUDY_ROOT_MOVE, study, "SINK")[-1].status == 0
        association.release()
    assert [one.sop_instance for one in sink.received] == [UIDS[2]]


def test_missing_program_is_a_skip_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTDICOM_REQUIRE_PEERS", raising=False)
    with pytest.raises(PeerMissing, match="no-such-scp is not installed"):
        program("no-such-scp")
    monkeypatch.setenv("FASTDICOM_REQUIRE_PEERS", "1")
    with pytest.raises(RuntimeError, match="no-such-scp"):
        program("no-such-scp")
