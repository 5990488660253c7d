"""Where `get` puts instances: whole and durable, or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastdicom.dimse.messages import CStoreRequest
from fastdicom.inbox import InstanceFolder
from fastdicom.standard import status

REQUEST = CStoreRequest(1, "1.2.840.10008.5.1.4.1.1.2", "1.2.3")
SYNTAX = "1.2.840.10008.1.2.1"


def folder_in(path: Path) -> InstanceFolder:
    return InstanceFolder(path, source_ae_title="PACS", receiving_ae_title="US")


def test_a_whole_instance_has_its_name_and_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    with folder_in(tmp_path) as folder:
        file = folder.receive(REQUEST, SYNTAX)
        file.write(b"data")
        assert file.finish() == status.SUCCESS
    assert [path.name for path in tmp_path.iterdir()] == ["1.2.3.dcm"]
    assert synced == [str(tmp_path / "1.2.3.part")]


def test_a_lost_association_leaves_nothing_of_the_instance_that_was_under_way(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError), folder_in(tmp_path) as folder:
        folder.receive(REQUEST, SYNTAX).write(b"half of the data")
        raise ConnectionError
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_synced_is_refused_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    with folder_in(tmp_path) as folder:
        assert folder.receive(REQUEST, SYNTAX).finish() == status.OUT_OF_RESOURCES
    assert list(tmp_path.iterdir()) == []
