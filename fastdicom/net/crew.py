"""Threads that serve one connection after the other: to start one costs as much as to serve an echo."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from fastdicom.net.acceptor import start_thread

IDLE_MAX = 16  # threads that wait for the next connection; more end with their job

Job = Callable[[], None]


class Crew:
    """Runs each job at once on a thread of its own, one that has ended another job where there is one.

    A job raises nothing. All methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._nobody_is_busy = threading.Condition(self._lock)
        self._busy = 0
        self._idle = 0  # threads that wait, or are about to, and that no job was queued for
        self._closed = False
        self._threads: set[threading.Thread] = set()

    def run(self, job: Job) -> None:
        """Begin `job`. Raises RuntimeError when the system gives no more threads."""
        with self._lock:
            self._busy += 1
            if self._idle:
                self._idle -= 1
                self._jobs.put(job)
                return
        try:
            start_thread(lambda: self._work(job), "fastdicom-association")
        except BaseException:
            with self._lock:
                self._busy -= 1
            raise

    def wait(self, deadline: float) -> bool:
        """Until no job runs, or `deadline` (of the monotonic clock) has come; True when none runs."""
        with self._lock:
            return self._nobody_is_busy.wait_for(
                lambda: not self._busy, max(0.0, deadline - time.monotonic())
            )

    def close(self) -> None:
        """End the threads that wait; others end with their job, and are not waited for."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, 0
            ending = [] if self._busy else list(self._threads)
        for _ in range(idle):
            self._jobs.put(None)
        for thread in ending:
            thread.join()

    def _work(self, job: Job | None) -> None:
        thread = threading.current_thread()
        with self._lock:
            self._threads.add(thread)
        while job is not None:
            job()
            job = None  # what it holds goes now, not with the next connection
            if not self._done():
                break
            job = self._jobs.get()
        with self._lock:
            self._threads.discard(thread)

    def _done(self) -> bool:
        """A job has ended; True when its thread is to wait for another."""
        with self._lock:
            self._busy -= 1
            if not self._busy:
                self._nobody_is_busy.notify_all()
            if self._closed or self._idle >= IDLE_MAX:
                return False
            self._idle += 1
            return True
