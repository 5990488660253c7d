"""Progress on stderr: a bar that is redrawn on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import TextIO

from fastdicom.cli.terminal import human_size
from fastdicom.reports import Progress

REDRAW_AFTER_S = 0.1
LINE_AFTER_S = 5.0
BAR_WIDTH = 24


class ProgressPrinter:
    """A progress callback that prints; leaving its `with` block ends the line.

    Several threads may call it. label: what happens to an object ("sent").
    """

    def __init__(
        self, label: str, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._label = label
        self._stream = stream or sys.stderr
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._started = clock()
        self._shown_at = self._started
        self._drawn = 0
        self._lock = Lock()

    def __enter__(self) -> ProgressPrinter:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._drawn:
            self._stream.write("\r" + " " * self._drawn + "\r")
            self._stream.flush()

    def __call__(self, progress: Progress) -> None:
        """Show `progress`, unless something was shown a moment ago."""
        now = self._clock()
        with self._lock:
            if now - self._shown_at < (REDRAW_AFTER_S if self._terminal else LINE_AFTER_S):
                return
            self._shown_at = now
            self._show(progress_line(self._label, progress, now - self._started, self._terminal))

    def _show(self, line: str) -> None:
        if self._terminal:
            self._stream.write("\r" + line.ljust(self._drawn))
            self._drawn = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()


def progress_line(label: str, progress: Progress, elapsed_s: float, bar: bool) -> str:
    """`sent 12/34 [####    ] 12.0 MiB 3.1/s, 2 failed`."""
    of_total = f"/{progress.total}" if progress.total is not None else ""
    parts = [f"{label} {progress.done}{of_total}"]
    if bar and progress.total:
        filled = min(BAR_WIDTH, BAR_WIDTH * progress.done // progress.total)
        parts.append(f"[{'#' * filled}{' ' * (BAR_WIDTH - filled)}]")
    if progress.bytes:
        parts.append(human_size(progress.bytes))
    if elapsed_s > 0:
        parts.append(f"{progress.done / elapsed_s:.1f}/s")
    line = " ".join(parts)
    line += f", {progress.warnings} with warnings" if progress.warnings else ""
    return line + (f", {progress.failed} failed" if progress.failed else "")
