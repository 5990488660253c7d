"""The index of an archive: one LMDB environment, one writer at a time, as many readers as like.

Threads of this process and other processes may use it at once. LMDB serialises writers of different
processes; within one process the caller does. Rows, keys and counts of a batch become visible together.
"""

from __future__ import annotations

import hashlib
import logging
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, overload

from fastdicom.dataset.attributes import ATTRIBUTES, Attribute
from fastdicom.dataset.identifier import Identifier
from fastdicom.dataset.record import Change, Outcome, StoredEntry
from fastdicom.errors import UsageError
from fastdicom.index.keys import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID
from fastdicom.index.packed import row_of
from fastdicom.index.query import Query
from fastdicom.index.schema import (
    DATABASES,
    PAIR,
    SERIAL,
    SERIALS,
    TOTALS,
    VERSION,
    opaque_key,
    path_key,
    unpack_file,
)
from fastdicom.index.store import MAP_SIZE, Store
from fastdicom.index.walk import Walk
from fastdicom.index.writer import SOP_CLASS_UID, SOP_INSTANCE_UID, Writer
from fastdicom.kernels.rows import parts, value_of

log = logging.getLogger(__name__)

_FETCHED_AT_ONCE = 64  # instances of a selection that one short read transaction looks up


class Counts(NamedTuple):
    """How much there is. bytes: of the files."""

    patients: int
    studies: int
    series: int
    instances: int
    bytes: int


class Plan(NamedTuple):
    """How a query was answered. key: the attribute that led to the rows, "" when all were read."""

    key: str
    rows_visited: int
    answers: int
    files_read: int


class Index:
    """The index of one archive. Use `Index.open`."""

    def __init__(self, store: Store, attributes: Sequence[Attribute]) -> None:
        self._store = store
        self._attributes = {row.tag: row for row in attributes}

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        attributes: Sequence[Attribute] = ATTRIBUTES,
        readonly: bool = False,
        sync: bool = True,
        map_size: int = MAP_SIZE,
    ) -> Self:
        """Open the index in a folder, which is made when missing (unless `readonly`).

        sync: False leaves flushing to the system: commits then survive a crash of the process, not of the
        machine. map_size: virtual bytes to begin with; it doubles when that is not enough. Raises UsageError
        for a folder without an index (readonly), an index of a newer version, or one that cannot be opened.
        """
        folder = Path(path)
        if not readonly:
            folder.mkdir(parents=True, exist_ok=True)
        store = Store(folder, DATABASES, readonly=readonly, sync=sync, map_size=map_size)
        index = cls(store, attributes)
        try:
            index._check_version()
        except BaseException:
            store.close()
            raise
        return index

    def close(self) -> None:
        """Close it; queries that are still open end with an error."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reopen(self) -> None:
        """Begin again from what is on disk, after a commit that failed. Raises Unavailable."""
        self._store.reopen()
        self._check_version()

    def sync(self) -> None:
        """Flush what was committed without `sync`."""
        self._store.sync()

    @property
    def path(self) -> Path:
        """The folder."""
        return self._store.path

    # Writing.

    def apply(
        self, batch: Sequence[Change], notes: Mapping[str, bytes | None] | None = None
    ) -> list[Outcome]:
        """All changes and notes in one transaction; returns when it is durable, with an outcome for each.

        The files that Replaced and Deleted name are in `trash` from the same moment on. Raises Unavailable
        when it could not be written; then none of it was, unless the disk failed in the commit itself.
        """

        def work(transaction: Any) -> list[Outcome]:
            writer = Writer(transaction, self._store.databases)
            outcomes = [writer.apply(change) for change in batch]
            for key, value in (notes or {}).items():
                writer.note(key, value)
            writer.finish()
            return outcomes

        return self._store.write(work)

    def forget_trash(self, paths: Iterable[str]) -> None:
        """The files are unlinked."""
        keys = [path_key(path) for path in paths]
        trash = self._store.databases["trash"]

        def work(transaction: Any) -> None:
            for key in keys:
                transaction.delete(key, db=trash)

        if keys:
            self._store.write(work)

    def note(self, key: str, value: bytes | None) -> None:
        """Keep a small value under a name, or forget it with None."""
        self.apply((), {key: value})

    # Reading.

    def find(
        self, identifier: Identifier, *, limit: int | None = None, retrieve_ae_title: str = ""
    ) -> Iterator[bytes | None]:
        """The answers to a query, from one snapshot: one encoded identifier per match.

        None comes now and then while nothing matches, for the caller to look for a C-CANCEL. Memory does not
        grow with the matches. limit: so many answers at most. Raises Refused before the first answer when a
        key's value cannot be matched. Close the iterator to end the snapshot early.
        """
        query = Query(identifier, self._attributes, retrieve_ae_title=retrieve_ae_title)
        return self._answers(query, limit)

    def _answers(self, query: Query, limit: int | None) -> Iterator[bytes | None]:
        walk = Walk(self._store, query)
        left = -1 if limit is None else limit
        try:
            for answer in walk.answers():
                if answer is not None:
                    if left == 0:
                        return
                    left -= 1
                yield answer
        finally:
            walk.close()

    def explain(self, identifier: Identifier) -> Plan:
        """Run a query and tell how it was answered."""
        walk = Walk(self._store, Query(identifier, self._attributes))
        try:
            answers = sum(answer is not None for answer in walk.answers())
        finally:
            walk.close()
        tag = walk.key
        key = "" if tag is None else f"{self._attributes[tag].keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X})"
        return Plan(key, walk.visited, answers, 0)

    def instances(self, identifier: Identifier) -> Selection:
        """All instances at or below the matches at the identifier's level: for C-MOVE, export, delete.

        What matches is decided in one snapshot and kept as 16 bytes an instance; their rows are fetched 64
        at a time as they are asked for, so that a transfer of hours holds no snapshot.
        """
        walk = Walk(self._store, Query(identifier, self._attributes, answers=False))
        keys = array("Q")
        try:
            for key in walk.instance_keys():
                keys.extend(PAIR.unpack(key))
        finally:
            walk.close()
        return Selection(self, keys)

    def get(self, sop_instance_uid: str) -> StoredEntry | None:
        """One instance by its UID."""
        with self._store.reading() as transaction:
            where = transaction.get(opaque_key(sop_instance_uid), db=self._store.databases["uids"])
            return None if where is None else _Entries(transaction, self._store.databases).at(bytes(where))

    def at_path(self, path: str) -> StoredEntry | None:
        """The instance whose file this is."""
        with self._store.reading() as transaction:
            where = transaction.get(path_key(path), db=self._store.databases["paths"])
            return None if where is None else _Entries(transaction, self._store.databases).at(bytes(where))

    def entries(self) -> Iterator[StoredEntry]:
        """Every instance, for `verify`: fetched in short transactions, so it may take hours."""
        position = b""
        while True:
            with self._store.reading() as transaction:
                cursor = transaction.cursor(db=self._store.databases["instances"])
                keys = _keys_after(cursor, position, _FETCHED_AT_ONCE)
                found = _Entries(transaction, self._store.databases)
                chunk = [found.at(key) for key in keys]
            if not keys:
                return
            yield from (one for one in chunk if one is not None)
            position = keys[-1] + b"\0"

    def counts(self) -> Counts:
        """Totals, in constant time."""
        with self._store.reading() as transaction:
            return Counts(*TOTALS.unpack(transaction.get(b"totals", db=self._store.databases["meta"])))

    def paths(self, prefix: str = "") -> Iterator[str]:
        """The paths of all indexed files that begin with `prefix`."""
        return self._names("paths", prefix)

    def trash(self) -> list[str]:
        """Files that are owed an unlink."""
        return list(self._names("trash", ""))

    def notes(self, prefix: str = "") -> dict[str, bytes]:
        """The notes whose names begin with `prefix`."""
        start = prefix.encode("utf-8")
        with self._store.reading() as transaction:
            cursor = transaction.cursor(db=self._store.databases["notes"])
            found = {}
            more = cursor.set_range(start) if start else cursor.first()
            while more and bytes(cursor.key()).startswith(start):
                found[str(cursor.key(), "utf-8")] = bytes(cursor.value())
                more = cursor.next()
            return found

    @property
    def length(self) -> int:
        """Bytes of the index on disk that are in use."""
        return self._store.length

    def _names(self, database: str, prefix: str) -> Iterator[str]:
        start = prefix.encode("utf-8", "surrogateescape")
        position = start
        while True:
            with self._store.reading() as transaction:
                cursor = transaction.cursor(db=self._store.databases[database])
                keys = [key for key in _keys_after(cursor, position, 1024) if key.startswith(start)]
            yield from (key.decode("utf-8", "surrogateescape") for key in keys)
            if len(keys) < 1024:
                return
            position = keys[-1] + b"\0"

    # Versions.

    def _check_version(self) -> None:
        with self._store.reading() as transaction:
            version = transaction.get(b"version", db=self._store.databases["meta"])
            version = None if version is None else int(bytes(version))
        if version is None:
            if self._store.readonly:
                raise UsageError(f"{self.path}: the index is empty")
            self._store.write(self._begin)
        elif version != VERSION:
            age = "newer" if version > VERSION else "older"
            raise UsageError(
                f"{self.path}: the index has version {version}, {age} than {VERSION} of this program"
                + ("" if version > VERSION else ": run `fastdicom rebuild`")
            )

    def _begin(self, transaction: Any) -> None:
        """Write what an empty index holds; another process may just have done so."""
        meta = self._store.databases["meta"]
        if transaction.get(b"version", db=meta) is None:
            transaction.put(b"version", b"%d" % VERSION, db=meta)
            transaction.put(b"serials", SERIALS.pack(0, 0, 0, 0), db=meta)
            transaction.put(b"totals", TOTALS.pack(0, 0, 0, 0, 0), db=meta)
            transaction.put(b"attributes", self._fingerprint(), db=meta)

    def _fingerprint(self) -> bytes:
        rows = sorted((row.tag, row.vr, row.level) for row in self._attributes.values())
        return hashlib.sha256(repr(rows).encode("ascii")).hexdigest().encode("ascii")

    @property
    def lacks_attributes(self) -> bool:
        """True when the rows were made for other attributes than these: `fastdicom rebuild` adds them."""
        with self._store.reading() as transaction:
            kept = transaction.get(b"attributes", db=self._store.databases["meta"])
            return kept is None or bytes(kept) != self._fingerprint()

    def adopt_attributes(self) -> None:
        """The rows hold the attributes that this index was opened with: after a rebuild."""
        meta = self._store.databases["meta"]
        self._store.write(lambda transaction: transaction.put(b"attributes", self._fingerprint(), db=meta))


class Selection(Sequence[StoredEntry]):
    """Instances that were chosen in one snapshot, and are read when asked for.

    `len` is the number that was chosen. What has been deleted or moved to another series since is left out
    when iterating, and counted in `vanished`; an index raises LookupError for it.
    """

    def __init__(self, index: Index, keys: array[int]) -> None:
        self._index = index
        self._keys = keys
        self.vanished = 0

    def __len__(self) -> int:
        return len(self._keys) // 2

    def __iter__(self) -> Iterator[StoredEntry]:
        self.vanished = 0
        for start in range(0, len(self), _FETCHED_AT_ONCE):
            chunk = self._fetch(range(start, min(start + _FETCHED_AT_ONCE, len(self))))
            for entry in chunk:
                if entry is None:
                    self.vanished += 1
                else:
                    yield entry

    @overload
    def __getitem__(self, position: int) -> StoredEntry: ...
    @overload
    def __getitem__(self, position: slice) -> list[StoredEntry]: ...
    def __getitem__(self, position: int | slice) -> StoredEntry | list[StoredEntry]:
        if isinstance(position, slice):
            found = self._fetch(range(*position.indices(len(self))))
            return [entry for entry in found if entry is not None]
        number = position + len(self) if position < 0 else position
        if not 0 <= number < len(self):
            raise IndexError(position)
        entry = self._fetch([number])[0]
        if entry is None:
            raise LookupError(f"instance {position} of the selection has been deleted since")
        return entry

    def _fetch(self, numbers: Iterable[int]) -> list[StoredEntry | None]:
        store = self._index._store
        with store.reading() as transaction:
            found = _Entries(transaction, store.databases)
            return [found.at(PAIR.pack(self._keys[2 * at], self._keys[2 * at + 1])) for at in numbers]


class _Entries:
    """Instances' rows as StoredEntry, within one transaction; remembers the last series."""

    def __init__(self, transaction: Any, databases: Mapping[str, Any]) -> None:
        self._txn = transaction
        self._db = databases
        self._series: tuple[int, str, str] = (-1, "", "")

    def at(self, key: bytes) -> StoredEntry | None:
        row = self._txn.get(key, db=self._db["instances"])
        if row is None:
            return None
        head, _, image, _ = parts(row)
        series = PAIR.unpack(key)[0]
        if self._series[0] != series:
            self._series = (series, *self._uids_above(series))
        _, study_uid, series_uid = self._series
        return StoredEntry(
            _uid(image, SOP_CLASS_UID),
            _uid(image, SOP_INSTANCE_UID),
            study_uid,
            series_uid,
            unpack_file(head),
        )

    def _uids_above(self, series: int) -> tuple[str, str]:
        key = bytes(self._txn.get(SERIAL.pack(series), db=self._db["series_keys"]))
        own = parts(self._txn.get(key, db=self._db["series"]))[2]
        study = row_of(self._txn, self._db["studies"], PAIR.unpack(key)[0])
        assert study is not None
        return _uid(parts(study)[2], STUDY_INSTANCE_UID), _uid(own, SERIES_INSTANCE_UID)


def _uid(dataset: bytes, tag: int) -> str:
    return (value_of(dataset, tag) or b"").strip(b" \0").decode("utf-8", "surrogatepass")


def _keys_after(cursor: Any, position: bytes, count: int) -> list[bytes]:
    """Up to `count` keys from `position` on."""
    more = cursor.set_range(position) if position else cursor.first()
    keys: list[bytes] = []
    while more and len(keys) < count:
        keys.append(bytes(cursor.key()))
        more = cursor.next()
    return keys
