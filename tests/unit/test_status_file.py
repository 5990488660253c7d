"""What a node tells other processes about itself."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastdicom import status_file


def test_what_is_published_is_read(tmp_path: Path) -> None:
    status_file.publish(tmp_path, {"associations": {"open": 3}}, now=100.0)
    status = status_file.read(tmp_path, now=101.5)
    assert (status.state, status.age_s) == ("running", 1.5)
    assert status.figures["associations"] == {"open": 3}


def test_a_node_that_does_not_report_is_silent(tmp_path: Path) -> None:
    status_file.publish(tmp_path, {}, now=100.0)
    assert status_file.read(tmp_path, now=100.0 + status_file.STALE_AFTER_S + 1).state == "silent"


def test_a_node_whose_process_is_gone_does_not_run(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / status_file.FILE_NAME).write_text(json.dumps({"pid": ended.pid, "updated": 100.0}))
    assert status_file.read(tmp_path, now=100.0).state == "not running"


def test_a_node_that_nobody_has_buried_yet_does_not_run(tmp_path: Path) -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert zombie.stdout is not None
    zombie.stdout.read()  # it has ended, or is about to
    (tmp_path / status_file.FILE_NAME).write_text(json.dumps({"pid": zombie.pid, "updated": 100.0}))
    deadline = time.monotonic() + 5
    while (state := status_file.read(tmp_path, now=100.0).state) != "not running":
        assert time.monotonic() < deadline, state
    zombie.communicate()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"pid": "x", "updated": 1}', '{"pid": -1, "updated": 1}']
)
def test_what_makes_no_sense_is_no_running_node(tmp_path: Path, content: str) -> None:
    (tmp_path / status_file.FILE_NAME).write_text(content)
    assert status_file.read(tmp_path).state == "not running"


def test_without_a_file_no_node_runs(tmp_path: Path) -> None:
    assert status_file.read(tmp_path).state == "not running"


def test_a_node_that_stops_takes_its_status_away(tmp_path: Path) -> None:
    status_file.publish(tmp_path, {})
    status_file.withdraw(tmp_path)
    status_file.withdraw(tmp_path)
    assert list(tmp_path.iterdir()) == []
