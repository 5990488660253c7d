"""Reads rows from one snapshot, level by level, and gives what matches: answers, or keys of instances.

From the studies (or patients) that the plan names, or all of them, down to the level that is asked for. A
parent's row is matched before its children are read. Nothing here is kept but the plan's candidates.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from fastdicom.dataset.record import StoredEntry
from fastdicom.errors import Unavailable
from fastdicom.index.damage import any_damage, damaged_below, damaged_entities
from fastdicom.index.entries import Entries
from fastdicom.index.keys import SOP_INSTANCE_UID
from fastdicom.index.lease import Lease
from fastdicom.index.packed import SLOTS, row_of
from fastdicom.index.plan import Candidates, candidates, sieves, wanted_uids
from fastdicom.index.query import Query
from fastdicom.index.schema import PAIR, SERIAL, TOTALS, opaque
from fastdicom.index.store import Store
from fastdicom.kernels.query import IMAGE, PATIENT, SERIES, STUDY
from fastdicom.kernels.rows import parts

log = logging.getLogger(__name__)

ReadAttributes = Callable[[StoredEntry, Sequence[int], Mapping[int, str]], bytes]
"""(instance, tags, private creators) -> those attributes from its file, a Data Set as records have them.

Private creators: by the tag of the element that reserves their block. Raises OSError.
"""

_BLOCKS_A_BREATH = 64
_ROWS_A_BREATH = 512


class Walk:
    """One query over one snapshot, which `answers` and `instance_keys` open and close; use one of them once.

    Each step of `answers` is to be taken inside `lease`. Where the map has to grow between two steps, the
    rest is read from a later snapshot.

    key: tag of the key that led to the rows, None when all are read. tried: tags of all keys that could
    have. found: entities that the key led to, None when all are read. files_read: for what is not indexed.
    """

    def __init__(
        self,
        store: Store,
        query: Query,
        read_attributes: ReadAttributes | None = None,
        file_reads_max: int = 0,
    ) -> None:
        """file_reads_max: files that may be read, 0 for any number; then Unavailable is raised."""
        self.key: int | None = None
        self.tried: tuple[int, ...] = ()
        self.found: int | None = None
        self.files_read = 0
        self._store = store
        self._db = store.databases
        self._query = query
        self._selector = query.selector
        self._read_attributes = read_attributes if query.file_tags else None
        self._file_reads_max = file_reads_max
        self._lease: Lease | None = None
        self._top = PATIENT if query.level == PATIENT else STUDY
        self._series: dict[int, list[bytes]] | None = None  # study serial -> the only series to look at
        self._images: dict[int, list[bytes]] | None = None  # series serial -> the only instances
        self._rows = 0
        self._any_damage = False
        self._damaged: frozenset[int] | None = None  # of its level; None: to be looked for below each

    @property
    def reads_files(self) -> bool:
        """True when each answer takes a file to read."""
        return self._read_attributes is not None

    @property
    def rows_visited(self) -> tuple[int, int, int, int]:
        """Rows that were looked at so far: of patients, studies, series, instances."""
        return self._selector.visited

    def answers(self) -> Generator[bytes | None, None, None]:
        """One encoded identifier per match; None now and then while nothing matches."""
        with self._snapshot():
            self._any_damage = any_damage(self._txn, self._db)
            if self._any_damage:
                self._damaged = damaged_entities(self._txn, self._db, self._query.level)
            if self._query.level == self._top and self._read_attributes is None:
                for serial in self._entities():
                    yield None if serial is None else self._answer(None, serial)
                return
            for serial in self._entities():
                if serial is None:
                    yield None
                else:
                    yield from self._answers_below(serial)

    def _answers_below(self, serial: int) -> Iterator[bytes | None]:
        level = self._query.level
        if level == self._top:
            yield self._answer(self._first_image(level, serial), serial)
        elif level == SERIES:
            for series in self._matching_series(serial):
                yield self._answer(self._first_image(level, series), series)
        else:
            for series in self._matching_series(serial):
                for key in self._matching_images(series):
                    yield None if key is None else self._answer(key, PAIR.unpack(key)[1])

    def instance_keys(self) -> Iterator[bytes]:
        """Keys in `instances` of all that is at or below a match."""
        with self._snapshot():
            for serial in self._entities():
                if serial is not None:
                    yield from self._keys_below(serial)

    def _keys_below(self, serial: int) -> Iterator[bytes]:
        level = self._query.level
        if level == PATIENT:
            for study in self._children("patient_studies", serial):
                yield from self._keys_of_study(PAIR.unpack(study)[1])
        elif level == STUDY:
            yield from self._keys_of_study(serial)
        else:
            for series in self._matching_series(serial):
                if level == SERIES:
                    yield from self._children("instances", series)
                else:
                    yield from (key for key in self._matching_images(series) if key is not None)

    def _keys_of_study(self, study: int) -> Iterator[bytes]:
        for series in self._children("series", study):
            yield from self._children("instances", PAIR.unpack(series)[1])

    # The snapshot.

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._selector.release()
            self._store.end_lease(self.lease)

    @property
    def lease(self) -> Lease:
        """The read transaction; it begins with the first step."""
        if self._lease is None:
            self._lease = self._store.lease(self._selector.detach)
        return self._lease

    @property
    def _txn(self) -> Any:
        return self.lease.transaction

    # The plan.

    def _plan(self) -> list[bytes] | None:
        """Serials of the entities at the top level to look at; None for all."""
        conditions, level = self._query.conditions, self._query.level
        if level == IMAGE and (uids := wanted_uids(conditions, "IMAGE")) is not None:
            return self._plan_images(uids)
        if level >= SERIES and wanted_uids(conditions, "SERIES") is not None:
            return self._plan_series(self._race(SERIES, None))
        totals = TOTALS.unpack(self._txn.get(b"totals", db=self._db["meta"]))
        return self._race(self._top, totals[self._top]).entities

    def _race(self, level: int, total: int | None) -> Candidates:
        found = sieves(self._query.conditions, level)
        self.tried = tuple(sieve.tag for sieve in found)
        return self._note(candidates(self._txn, self._db["keys"], found, total))

    def _note(self, found: Candidates) -> Candidates:
        self.key = found.tag
        self.found = None if found.entities is None else len(found.entities)
        return found

    def _plan_series(self, found: Candidates) -> list[bytes]:
        self._series = {}
        for key in found.entities or ():
            self._series.setdefault(PAIR.unpack(key)[0], []).append(key)
        return [SERIAL.pack(serial) for serial in sorted(self._series)]

    def _plan_images(self, uids: list[bytes]) -> list[bytes]:
        self._images = {}
        for uid in uids:
            where = self._txn.get(opaque(uid), db=self._db["uids"])
            if where is not None:
                self._images.setdefault(PAIR.unpack(where)[0], []).append(bytes(where))
        keys = (self._txn.get(SERIAL.pack(serial), db=self._db["series_keys"]) for serial in self._images)
        found = Candidates(SOP_INSTANCE_UID, sorted(bytes(key) for key in keys))
        self.tried = (SOP_INSTANCE_UID,)
        self._note(found)
        self.found = sum(len(images) for images in self._images.values())
        return self._plan_series(found)

    # The top level: patients for a query at PATIENT level, else studies.

    def _entities(self) -> Iterator[int | None]:
        """Serials of the entities that match, their rows taken and their tallies set; None now and then."""
        planned = self._plan()
        return self._scan() if planned is None else self._fetch(planned)

    def _scan(self) -> Iterator[int | None]:
        """All rows of the top level, in blocks, in order."""
        position: bytes | None = b""
        while position is not None:
            position = yield from self._scan_snapshot(position)

    def _scan_snapshot(self, position: bytes) -> Generator[int | None, None, bytes | None]:
        """The rows from a key on; returns the key to go on from when the snapshot was given up, else None."""
        renewals = self.lease.renewals
        cursor = self._txn.cursor(db=self._db["patients" if self._top == PATIENT else "studies"])
        if not (cursor.set_range(position) if position else cursor.first()):
            return None
        take_packed, top = self._selector.take_packed, self._top
        for blocks, (view, block) in enumerate(cursor, 1):
            key = bytes(view)
            if len(key) > SERIAL.size:
                yield from self._lone_row(key, block)
            else:
                slot = take_packed(top, block, 0)
                if slot >= 0:
                    yield from self._block(SERIAL.unpack(key)[0] * SLOTS, block, slot)
            if not blocks % _BLOCKS_A_BREATH:
                yield None
            if self.lease.renewals != renewals:
                return key + b"\0"
        return None

    def _block(self, first: int, block: Any, slot: int) -> Iterator[int]:
        """What matches in a block, from a slot on that does so far. first: serial of the first slot."""
        renewals = self.lease.renewals
        while slot >= 0:
            if self._complete(self._top, first + slot, block, slot):
                yield first + slot
                if self.lease.renewals != renewals:
                    block = self._selector.held(self._top)
            slot = self._selector.take_packed(self._top, block, slot + 1)

    def _lone_row(self, key: bytes, row: Any) -> Iterator[int]:
        serial = SERIAL.unpack_from(key)[0] * SLOTS + key[-1]
        if self._selector.take(self._top, row) and self._complete(self._top, serial, None, 0):
            yield serial

    def _fetch(self, planned: list[bytes]) -> Iterator[int | None]:
        """The rows that the plan has named."""
        database = self._db["patients" if self._top == PATIENT else "studies"]
        for number, entity in enumerate(planned, 1):
            serial = SERIAL.unpack(entity)[0]
            row = row_of(self._txn, database, serial)
            matched = row is not None and self._selector.take(self._top, row)
            if matched and self._complete(self._top, serial, None, 0):
                yield serial
            if not number % _ROWS_A_BREATH:
                yield None

    def _complete(self, level: int, serial: int, block: Any, slot: int) -> bool:
        """What is left once the row of a patient or study matches: checks, and what is counted."""
        if not self._query.passes(level):
            return False
        for wanted in self._query.tally_levels:
            if wanted == level:
                matched = self._set_tally(level, serial)
            elif wanted == PATIENT:
                matched = self._set_tally(PATIENT, self._patient_of(serial, block, slot))
            else:
                continue
            if not matched:
                return False
        return True

    def _patient_of(self, study: int, block: Any, slot: int) -> int:
        if block is not None:
            return int(SERIAL.unpack(self._selector.head(block, slot))[0])
        row = row_of(self._txn, self._db["studies"], study)
        assert row is not None
        return int(SERIAL.unpack(parts(row)[0])[0])

    def _set_tally(self, level: int, serial: int) -> bool:
        tally = self._txn.get(b"%d" % level + SERIAL.pack(serial), db=self._db["tallies"])
        return self._selector.count(level, tally)

    # Below a study.

    def _matching_series(self, study: int) -> Iterator[int]:
        """Serials of the series that match, their rows taken."""
        tallied = SERIES in self._query.tally_levels
        for key, row in self._rows_below("series", self._series, study):
            if self._selector.take(SERIES, row) and self._query.passes(SERIES):
                serial = PAIR.unpack(key)[1]
                if not tallied or self._set_tally(SERIES, serial):
                    yield serial

    def _matching_images(self, series: int) -> Iterator[bytes | None]:
        """Keys of the instances that match, their rows taken; None now and then."""
        for key, row in self._rows_below("instances", self._images, series):
            if self._selector.take(IMAGE, row) and self._query.passes(IMAGE):
                yield key
            self._rows += 1
            if not self._rows % _ROWS_A_BREATH:
                yield None

    def _rows_below(
        self, database: str, planned: dict[int, list[bytes]] | None, parent: int
    ) -> Iterator[tuple[bytes, Any]]:
        """(key, row) of a parent's children; only of those that the plan has named, if it has."""
        if planned is None:
            yield from self._below(database, parent)
            return
        for key in planned.get(parent, ()):
            row = self._txn.get(key, db=self._db[database])
            if row is not None:
                yield key, row

    def _below(self, database: str, parent: int) -> Iterator[tuple[bytes, Any]]:
        prefix = position = SERIAL.pack(parent)
        while True:
            renewals = self.lease.renewals
            cursor = self._txn.cursor(db=self._db[database])
            more = cursor.set_range(position)
            while more and self.lease.renewals == renewals:
                key = bytes(cursor.key())
                if not key.startswith(prefix):
                    return
                yield key, cursor.value()
                position = key + b"\0"
                more = self.lease.renewals != renewals or cursor.next()
            if not more:
                return

    def _children(self, database: str, parent: int) -> Iterator[bytes]:
        """Keys of a parent's children."""
        prefix = SERIAL.pack(parent)
        cursor = self._txn.cursor(db=self._db[database])
        if cursor.set_range(prefix):
            for view in cursor.iternext(keys=True, values=False):
                key = bytes(view)
                if not key.startswith(prefix):
                    return
                yield key

    # Attributes that only files have.

    def _answer(self, image: bytes | None, serial: int) -> bytes:
        """The answer for the entity at hand; what is not indexed comes from the file of `image`."""
        if self._any_damage:
            self._query.set_available(not self._is_damaged(image, serial))
        if self._read_attributes is not None:
            self._query.set_file_values(b"" if image is None else self._from_file(image))
        return self._query.answer()

    def _is_damaged(self, image: bytes | None, serial: int) -> bool:
        if self._damaged is not None:
            return serial in self._damaged
        return damaged_below(self._txn, self._db, self._query.level, serial, image)

    def _from_file(self, image: bytes) -> bytes:
        assert self._read_attributes is not None
        entry = Entries(self._txn, self._db).at(image)
        if entry is None:
            return b""
        if self._file_reads_max and self.files_read == self._file_reads_max:
            raise Unavailable(f"more than {self.files_read} files to read: ask more precisely")
        self.files_read += 1
        try:
            return self._read_attributes(entry, self._query.file_tags, self._query.file_creators)
        except OSError as problem:
            log.warning("%s cannot be read for a query: %s", entry.file.path, problem)
            return b""

    def _first_image(self, level: int, serial: int) -> bytes | None:
        """The instance that speaks for an entity: the first that came."""
        if self._read_attributes is None:
            return None
        if level == SERIES:
            return next(self._children("instances", serial), None)
        studies = (PAIR.unpack(key)[1] for key in self._children("patient_studies", serial))
        found = (
            key for study in ((serial,) if level == STUDY else studies) for key in self._keys_of_study(study)
        )
        return next(found, None)
