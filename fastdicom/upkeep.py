"""What a running node does once a second, on a thread of its own, whatever comes of the last time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

_PAUSE_S = 1.0
SAY_AGAIN_S = 600.0  # a disk that stays full must not fill the log, too


class Upkeep:
    """The tasks, by what cannot be done when one raises: "publish the status"."""

    def __init__(self, tasks: Mapping[str, Callable[[], object]]) -> None:
        self._tasks = tasks
        self._failing: dict[str, tuple[str, float]] = {}  # why, and when it was said
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fastdicom-upkeep", daemon=True)

    def start(self) -> None:
        """Do them from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Do them no more."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self.turn(time.monotonic())
            if self._ending.wait(_PAUSE_S):
                return

    def turn(self, now: float) -> None:
        """Each task once; one that fails is told when it begins to, now and then, and when it is over."""
        for what, task in self._tasks.items():
            try:
                task()
            except Exception as error:  # none of them may end the others
                self._failed(what, str(error) or type(error).__name__, now)
            else:
                if self._failing.pop(what, None):
                    log.info("can %s again", what)

    def _failed(self, what: str, why: str, now: float) -> None:
        before, said_at = self._failing.get(what, ("", 0.0))
        if why != before or now - said_at >= SAY_AGAIN_S:
            log.warning("cannot %s: %s", what, why)
            self._failing[what] = why, now
