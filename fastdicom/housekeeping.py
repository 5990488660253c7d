"""The threads that look after an archive while its node runs: retention and background verification.

Both are in no hurry: each step is short, and they rest between steps.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fastdicom.config import Config
from fastdicom.errors import FastdicomError
from fastdicom.keeper import ArchiveKeeper
from fastdicom.leaps import LeapWatch
from fastdicom.monitor import Monitor
from fastdicom.retention import Retention
from fastdicom.scrub import Scrub, Stopped

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 5.0  # whether a rule of retention asks for something
_FIRST_LOOK_S = 1.0
_REST_PER_WORK = 1.0  # between two steps of a deletion: at most half the time is spent deleting
_AFTER_FAULT_S = 30.0
_CLOCK = "retention/clock"
_NICE = 10


class Housekeeper:
    """Retention and verification of one archive, from `start` to `stop`."""

    def __init__(self, keeper: ArchiveKeeper, config: Config) -> None:
        self._keeper = keeper
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        remembered = keeper.index.notes(_CLOCK).get(_CLOCK)
        leaps = LeapWatch(float(remembered) if remembered else None, self._remember_clock)
        self.retention = Retention(keeper, config.retention, leaps=leaps)
        self.scrub = Scrub(keeper, config.verify, self._stop.wait)

    def tell(self, monitor: Monitor) -> None:
        """Have it hear of deletions and damage."""
        self._keeper.tell_damaged = monitor.damaged
        self._keeper.tell_removed = lambda one: monitor.removed(
            one.study.patient, one.entries, one.whole, one.reason
        )
        monitor.health.checks.append(self._faults)

    def _faults(self) -> list[str]:
        fault = self._keeper.files.health.fault
        return [f"the disk failed ({fault}): C-STORE is refused"] if fault else []

    def start(self) -> None:
        """Begin. Nothing is deleted and nothing read before this returns."""
        for name, work in (("retention", self._keep_rules), ("verify", self._verify)):
            thread = threading.Thread(target=self._run, args=(work,), name=f"fastdicom-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End after the step at hand."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        with suppress(FastdicomError):  # a disk that fails just now: the round begins a little earlier
            self.scrub.keep_place()

    def reload(self, config: Config) -> None:
        """Other rules from the next step on."""
        self.retention.rules = config.retention
        self.scrub.settings = config.verify

    def figures(self) -> dict[str, Any]:
        """For the status."""
        retention = self.retention
        return {
            "retention": {
                "deleted_studies": retention.deleted_studies,
                "deleted_instances": retention.deleted_instances,
                "deleted_bytes": retention.deleted_bytes,
            },
            "verify": {"damaged": self._keeper.index_for_figures.damaged_count(), **self.scrub.figures()},
        }

    def _run(self, work: Callable[[], float]) -> None:
        with suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)  # of this thread, on Linux
        pause = _FIRST_LOOK_S
        while not self._stop.wait(pause):
            try:
                pause = work()
            except Stopped:
                return
            except FastdicomError as error:
                log.error("%s: %s", threading.current_thread().name, error)
                pause = _AFTER_FAULT_S
            except Exception:  # whatever it is, the node has to be looked after tomorrow, too
                log.exception("%s failed and is tried again", threading.current_thread().name)
                pause = _AFTER_FAULT_S

    def _keep_rules(self) -> float:
        began = time.monotonic()
        if self.retention.step():
            return _REST_PER_WORK * (time.monotonic() - began)
        self._keeper.drop_empty_blocks()
        return _LOOK_EVERY_S

    def _verify(self) -> float:
        return self.scrub.step()

    def _remember_clock(self, now: float) -> None:
        self._keeper.index.note(_CLOCK, repr(now).encode("ascii"))
