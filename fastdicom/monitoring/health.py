"""Can the node do its work? Reasons why not, for `/healthz`, `status` and whoever restarts services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

STALLED_AFTER_S = 30.0
STARTING, RECOVERING, RUNNING, STOPPING = "starting", "recovering", "running", "stopping"


class Commits(Protocol):
    """The committer, as far as health goes."""

    @property
    def busy(self) -> bool:
        """Changes wait or are being written."""

    @property
    def failing(self) -> bool:
        """The last batch could not be written."""

    turns: int
    """Batches so far, failed ones too."""


class Disk(Protocol):
    """The archive's files, as far as health goes."""

    min_free: int

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
        self._turns = -1
        self._moved_at: float | None = None

    def reasons(self, now: float) -> list[str]:
        """Why the node is not healthy, in words; empty when it is. now: of a monotonic clock.

        Whether the committer is stuck is seen from call to call: ask at least every few seconds.
        """
        found = [] if self.phase == RUNNING else [f"the node is {self.phase}"]
        found += self._disk_reasons() + self._commit_reasons(now)
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

    def _commit_reasons(self, now: float) -> list[str]:
        if self.commits is None:
            return []
        found = ["the last commit failed: nothing is acknowledged"] if self.commits.failing else []
        if not self.commits.busy or self.commits.turns != self._turns or self._moved_at is None:
            self._turns, self._moved_at = self.commits.turns, now
        elif now - self._moved_at > STALLED_AFTER_S:
            found.append(f"the committer has not moved for {now - self._moved_at:.0f} s")
        return found
