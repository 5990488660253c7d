"""A damaged object, seen from the network: found as UNAVAILABLE, not sent, healed by its sender."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastdicom
from fastdicom.services.ports import Superseded
from tests.support.archives import Filler

KEYS = {"StudyInstanceUID": "1.1"}


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[fastdicom.Engine, fastdicom.Engine]]:
    """A node with a study of three instances, the second damaged, and a node that it may send to."""
    with fastdicom.Engine(fastdicom.Config(ae_title="SINK", port=0, archive=tmp_path / "sink")) as sink:
        peer = {"ae_title": "SINK", "host": "127.0.0.1", "port": sink.addresses[0][1]}
        config = fastdicom.Config(
            ae_title="NODE",
            port=0,
            archive=tmp_path / "node",
            peers=[peer],
            access={"unknown_peers": ["echo", "store", "find", "move", "get"]},
        )
        with fastdicom.Engine(config) as node:
            Filler(node.archive).study("1.1", instances=3)
            entry = node.archive.index.get("1.1.1.2")
            assert entry is not None
            path = node.archive.path_of(entry)
            path.write_bytes(path.read_bytes()[:-2] + b"\xff\xff")
            yield node, sink


def availability(peer: fastdicom.PeerConnection) -> dict[str, str]:
    keys = {**KEYS, "SeriesInstanceUID": "1.1.1", "SOPInstanceUID": "", "InstanceAvailability": ""}
    return {one.SOPInstanceUID: one.InstanceAvailability for one in peer.find(level="IMAGE", **keys)}


def test_a_damaged_object_is_found_and_not_sent_until_it_is_sent_again(
    nodes: tuple[fastdicom.Engine, fastdicom.Engine], tmp_path: Path
) -> None:
    node, sink = nodes
    with fastdicom.connect("127.0.0.1", node.addresses[0][1], calling="CLIENT") as peer:
        report = peer.move(destination="SINK", level="STUDY", **KEYS)
        assert (report.completed, report.failed, report.status) == (2, 1, 0xB000)
        assert report.failed_sop_instance_uids == ["1.1.1.2"]
        assert report.comment.startswith("damaged, send it again")
        assert availability(peer) == {"1.1.1.1": "ONLINE", "1.1.1.2": "UNAVAILABLE", "1.1.1.3": "ONLINE"}
        got = peer.get(tmp_path / "got", level="STUDY", **KEYS)
        assert (got.completed, got.failed) == (2, 1)
        assert len(list((tmp_path / "got").iterdir())) == 2
    assert sink.archive.counts().instances == 2
    assert node.status()["verify"]["damaged"] == 1
    Filler(node.archive).study("1.1", instances=3)  # its sender sends the study again
    with fastdicom.connect("127.0.0.1", node.addresses[0][1], calling="CLIENT") as peer:
        assert set(availability(peer).values()) == {"ONLINE"}
        assert peer.move(destination="SINK", level="STUDY", **KEYS).status == 0
    assert sink.archive.counts().instances == 3
    assert node.status()["verify"]["damaged"] == 0


def test_retention_of_a_running_node_deletes_and_counts(tmp_path: Path) -> None:
    config = fastdicom.Config(port=0, archive=tmp_path / "node", retention={"max_age": "30 d"})
    with fastdicom.Engine(config) as node:
        Filler(node.archive).study("1.1", received=time.time() - 40 * 86400, instances=3)
        Filler(node.archive).study("1.2", instances=1)
        node._housekeeper.retention.run()
        assert node.archive.counts().studies == 1
        assert node.status()["retention"]["deleted_instances"] == 3
        changed = config.with_changes(retention={"max_age": 0, "max_size": 1})
        assert node.reload(changed) == []
        node._housekeeper.retention.run()
        assert node.archive.counts().studies == 0


@pytest.mark.parametrize("looks_first", [True, False])
def test_what_was_replaced_or_deleted_since_it_was_selected_is_not_called_damaged(
    tmp_path: Path, looks_first: bool
) -> None:
    config = fastdicom.Config(archive=tmp_path / "node", port=0, verify={"before_sending": looks_first})
    with fastdicom.Engine(config) as node:
        uids = Filler(node.archive).study("1.1", instances=2)
        replaced, deleted = [node.archive.index.get(uid) for uid in uids]
        assert replaced is not None and deleted is not None
        Filler(node.archive, replaces=True).study("1.1")
        node.delete(StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1", SOPInstanceUID=uids[1])
        with pytest.raises(Superseded, match="was replaced since it was selected") as found:
            node.archive.read(replaced)
        assert found.value.now == node.archive.index.get(uids[0])
        with pytest.raises(fastdicom.Refused, match="was deleted since it was selected"):
            node.archive.read(deleted)
        assert node.status()["verify"]["damaged"] == 0


@pytest.mark.parametrize("looks_first", [True, False])
def test_what_is_replaced_while_its_study_is_fetched_comes_as_it_is_now(
    tmp_path: Path, looks_first: bool
) -> None:
    config = fastdicom.Config(
        port=0,
        archive=tmp_path / "node",
        access={"unknown_peers": ["get"]},
        verify={"before_sending": looks_first},
    )
    with fastdicom.Engine(config) as node:
        Filler(node.archive).study("1.1", instances=20)
        again = Filler(node.archive, replaces=True)
        with fastdicom.connect("127.0.0.1", node.addresses[0][1], calling="CLIENT") as peer:
            report = peer.get(
                tmp_path / "got",
                level="STUDY",
                progress=lambda so_far: (
                    again.study("1.1", instances=20, size=4096) if so_far.done == 1 else None
                ),
                **KEYS,
            )
        assert (report.completed, report.failed, report.status) == (20, 0, 0)
    assert (tmp_path / "got" / "1.1.1.20.dcm").stat().st_size > 4096
