"""Can the node do its work? Reasons why not, for `/healthz`, `status` and whoever restarts services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

STARTING, RECOVERING, RUNNING, STOPPING = "starting", "recovering", "running", "stopping"


class Commits(Protocol):
    """The committer, as far as health goes."""

    @property
    def failing(self) -> bool:
        """The last batch could not be written."""


class Disk(Protocol):
    """The archive's files, as far as health goes."""

    @property
    def min_free(self) -> int: ...

    @property
    def free(self) -> int:
        """Bytes; raises OSError."""


class Health:
    """What keeps the node from working.

    phase: where in its life it is, set by the engine. checks: further callables that give reasons.
    """

    def __init__(self) -> None:
        self.phase = STARTING
        self.commits: Commits | None = None
        self.disk: Disk | None = None
        self.checks: list[Callable[[], list[str]]] = []

    def reasons(self) -> list[str]:
        """Why the node is not healthy, in words; empty when it is."""
        found = [] if self.phase == RUNNING else [f"the node is {self.phase}"]
        found += self._disk_reasons()
        if self.commits is not None and self.commits.failing:
            found.append("the last commit failed: nothing is acknowledged")
        return found + [reason for check in self.checks for reason in check()]

    def _disk_reasons(self) -> list[str]:
        if self.disk is None:
            return []
        try:
            free = self.disk.free
        except OSError as error:
            return [f"the disk does not answer: {error.strerror}"]
        if free < self.disk.min_free:
            return [f"{free} bytes are free, {self.disk.min_free} must stay free: C-STORE is refused"]
        return []
