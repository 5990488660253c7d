"""Does the node get on with its work? What the service's watchdog is fed from.

Three things must move: the accept loop turns at least once a second; a commit that somebody waits for is
tried and ends; and an association's thread, whose every wait is bounded by one of the configured times,
moves bytes or messages within the longest of them and a while for our own work. A thread that has done
nothing for longer than that hangs in something that no timeout ends (a lock, a disk, a bug of ours): only a
restart helps, and where it hangs is logged before.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

from fastdicom.archive.commit import Committer
from fastdicom.net.acceptor import Acceptor
from fastdicom.net.server import ServerConnection
from fastdicom.sections.limits import Limits

log = logging.getLogger(__name__)

ACCEPT_STALL_S = 15.0  # the accept loop turns once a second when nothing happens
_LOOK_MAX_S = 10.0  # counts at most between two looks: after the machine was stopped, all is still at first


class Progress(NamedTuple):
    """Something that has to get on. mark: differs whenever it has; limit_s: how long it may stay.

    thread: the identity of the thread whose stack tells more, if one is known.
    """

    mark: Hashable
    limit_s: float
    thread: int | None = None


class Vitals:
    """Compares what has to move with what it was at the last look.

    look: everything that has to get on just now, by what it is called in the log.
    """

    def __init__(
        self, look: Callable[[], Mapping[str, Progress]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._clock = clock
        self._looked_at = clock()
        self._still: dict[str, tuple[Hashable, float]] = {}
        self._reported: set[str] = set()
        self._lock = threading.Lock()

    def stuck(self) -> list[str]:
        """What has not moved for too long; empty when all is well. The first time, its stack is logged.

        Any thread may ask; somebody has to, every few seconds.
        """
        with self._lock:
            return self._stuck()

    def _stuck(self) -> list[str]:
        now, found = self._clock(), self._look()
        passed_s, self._looked_at = min(now - self._looked_at, _LOOK_MAX_S), now
        still: dict[str, tuple[Hashable, float]] = {}
        stuck = []
        for name, progress in found.items():
            mark, still_s = self._still.get(name, (None, 0.0))
            still_s = still_s + passed_s if mark == progress.mark else 0.0
            still[name] = (progress.mark, still_s)
            if still_s > progress.limit_s:
                stuck.append(f"{name} has not moved for {still_s:.0f} s")
                self._report(name, stuck[-1], progress.thread)
            else:
                self._reported.discard(name)
        self._still = still
        self._reported &= set(found)
        return stuck

    def _report(self, name: str, what: str, thread: int | None) -> None:
        if name in self._reported:
            return
        self._reported.add(name)
        log.error("%s; only a restart helps: it is in %s", what, stack_of(thread))


def association_progress(connection: ServerConnection, work_stall_s: float, thread: int | None) -> Progress:
    """What an association has to do within which time.

    Between messages its thread waits for the peer until `idle` (before the request until ARTIM) ends;
    inside one, for the peer to send or to read, or for a C-MOVE destination.
    """
    timing = connection.timing
    if connection.idle:
        wait_s = max(timing.idle_s, timing.artim_s)
    else:
        wait_s = max(timing.message_stall_s, timing.send_stall_s, timing.connect_s + timing.response_s)
    return Progress((connection.idle, connection.progress), wait_s + work_stall_s, thread)


def stack_of(thread: int | None) -> str:
    """Where a thread is now, on one line, innermost first: `files.py:74 read < keeper.py:170 read < ...`."""
    frame = sys._current_frames().get(thread) if thread is not None else None
    if frame is None:
        return "(no stack)"
    calls = reversed(traceback.extract_stack(frame))
    return " < ".join(f"{call.filename}:{call.lineno} {call.name}" for call in calls)


def progress_of(
    acceptor: Acceptor | None,
    committer: Committer,
    threads: Mapping[ServerConnection, threading.Thread],
    limits: Limits,
) -> dict[str, Progress]:
    """Everything of a node that has to move just now. threads: the associations, each with its thread."""
    found: dict[str, Progress] = {}
    if acceptor is not None:
        found["the acceptor"] = Progress(acceptor.turns, ACCEPT_STALL_S, acceptor.thread_identity)
    if committer.busy:
        found["the committer"] = Progress(committer.turns, limits.commit_stall_s)
    for connection, thread in threads.items():
        name = f"association {connection.number} with {connection.name}"
        found[name] = association_progress(connection, limits.work_stall_s, thread.ident)
    return found
