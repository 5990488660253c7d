"""Sending many files over several associations at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock, Thread
from typing import Protocol

from fastdicom.errors import FastdicomError
from fastdicom.folders import files_below
from fastdicom.reports import FailedObject, Progress, ProgressCallback, StoreReport


class Storer(Protocol):
    """What is needed of a connection to a peer."""

    def store(
        self,
        paths: Iterable[str | os.PathLike[str]],
        progress: ProgressCallback | None = None,
        transfer_syntaxes: Sequence[str] | None = None,
    ) -> StoreReport:
        """C-STORE of files and folders."""


def store_parallel(
    connect: Callable[[], AbstractContextManager[Storer]],
    paths: Iterable[str | os.PathLike[str]],
    associations: int,
    progress: ProgressCallback | None = None,
    transfer_syntaxes: Sequence[str] = (),
) -> StoreReport:
    """C-STORE of files and folders over at most `associations` connections that `connect` makes.

    The files are divided by size beforehand. When a connection cannot be made or is lost, its files are
    reported as failed. Raises the first connection's error when none of them came about, UsageError when a
    path does not exist.
    """
    parts = divide(files_below(paths), associations)
    merged = MergedProgress(progress, len(parts))
    workers = [
        Worker(connect, part, merged.part(number), transfer_syntaxes) for number, part in enumerate(parts)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    errors = [worker.error for worker in workers if worker.error is not None]
    ours = [error for error in errors if not isinstance(error, (FastdicomError, OSError))]
    if ours or len(errors) == len(workers):
        raise (ours or errors)[0]
    return merge([worker.report for worker in workers])


class Worker(Thread):
    """One connection and the files that go over it."""

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Storer]],
        paths: list[Path],
        progress: ProgressCallback,
        transfer_syntaxes: Sequence[str],
    ) -> None:
        super().__init__(name="fastdicom-send", daemon=True)
        self.report = StoreReport()
        self.error: Exception | None = None
        self._connect = connect
        self._paths = paths
        self._progress = progress
        self._transfer_syntaxes = transfer_syntaxes

    def run(self) -> None:
        """Send; an error is kept for the caller, and every file that it concerns is reported."""
        try:
            with self._connect() as peer:
                self.report = peer.store(
                    self._paths, progress=self._progress, transfer_syntaxes=self._transfer_syntaxes
                )
        except Exception as problem:  # whoever waits for this thread raises or reports it
            self.error = problem
            self.report.failed = [FailedObject(path, None, str(problem)) for path in self._paths]


class MergedProgress:
    """The progress of several parts as one."""

    def __init__(self, progress: ProgressCallback | None, parts: int) -> None:
        self._progress = progress
        self._latest = [Progress()] * parts
        self._lock = Lock()

    def part(self, number: int) -> ProgressCallback:
        """The callback of one part."""

        def report(progress: Progress) -> None:
            with self._lock:
                self._latest[number] = progress
                together = add_up(self._latest)
            if self._progress is not None:
                self._progress(together)

        return report


def add_up(parts: Sequence[Progress]) -> Progress:
    """The sum of several parts' progress; the total is known when all are."""
    totals = [part.total for part in parts if part.total is not None]
    return Progress(
        done=sum(part.done for part in parts),
        total=sum(totals) if len(totals) == len(parts) else None,
        failed=sum(part.failed for part in parts),
        warnings=sum(part.warnings for part in parts),
        bytes=sum(part.bytes for part in parts),
    )


def merge(reports: Sequence[StoreReport]) -> StoreReport:
    """Several reports as one."""
    whole = StoreReport()
    for report in reports:
        whole.sent += report.sent
        whole.bytes += report.bytes
        whole.failed += report.failed
        whole.skipped += report.skipped
        whole.warnings += report.warnings
    return whole


def divide(files: Iterable[Path], count: int) -> list[list[Path]]:
    """At most `count` lists of about the same size in bytes, each in the order of `files`."""
    parts: list[list[Path]] = [[] for _ in range(count)]
    sizes = [0] * count
    for file in files:
        least = sizes.index(min(sizes))
        parts[least].append(file)
        sizes[least] += 1 + _size(file)
    return [part for part in parts if part] or [[]]


def _size(file: Path) -> int:
    """Bytes; 0 for a link to nothing, which is skipped and named when its turn comes."""
    return file.stat().st_size if file.exists() else 0
