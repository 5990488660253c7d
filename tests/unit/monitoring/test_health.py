"""Reasons why a node is not healthy."""

from __future__ import annotations

from dataclasses import dataclass

from fastdicom.monitoring.health import RECOVERING, RUNNING, Health


@dataclass
class Commits:
    failing: bool = False


@dataclass
class Disk:
    free: int = 100
    min_free: int = 10


class DeadDisk:
    min_free = 10

    @property
    def free(self) -> int:
        raise OSError(5, "Input/output error")


def healthy() -> tuple[Health, Commits, Disk]:
    health, commits, disk = Health(), Commits(), Disk()
    health.phase, health.commits, health.disk = RUNNING, commits, disk
    assert health.reasons() == []
    return health, commits, disk


def test_before_it_runs_it_says_where_it_is() -> None:
    health = Health()
    assert health.reasons() == ["the node is starting"]
    health.phase = RECOVERING
    assert health.reasons() == ["the node is recovering"]


def test_too_little_room_is_said_until_there_is_room() -> None:
    health, _, disk = healthy()
    disk.free = 9
    assert health.reasons() == ["9 bytes are free, 10 must stay free: C-STORE is refused"]
    disk.free = 10
    assert health.reasons() == []


def test_a_disk_that_does_not_answer() -> None:
    health, _, _ = healthy()
    health.disk = DeadDisk()
    assert health.reasons() == ["the disk does not answer: Input/output error"]


def test_a_commit_that_failed() -> None:
    health, commits, _ = healthy()
    commits.failing = True
    assert health.reasons() == ["the last commit failed: nothing is acknowledged"]


def test_others_may_add_reasons() -> None:
    health, _, _ = healthy()
    health.checks.append(lambda: ["the acceptor sleeps"])
    assert health.reasons() == ["the acceptor sleeps"]
