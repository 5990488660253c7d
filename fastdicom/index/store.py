"""The LMDB environment itself: opening, transactions, and a map that grows. Knows no attributes.

The map is virtual and large from the start, so that growing it is rare: an address range costs nothing, and
the file is only as long as what is in it. A machine that cannot give the range gets a smaller one.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from fastdicom.errors import Unavailable, UsageError
from fastdicom.index.gate import Gate
from fastdicom.index.lease import Lease
from fastdicom.index.readers import OldReader, Readers
from fastdicom.kernels import turnstile

log = logging.getLogger(__name__)

GIB = 1 << 30
MAP_SIZE = 256 * GIB
MAP_SIZE_LEAST = GIB // 4
READERS_MAX = 1022  # 64 bytes each: slots for open read transactions, of all processes
_READERS_LENGTH = (READERS_MAX + 2) * 64  # as long as LMDB would make it, head included
GROW_TIMEOUT_S = 30.0
_EARLY_TIMEOUT_S = 0.05
_PARK_EVERY = 256  # write transactions: what a query that is not read could keep from being used again
_CHECK_READERS_EVERY = 1024  # write transactions: a reader that died keeps old pages from being used again
_CHECK_ROOM_EVERY = 64  # write transactions: the map is grown at half its size, long before it is full

Result = TypeVar("Result")


class Store:
    """One LMDB environment with its named databases.

    sync: a commit flushes its pages, and with them the end of the commit before (the meta page that names its
    root). So a power cut may take back the last commit, and never leaves half of one. Who cannot bear that
    calls `sync_commit` after it. Raises UsageError when there is none to read, or it cannot be opened.
    """

    def __init__(
        self, path: Path, names: tuple[str, ...], *, readonly: bool, sync: bool, map_size: int = MAP_SIZE
    ) -> None:
        self.path = path
        self.readonly = readonly
        self._sync = sync
        self._names = names
        self._map_size = map_size
        self._gate = Gate()
        self._leases: set[Lease] = set()  # no lock: an end comes from a destructor, too, at any moment
        self._readers = Readers()
        self._closed = False
        self._writes = 0
        self._grow_at = 0
        self._broken = False  # closed, and could not be opened again yet
        self._in_doubt = False  # a commit failed: nothing is written on top before `reopen`
        self.databases: dict[str, Any] = {}  # one dict for good: open queries hold it
        self._open()

    def close(self) -> None:
        """Wait for open transactions of this process, then close. Leases raise Unavailable from then on."""
        with self._gate.alone(GROW_TIMEOUT_S, self._park) as alone:
            if not alone:
                log.warning("index %s is closed while a query is still open", self.path)
            self._closed = True
            self._environment.close()

    def reopen(self) -> None:
        """Close and open again: after a failed commit, when only the disk knows what happened.

        Raises Unavailable when transactions of this process stay open.
        """
        with self._gate.alone(GROW_TIMEOUT_S, self._park) as alone:
            if not alone:
                raise Unavailable("the index is busy and cannot be opened anew")
            self._broken = True
            self._environment.close()
            self._forget_pages()
            self._open()
            self._broken = self._in_doubt = False

    def _forget_pages(self) -> None:
        """Drop what memory holds of the file: after a failed write it may not be what the disk has.

        The system takes pages whose write-back failed for clean: read again from memory they would look
        committed, and no later sync would write them. Raises Unavailable while the file cannot be synced.
        """
        try:
            fd = os.open(self.path / "data.mdb", os.O_RDWR | os.O_CLOEXEC)
            try:
                os.fsync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(fd)
        except OSError as problem:
            self._open()
            self._broken = False
            raise Unavailable(f"the index cannot be synced: {problem.strerror}") from problem

    def _revive(self) -> None:
        """Open again for readers what LMDB gave up after a failed write. Writers wait for `reopen`."""
        with self._gate.alone(GROW_TIMEOUT_S, self._park) as alone:
            if not alone:
                raise Unavailable("the index failed, and queries stay open")
            if not self._broken and not self._panics():
                return  # another thread was faster
            self._broken = self._in_doubt = True
            self._environment.close()
            try:
                self._open()
            except UsageError as problem:
                raise Unavailable(f"the index failed: {problem}") from problem
            self._broken = False

    def _panics(self) -> bool:
        try:
            self._environment.begin().abort()
        except lmdb.PanicError:
            return True
        return False

    def sync(self) -> None:
        """Flush to disk what earlier commits have left in memory: all of it, or the last one's end."""
        with self._gate.shared():
            self._environment.sync(True)

    def sync_commit(self) -> None:
        """Make the last commit survive a power cut, where the environment was opened with `sync`."""
        if self._sync:
            try:
                self.sync()
            except lmdb.Error as problem:
                raise Unavailable(f"the index cannot be written: {problem}") from problem

    @property
    def length(self) -> int:
        """Bytes that are in use."""
        info = self._environment.info()
        return int((info["last_pgno"] + 1) * self._page_size)

    @property
    def map_length(self) -> int:
        """Bytes of the map."""
        return int(self._environment.info()["map_size"])

    # Transactions.

    def begin(self) -> Any:
        """A read transaction with buffers; give it to `end`. Adopts a map that another process has grown."""
        while True:
            if self._broken:
                self._revive()
            self._gate.enter()
            try:
                if self._closed:
                    raise Unavailable("the index is closed")
                return self._environment.begin(buffers=True)
            except lmdb.MapResizedError:
                self._gate.leave()
                self._adopt()
            except lmdb.PanicError:
                self._gate.leave()
                self._revive()
            except lmdb.ReadersFullError:
                self._gate.leave()
                if not self._environment.reader_check():
                    raise Unavailable("too many queries read the index at once") from None
            except BaseException:
                self._gate.leave()
                raise

    def end(self, transaction: Any) -> None:
        """Close what `begin` opened."""
        try:
            transaction.abort()
        finally:
            self._gate.leave()

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """`begin` and `end`."""
        transaction = self.begin()
        try:
            yield transaction
        finally:
            self.end(transaction)

    def lease(self, before_parking: Callable[[], None]) -> Lease:
        """A read transaction that gives way while nobody is inside; give it to `end_lease`."""
        lease = Lease(self, before_parking)
        self._leases.add(lease)
        return lease

    def end_lease(self, lease: Lease) -> None:
        """Close what `lease` gave."""
        self._leases.discard(lease)
        lease.close()

    def rest(self) -> None:
        """To be called every few seconds: queries between two steps give way; who of all processes does not?

        Our own writes ask them to, now and then; this is for those of another process.
        """
        self._park()
        with self._gate.shared():
            if self._closed or self._broken:
                return
            self._environment.reader_check()  # of processes that were killed
            table, last = self._environment.readers(), self._environment.info()["last_txnid"]
        self._readers.look(table, last, time.monotonic())

    @property
    def old_readers(self) -> list[OldReader]:
        """What `rest` found last."""
        return self._readers.old

    def _park(self) -> None:
        for lease in self._leases.copy():
            lease.park()

    @property
    def wanted(self) -> bool:
        """True while the map has to grow: leases end their transaction and begin a new one."""
        return self._gate.wanted

    def write(self, work: Callable[[Any], Result]) -> Result:
        """Do `work` in one write transaction and commit; again from the start when the map had to grow.

        Raises Unavailable when LMDB cannot write; then nothing of it has happened, unless the disk failed
        in the middle of the commit (then `reopen`).
        """
        if self._in_doubt:
            raise Unavailable("the index failed and was not opened anew yet")
        self._writes += 1
        if not self._writes % _PARK_EVERY:
            self._park()
        if not self._writes % _CHECK_READERS_EVERY:
            self._environment.reader_check()
        if not self._writes % _CHECK_ROOM_EVERY:
            self._grow_early()
        while True:
            try:
                self._gate.enter()
                try:
                    return self._attempt(work)
                finally:
                    self._gate.leave()
            except lmdb.MapFullError:
                self._grow()
            except lmdb.MapResizedError:
                self._adopt()
            except lmdb.Error as problem:
                self._in_doubt = True
                raise Unavailable(f"the index cannot be written: {problem}") from problem

    def _attempt(self, work: Callable[[Any], Result]) -> Result:
        transaction = self._environment.begin(write=True)
        try:
            result = work(transaction)
            if self._sync:
                turnstile.leave()
            transaction.commit()
        except BaseException:
            with self._gate.quiet():  # py-lmdb ends a write transaction only while no thread is in LMDB
                transaction.abort()
            raise
        return result

    # The map.

    def _open(self) -> None:
        size = self._map_size
        while True:
            try:
                self._environment = self._opened(size)
                break
            except lmdb.MemoryError:
                size //= 2
                if size < MAP_SIZE_LEAST:
                    raise UsageError(f"{self.path}: no address space for the index") from None
            except (lmdb.Error, OSError) as problem:
                raise UsageError(self._unusable(problem)) from problem
        self._page_size = self._environment.stat()["psize"]
        stale = 0 if self.readonly else self._environment.reader_check()
        if stale:
            log.info("index %s: cleared %d readers that had died", self.path, stale)
        try:
            self.databases.update({name: self._database(name) for name in self._names})
        except BaseException:
            self._environment.close()
            raise

    def _opened(self, size: int) -> Any:
        if self.readonly and not (self.path / "data.mdb").is_file():
            raise UsageError(f"{self.path}: there is no index")
        if not self.readonly:
            _reserve(self.path / "lock.mdb")
        return lmdb.open(
            os.fspath(self.path),
            map_size=size,
            max_dbs=len(self._names),
            max_readers=READERS_MAX,
            readonly=self.readonly,
            create=not self.readonly,
            sync=self._sync,
            metasync=False,
            readahead=False,
            max_spare_txns=16,
        )

    def _database(self, name: str) -> Any:
        try:
            return self._environment.open_db(name.encode("ascii"), create=not self.readonly)
        except lmdb.NotFoundError:
            raise UsageError(f"{self.path}: this is no index of fastdicom, it has no {name!r}") from None
        except lmdb.Error as problem:
            raise UsageError(self._unusable(problem)) from problem

    def _unusable(self, problem: Exception) -> str:
        why = getattr(problem, "strerror", None) or str(problem).removeprefix(f"{self.path}: ")
        damaged = isinstance(problem, (lmdb.InvalidError, lmdb.CorruptedError, lmdb.PageNotFoundError))
        hint = ": `fastdicom rebuild` makes it anew from the files" if damaged else ""
        return f"{self.path}: the index cannot be opened: {why}{hint}"

    def _grow_early(self) -> None:
        """Grow before the map is full, when that holds nobody up: later it has to wait for open queries."""
        info = self._environment.info()
        used = (info["last_pgno"] + 1) * self._page_size
        if used < max(info["map_size"] // 2, self._grow_at):
            return
        with self._gate.alone(_EARLY_TIMEOUT_S, self._park) as alone:
            if alone:
                self._set_map_size(info["map_size"] * 2)
            else:
                self._grow_at = used + info["map_size"] // 16

    def _grow(self) -> None:
        """Double the map. LMDB allows it only while no transaction of this process is open."""
        with self._gate.alone(GROW_TIMEOUT_S, self._park) as alone:
            if not alone:
                raise Unavailable("the index has to grow, but queries stay open")
            self._set_map_size(self._environment.info()["map_size"] * 2)

    def _set_map_size(self, size: int) -> None:
        try:
            self._environment.set_mapsize(size)
        except (lmdb.Error, OSError) as problem:
            raise Unavailable(f"the index cannot grow to {size} bytes: {problem}") from problem
        log.info("index %s: the map grew to %d bytes", self.path, size)

    def _adopt(self) -> None:
        """Take the map size that another process has given it."""
        with self._gate.alone(GROW_TIMEOUT_S, self._park) as alone:
            if not alone:
                raise Unavailable("the index has grown, but queries stay open")
            self._environment.set_mapsize(0)


def _reserve(path: Path) -> None:
    """Have all blocks of LMDB's table of readers on the disk. Raises OSError when it is too full for that.

    LMDB writes into it through a mapping, and makes it as a hole: on a full disk a page of it that was not
    written before would be a SIGBUS, which ends the process. To be called while this process has no
    environment open there: closing a descriptor of the file would drop the locks that LMDB holds on it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        status = os.fstat(fd)
        length = status.st_size or _READERS_LENGTH
        if status.st_blocks * 512 < length:
            os.posix_fallocate(fd, 0, length)
    finally:
        os.close(fd)
