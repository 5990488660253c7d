"""kill -9 while retention deletes: no row without its file, no file without its row, counts that add up."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from fastdicom import Archive
from tests.crash.support import Load, Sender
from tests.support.node import fastdicom_node

ROUNDS = 8
LIMIT = 64 * 1024
CHANGES = {"retention": {"max_size": LIMIT}}


@pytest.mark.timeout(300)
def test_retention_that_is_killed_leaves_index_and_files_agreeing(tmp_path: Path) -> None:
    chance = random.Random(20260303)
    for round_number in range(ROUNDS):
        with fastdicom_node(tmp_path, CHANGES) as node:
            load = Load(node.port, Sender(run=round_number))
            load.start()
            time.sleep(1.2 + chance.uniform(0.0, 0.3))  # retention looks after a second, and has much to do
            os.kill(node.pid, signal.SIGKILL)
            load.join(10)
            assert not load.problem
    with fastdicom_node(tmp_path, CHANGES) as node:
        deadline = time.monotonic() + 60
        while _bytes(node.archive) > LIMIT and time.monotonic() < deadline:
            time.sleep(0.2)
    with Archive(node.archive) as archive:
        report = archive.verify()
        assert report.ok, report
        counts = archive.counts()
        assert counts.bytes <= LIMIT
        assert sum(1 for _ in (node.archive / "objects").rglob("*.dcm")) == counts.instances == report.checked
        studies = archive.find("STUDY", NumberOfStudyRelatedInstances="", StudyInstanceUID="")
        assert sum(int(study.NumberOfStudyRelatedInstances) for study in studies) == counts.instances


def _bytes(archive: Path) -> int:
    with Archive(archive) as opened:
        return opened.counts().bytes
