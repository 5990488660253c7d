"""Every real file: stored, found and sent on with the same bytes, or refused for a stated reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.refused_files import REFUSED
from tests.interop.waves import Sendable, sendable, store_all, waves
from tests.support.node import fastdicom_node, peer_table
from tests.support.rawelements import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from tests.support.rawserver import RawServer, Sink
from tests.support.retrieve import Querier


def instances_found(querier: Querier) -> set[str]:
    """The SOP Instance UIDs that C-FIND shows, asked for level by level."""
    found = set()
    for study in querier.uids("STUDY", STUDY_INSTANCE_UID):
        for series in querier.uids("SERIES", SERIES_INSTANCE_UID, {STUDY_INSTANCE_UID: study}):
            keys = {STUDY_INSTANCE_UID: study, SERIES_INSTANCE_UID: series}
            found |= set(querier.uids("IMAGE", SOP_INSTANCE_UID, keys))
    return found


def round_trip(folder: Path, files: list[Sendable]) -> dict[str, str]:
    """Store, find and move; the files refused, and how (a status, or which part of the context)."""
    sink = Sink()
    with RawServer(sink.serve) as server:
        peers = [peer_table("SINK", server.port)]
        with fastdicom_node(folder, peers=peers) as node, Querier(node.port) as querier:
            refused = store_all(node.port, files)
            stored = {one.sop_instance: one for one in files if not refused[one.name]}
            assert instances_found(querier) == set(stored)
            assert querier.move_everything() == len(stored)
    came = {one.sop_instance: (one.sop_class, one.transfer_syntax, one.data) for one in sink.received}
    assert set(came) == set(stored)
    changed = [
        one.name for uid, one in stored.items() if came[uid] != (one.sop_class, one.transfer_syntax, one.data)
    ]
    assert changed == []
    return {name: how for name, how in refused.items() if how}


@pytest.mark.timeout(600)
def test_every_shared_file_is_stored_found_and_sent_on_unchanged(tmp_path: Path) -> None:
    refused: dict[str, str] = {}
    for number, wave in enumerate(waves()):
        refused |= round_trip(tmp_path / str(number), [sendable(file) for file in wave])
    assert {name: how[: len(REFUSED.get(name, how))] for name, how in refused.items()} == REFUSED
