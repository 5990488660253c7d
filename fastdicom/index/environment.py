"""The index of an archive: one LMDB environment, one writer at a time, as many readers as like.

Threads of this process and other processes may use it at once. LMDB serialises writers of different
processes; within one process the caller does. Rows, keys and counts of a batch become visible together.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from fastdicom.dataset.attributes import ATTRIBUTES, Attribute
from fastdicom.dataset.identifier import Identifier
from fastdicom.dataset.record import Change, Deleted, Outcome, Replaced, StoredEntry
from fastdicom.errors import UsageError
from fastdicom.index.answers import Answers
from fastdicom.index.arrivals import ArrivedStudy, arrived, series_of, study_entries
from fastdicom.index.damage import mark_damaged, mark_whole
from fastdicom.index.entries import FETCHED_AT_ONCE, Entries, Selection
from fastdicom.index.kept import lacking, packed, unpacked
from fastdicom.index.patients import patient_of
from fastdicom.index.query import Query
from fastdicom.index.readers import OldReader
from fastdicom.index.schema import DATABASES, PAIR, SERIALS, TOTALS, VERSION, opaque_key, path_key
from fastdicom.index.store import MAP_SIZE, Store
from fastdicom.index.walk import ReadAttributes, Walk
from fastdicom.index.writer import Memory, Writer

log = logging.getLogger(__name__)


class Counts(NamedTuple):
    """How much there is. bytes: of the files."""

    patients: int
    studies: int
    series: int
    instances: int
    bytes: int


class Plan(NamedTuple):
    """How a query was answered.

    key: tag of the attribute that led to the rows, None when all were read. tried: tags of those that could
    have. found: how many entities the key led to. rows_visited: of patients, studies, series, instances.
    """

    key: int | None
    tried: tuple[int, ...]
    found: int | None
    rows_visited: tuple[int, int, int, int]
    answers: int
    files_read: int


class Index:
    """The index of one archive. Use `Index.open`."""

    def __init__(self, store: Store, attributes: Sequence[Attribute]) -> None:
        self._store = store
        self._wanted = tuple({row.tag: row for row in attributes}.values())
        self._memory: Memory | None = None
        self._attributes: dict[int, Attribute] = {}

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

        attributes: what a new index is to hold; one that is there holds what it was made with (`lacking`).
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
        self._memory = None
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

        Durable with one exception: rows that were only added in the last transaction before a power cut are
        restored by recovery from their files, which have to be durable before this is called. That saves
        a flush for each transaction. What no file tells (a row replaced or deleted) is flushed here.
        The files that Replaced and Deleted name are in `trash` from the same moment on. Raises Unavailable
        when it could not be written; then none of it was, unless the disk failed in the commit itself.
        """

        def work(transaction: Any) -> tuple[list[Outcome], Memory]:
            memory, self._memory = self._memory, None  # a second attempt begins without
            writer = Writer(transaction, self._store.databases, memory)
            outcomes = [writer.apply(change) for change in batch]
            for key, value in (notes or {}).items():
                writer.note(key, value)
            writer.finish()
            return outcomes, writer.memory

        outcomes, self._memory = self._store.write(work)
        if any(isinstance(outcome, Replaced | Deleted) for outcome in outcomes):
            self._store.sync_commit()
        return outcomes

    def forget_trash(self, paths: Iterable[str]) -> None:
        """The files are unlinked."""
        keys = [path_key(path) for path in paths]
        trash = self._store.databases["trash"]

        def work(transaction: Any) -> None:
            for key in keys:
                transaction.delete(key, db=trash)

        if keys:
            self._store.write(work)

    def mark(self, path: str, reason: str, found_at: float) -> bool:
        """Note that an instance's file is damaged, or with reason "" that it is whole.

        False when that was known, or no instance has this file by now. found_at: seconds since the epoch.
        """
        db = self._store.databases

        def work(transaction: Any) -> bool:
            key = transaction.get(path_key(path), db=db["paths"])
            if key is None:
                return False
            if not reason:
                return mark_whole(transaction, db, bytes(key))
            return mark_damaged(transaction, db, bytes(key), reason, found_at)

        return self._store.write(work)

    def note(self, key: str, value: bytes | None) -> None:
        """Keep a small value under a name, or forget it with None."""
        self.apply((), {key: value})
        self._store.sync_commit()

    # Reading.

    def find(
        self,
        identifier: Identifier,
        *,
        limit: int | None = None,
        retrieve_ae_title: str = "",
        read_attributes: ReadAttributes | None = None,
        file_reads_max: int = 0,
    ) -> Answers:
        """The answers to a query, from one snapshot: one encoded identifier per match.

        None comes now and then while nothing matches, for the caller to look for a C-CANCEL. Memory does not
        grow with the matches. limit: so many answers at most, then Unavailable is raised. read_attributes:
        fetches what is not indexed from the stored files; without it such keys are not returned.
        file_reads_max: so many files at most, then Unavailable is raised. Raises Refused before the first
        answer when a key's value cannot be matched. Close the iterator to end the snapshot early.
        """
        query = Query(
            identifier,
            self._attributes,
            retrieve_ae_title=retrieve_ae_title,
            read_files=read_attributes is not None,
        )
        return Answers(Walk(self._store, query, read_attributes, file_reads_max), limit)

    def explain(
        self,
        identifier: Identifier,
        *,
        read_attributes: ReadAttributes | None = None,
    ) -> Plan:
        """Run a query and tell how it was answered."""
        answers = self.find(identifier, read_attributes=read_attributes)
        for _ in answers:
            pass
        walk = answers.walk
        return Plan(walk.key, walk.tried, walk.found, walk.rows_visited, answers.count, walk.files_read)

    def instances(self, identifier: Identifier) -> Selection:
        """All instances at or below the matches at the identifier's level: for C-MOVE, export, delete.

        What matches is decided in one snapshot and kept as 16 bytes an instance; their rows are fetched 64
        at a time as they are asked for, so that a transfer of hours holds no snapshot.
        """
        walk = Walk(self._store, Query(identifier, self._attributes, answers=False))
        keys = array("Q")
        with walk.lease:
            for key in walk.instance_keys():
                keys.extend(PAIR.unpack(key))
        return Selection(self._store, keys)

    def get(self, sop_instance_uid: str) -> StoredEntry | None:
        """One instance by its UID."""
        with self._store.reading() as transaction:
            where = transaction.get(opaque_key(sop_instance_uid), db=self._store.databases["uids"])
            return None if where is None else Entries(transaction, self._store.databases).at(bytes(where))

    def has(self, sop_instance_uid: str) -> bool:
        """Whether there is such an instance."""
        with self._store.reading() as transaction:
            key = opaque_key(sop_instance_uid)
            return transaction.get(key, db=self._store.databases["uids"]) is not None

    def at_path(self, path: str) -> StoredEntry | None:
        """The instance whose file this is."""
        with self._store.reading() as transaction:
            where = transaction.get(path_key(path), db=self._store.databases["paths"])
            return None if where is None else Entries(transaction, self._store.databases).at(bytes(where))

    def patient_of(self, sop_instance_uid: str) -> bytes:
        """The attributes of an instance's patient, Explicit VR Little Endian; b"" when it is not there."""
        with self._store.reading() as transaction:
            return patient_of(transaction, self._store.databases, sop_instance_uid)

    def entries(self) -> Iterator[StoredEntry]:
        """Every instance, for `verify`: fetched in short transactions, so it may take hours."""
        return (entry for _, entry in self.entries_from(b""))

    def entries_from(self, position: bytes) -> Iterator[tuple[bytes, StoredEntry]]:
        """As `entries`, each with the position to go on from behind it; b"": from the first on."""
        return self._walked("instances", position)

    def damaged(self) -> Iterator[StoredEntry]:
        """The instances whose files are known to be damaged."""
        return (entry for _, entry in self._walked("damaged", b""))

    def damaged_count(self) -> int:
        """How many these are."""
        with self._store.reading() as transaction:
            return int(transaction.stat(self._store.databases["damaged"])["entries"])

    def _walked(self, database: str, position: bytes) -> Iterator[tuple[bytes, StoredEntry]]:
        while True:
            with self._store.reading() as transaction:
                cursor = transaction.cursor(db=self._store.databases[database])
                keys = _keys_after(cursor, position, FETCHED_AT_ONCE)
                found = Entries(transaction, self._store.databases)
                chunk = [(key + b"\0", found.at(key)) for key in keys]
            if not keys:
                return
            yield from ((behind, entry) for behind, entry in chunk if entry is not None)
            position = keys[-1] + b"\0"

    # What retention asks.

    def arrived(self, after: bytes = b"", count: int = FETCHED_AT_ONCE) -> list[ArrivedStudy]:
        """Up to `count` studies in the order in which they came, behind the place of another one."""
        with self._store.reading() as transaction:
            return arrived(transaction, self._store.databases, after, count)

    def series_of(self, study: ArrivedStudy) -> list[int]:
        """Serials of its series, to be compared with `Selection.series`."""
        with self._store.reading() as transaction:
            return series_of(transaction, self._store.databases, study.serial)

    def study_entries(self, study: ArrivedStudy, count: int) -> list[StoredEntry]:
        """Up to `count` of its instances."""
        with self._store.reading() as transaction:
            return study_entries(transaction, self._store.databases, study.serial, count)

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

    def rest(self) -> None:
        """Have queries that nobody reads just now give way. To be called every few seconds."""
        self._store.rest()

    @property
    def old_readers(self) -> list[OldReader]:
        """Processes that hold a snapshot for long, as `rest` found them: the index grows meanwhile."""
        return self._store.old_readers

    def figures(self) -> dict[str, object]:
        """For the node's status."""
        old = [reader._asdict() for reader in self.old_readers]
        return {"bytes": self.length, "map_bytes": self.map_length, "old_readers": old}

    @property
    def length(self) -> int:
        """Bytes of the index on disk that are in use."""
        return self._store.length

    @property
    def map_length(self) -> int:
        """Bytes that the index's map has room for; it grows by itself."""
        return self._store.map_length

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
            meta = self._store.databases["meta"]
            version, kept = (transaction.get(name, db=meta) for name in (b"version", b"attributes"))
            if version is not None:
                self._compare(int(bytes(version)))
                self._attributes = {row.tag: row for row in unpacked(bytes(kept))}
        if version is None:
            if self._store.readonly:
                raise UsageError(f"{self.path}: the index is empty")
            self._store.write(self._begin)
            self._check_version()

    def _compare(self, version: int) -> None:
        if version > VERSION:
            raise UsageError(
                f"{self.path}: the index has version {version}, newer than {VERSION} of this program"
            )
        if version < VERSION:
            raise UsageError(f"{self.path}: the index has version {version}: run `fastdicom rebuild`")

    def _begin(self, transaction: Any) -> None:
        """Write what an empty index holds; another process may just have done so."""
        meta = self._store.databases["meta"]
        if transaction.get(b"version", db=meta) is None:
            transaction.put(b"version", b"%d" % VERSION, db=meta)
            transaction.put(b"serials", SERIALS.pack(0, 0, 0, 0), db=meta)
            transaction.put(b"totals", TOTALS.pack(0, 0, 0, 0, 0), db=meta)
            transaction.put(b"attributes", packed(self._wanted), db=meta)

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """What all rows hold, and queries are answered from: as it was when the index was made."""
        return tuple(self._attributes.values())

    @property
    def lacking(self) -> tuple[Attribute, ...]:
        """Attributes that were asked for but that rows do not hold: `fastdicom rebuild` adds them."""
        return lacking(self._wanted, self.attributes)


def _keys_after(cursor: Any, position: bytes, count: int) -> list[bytes]:
    """Up to `count` keys from `position` on."""
    more = cursor.set_range(position) if position else cursor.first()
    keys: list[bytes] = []
    while more and len(keys) < count:
        keys.append(bytes(cursor.key()))
        more = cursor.next()
    return keys
