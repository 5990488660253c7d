"""The transcoding of one process, put to work for sending: threads, codec workers, ceilings, preferences.

The kernels release the GIL and the codec libraries have processes of their own, so that conversions stall
nobody; how many happen at once, and how much of their results waits in memory, is bounded here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from fastdicom.config import Config
from fastdicom.errors import Unavailable
from fastdicom.kernels import jpeg_lossless
from fastdicom.services.lookahead import Ahead, Outgoing
from fastdicom.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fastdicom.transcoding.buffers import FrameBuffers
from fastdicom.transcoding.codecs import (
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    LOSSY_ONLY,
    RLE_LOSSLESS,
    Quality,
)
from fastdicom.transcoding.objects import Options
from fastdicom.transcoding.plan import (
    LOSSLESS_ORDER,
    Preferences,
    candidates,
    convert_to_first,
    targets,
)
from fastdicom.transcoding.workers import Budget, Workers

HELD_MAX: Final = 64 << 20
"""Bytes of a result up to which all of it is made before any of it is sent."""
AHEAD_NAME: Final = "fastdicom-convert"
"""How the names of the threads begin that prepare ahead."""
INLINE_MEMORY: Final = 1 << 20
"""Bytes in memory of a result that a thread prepares for itself."""
QUICK_LENGTH_MAX: Final = 512 << 10
"""Bytes of a file up to which the thread that sends it converts it sooner than another one would.

Handing over costs a third of a millisecond: the interpreter changes hands, and pixels go from one processor's
cache into the other's. Our kernels decode a CT slice in twice that time.
"""
QUICK: Final = frozenset(
    {EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN}
    | {JPEG_LOSSLESS, JPEG_LOSSLESS_SV1, RLE_LOSSLESS}
)
"""What our own kernels read and write."""
BEGUN_LEAST: Final = 6
"""Instances that a sender looks ahead, at least."""


class ConversionThreads:
    """The threads, codec workers and room that all conversions of an engine share; nothing starts before use.

    threads, workers: 0 for one for each processor.
    """

    def __init__(self, threads: int = 0, workers: int = 0) -> None:
        self.count = threads or os.cpu_count() or 1
        self.workers = Workers(workers or None)
        self._objects = ThreadPoolExecutor(self.count, AHEAD_NAME)
        self.frames = ThreadPoolExecutor(self.count, "fastdicom-frames")
        self.buffers = FrameBuffers()
        self._room = threading.BoundedSemaphore(2 * self.count)

    def ahead(self, prepare: Callable[[], Outgoing]) -> Ahead | None:
        """Start preparing; None when as many as fit are under way or wait to be sent."""
        if not self._room.acquire(blocking=False):
            return None
        try:
            future = self._objects.submit(prepare)
        except RuntimeError as fault:  # the engine is stopping
            self._room.release()
            raise Unavailable(f"no conversion any more: {fault}") from fault
        return _Ahead(future, self._room.release)

    def close(self) -> None:
        """End threads and workers; conversions that wait are dropped, those under way fail."""
        self.workers.close()
        self._objects.shutdown(wait=False, cancel_futures=True)
        self.frames.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Ahead:
    """One result in the making, and the room that it takes until it is closed."""

    def __init__(self, future: Future[Outgoing], release: Callable[[], None]) -> None:
        self._future: Future[Outgoing] | None = future
        self._release = release

    def result(self) -> Outgoing:
        assert self._future is not None
        try:
            return self._future.result()
        except CancelledError:
            raise Unavailable("no conversion any more: the engine is stopping") from None

    def close(self) -> None:
        future, self._future = self._future, None
        if future is None:
            return
        future.cancel()
        future.add_done_callback(self._ended)

    def _ended(self, future: Future[Outgoing]) -> None:
        if not future.cancelled() and future.exception() is None:
            future.result().release()
        self._release()


class Conversions:
    """What sending needs: `services.suboperations.Converter`."""

    def __init__(
        self,
        threads: ConversionThreads,
        preferences: Preferences | None = None,
        options: Options | None = None,
        peers: dict[str, Preferences] | None = None,
    ) -> None:
        self._threads = threads
        self._preferences = preferences or Preferences()
        self._options = options or Options()
        self._peers = peers or {}
        self._variants: dict[tuple[bool, bool, bool], Options] = {}
        self.depth = max(BEGUN_LEAST, threads.count + 1)
        self.batch = self.depth // 2 if jpeg_lossless.threads_max() else self.depth

    @property
    def fallbacks(self) -> Sequence[str]:
        """What to propose beside the stored transfer syntaxes: all that we can make, the default first."""
        wanted = targets(self._preferences)
        natives = [uid for uid in (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN) if uid in wanted]
        return (*natives, *(uid for uid in wanted if uid not in natives))

    def for_peer(self, ae_title: str) -> Conversions:
        """The same with the preferences of this peer."""
        preferences = self._peers.get(ae_title)
        if preferences is None:
            return self
        return Conversions(self._threads, preferences, self._options, self._peers)

    def candidates(self, stored_uid: str, accepted: Collection[str]) -> Sequence[str]:
        """Best first; the stored one alone if it is accepted."""
        return candidates(stored_uid, accepted, self._preferences)

    def begin(
        self, dataset: memoryview, stored_uid: str, wanted: Sequence[str], *, whole: bool
    ) -> Callable[[], Outgoing]:
        """All but the work on pixels, which the result does: up to HELD_MAX bytes, or all if `whole`."""
        ahead = threading.current_thread().name.startswith(AHEAD_NAME)
        options = self._options_for(ahead, whole, any(uid in LOSSY_ONLY for uid in wanted))
        converted = convert_to_first(dataset, stored_uid, wanted, options)
        if whole or (converted.length is not None and converted.length <= HELD_MAX):
            return lambda: converted.settle(options)
        return lambda: converted

    def _options_for(self, ahead: bool, whole: bool, lossy: bool) -> Options:
        """How to convert: on a thread of its own, in one piece, to a target that may be lossy."""
        kind = (ahead, whole, lossy)
        if kind not in self._variants:
            self._variants[kind] = replace(
                self._options,
                quality=self._options.quality if lossy else None,
                workers=self._threads.workers,
                helpers=self._threads.frames,
                helper_count=self._threads.count,
                streamed=not whole,
                memory_max=self._options.memory_max if ahead else INLINE_MEMORY,
                buffers=self._threads.buffers,
                begins_early=not ahead,
            )
        return self._variants[kind]

    def quick(self, stored_uid: str, wanted: Sequence[str], length: int) -> bool:
        """Whether a file of this length is converted sooner than another thread would begin and be heard."""
        return length <= QUICK_LENGTH_MAX and stored_uid in QUICK and bool(wanted) and wanted[0] in QUICK

    def ahead(self, prepare: Callable[[], Outgoing]) -> Ahead | None:
        """Have it prepared by another thread, if there is room."""
        return self._threads.ahead(prepare)


def threads_of(config: Config) -> ConversionThreads:
    """The threads and workers that the configuration allows."""
    return ConversionThreads(config.transcoding.threads, config.transcoding.codec_workers)


def conversions_of(config: Config, threads: ConversionThreads, folder: Path | None = None) -> Conversions:
    """What the configuration says about sending. folder: for results that do not fit into memory."""
    settings, limits = config.transcoding, config.limits
    threads.workers.budget_max = Budget(limits.codec_time_max_s, limits.codec_memory_max)
    preferences = Preferences(LOSSLESS_ORDER, settings.lossy).first(*settings.prefer)
    peers = {}
    for peer in config.peers:
        lossy = tuple(dict.fromkeys((*peer.lossy, *settings.lossy)))
        peers[peer.ae_title] = replace(preferences, lossy=lossy).first(*peer.transfer_syntaxes)
    return Conversions(threads, preferences, options_of(config, folder), peers)


def options_of(config: Config, folder: Path | None = None) -> Options:
    """How the configuration wants things converted."""
    settings, limits = config.transcoding, config.limits
    return Options(
        colour=settings.colour,
        quality=Quality(jpeg=settings.jpeg_quality, near=settings.jpeg_ls_near),
        frame_length_max=limits.frame_length_max,
        depth_max=limits.nesting_depth_max,
        inflated_length_max=limits.inflated_length_max,
        folder=folder,
        min_free=config.archive.min_free if folder is not None else 0,
    )
