"""Reads rows from one snapshot, level by level, and gives what matches: answers, or keys of instances.

From the studies (or patients) that the plan names, or all of them, down to the level that is asked for. A
parent's row is matched before its children are read. Nothing here is kept but the plan's candidates.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastdicom.index.packed import SLOTS, row_of
from fastdicom.index.plan import Candidates, candidates, sieves, wanted_uids
from fastdicom.index.query import Query
from fastdicom.index.schema import PAIR, SERIAL, TOTALS, opaque
from fastdicom.index.store import Store
from fastdicom.kernels.query import IMAGE, PATIENT, SERIES, STUDY
from fastdicom.kernels.rows import parts

_BLOCK_KEY_LENGTH = SERIAL.size
_BLOCKS_A_BREATH = 64
_ROWS_A_BREATH = 512

SeriesOfStudy = dict[int, list[bytes]]
"""Study serial -> keys in `series`."""


class Walk:
    """One query over one snapshot. Iterate `answers` or `instance_keys` once; then `close`.

    visited: rows that were read. key: tag of the key that led to them, None for a scan.
    """

    def __init__(self, store: Store, query: Query) -> None:
        self._store = store
        self._query = query
        self._selector = query.selector
        self._txn = store.begin()
        self._plan: Candidates | None = None
        self._series: SeriesOfStudy | None = None  # the only series to look at
        self._images: dict[int, list[bytes]] | None = None  # series serial -> the only instances
        self._rows = 0

    @property
    def visited(self) -> int:
        """Rows that were looked at so far."""
        return int(self._selector.visited)

    @property
    def key(self) -> int | None:
        """The tag of the key that the plan chose; None when all rows are read."""
        return self._plan.tag if self._plan is not None else None

    def close(self) -> None:
        """End the snapshot."""
        if self._txn is not None:
            self._selector.release()
            transaction, self._txn = self._txn, None
            self._store.end(transaction)

    def answers(self) -> Iterator[bytes | None]:
        """One encoded identifier per match; None now and then while nothing matches."""
        query = self._query
        top = PATIENT if query.level == PATIENT else STUDY
        for serial in self._top(top):
            if serial is None:
                yield None
            elif query.level == top:
                yield query.answer()
            elif query.level == SERIES:
                yield from self._series_answers(serial)
            else:
                yield from self._image_answers(serial)

    # The top level: patients for a query at PATIENT level, else studies.

    def _top(self, level: int) -> Iterator[int | None]:
        """Serials of the entities that match, their rows taken and their tallies set."""
        self._plan = self._make_plan(level)
        if self._plan.entities is None:
            yield from self._scan(level)
        else:
            yield from self._fetch(level, self._plan.entities)

    def _make_plan(self, level: int) -> Candidates:
        query = self._query
        conditions = query.conditions
        if query.level == IMAGE and (uids := wanted_uids(conditions, "IMAGE")) is not None:
            return self._plan_images(uids)
        if query.level >= SERIES and (uids := wanted_uids(conditions, "SERIES")) is not None:
            found = candidates(self._txn, self._store.databases["keys"], sieves(conditions, SERIES), 1 << 62)
            return self._plan_series(found)
        totals = TOTALS.unpack(self._txn.get(b"totals", db=self._store.databases["meta"]))
        return candidates(self._txn, self._store.databases["keys"], sieves(conditions, level), totals[level])

    def _plan_series(self, found: Candidates) -> Candidates:
        self._series = {}
        for key in found.entities or ():
            self._series.setdefault(PAIR.unpack(key)[0], []).append(key)
        return Candidates(found.tag, [SERIAL.pack(serial) for serial in sorted(self._series)])

    def _plan_images(self, uids: list[bytes]) -> Candidates:
        self._images = {}
        databases = self._store.databases
        for uid in uids:
            where = self._txn.get(opaque(uid), db=databases["uids"])
            if where is not None:
                self._images.setdefault(PAIR.unpack(where)[0], []).append(bytes(where))
        keys = [
            bytes(self._txn.get(SERIAL.pack(serial), db=databases["series_keys"])) for serial in self._images
        ]
        return self._plan_series(Candidates(0x00080018, sorted(keys)))

    def _scan(self, level: int) -> Iterator[int | None]:
        """All rows of a level, in blocks."""
        database = self._store.databases["patients" if level == PATIENT else "studies"]
        selector = self._selector
        position = b""
        while True:
            cursor = self._txn.cursor(db=database)
            blocks = 0
            more = cursor.set_range(position) if position else cursor.first()
            while more:
                key, block = bytes(cursor.key()), cursor.value()
                if len(key) == _BLOCK_KEY_LENGTH:
                    first = SERIAL.unpack(key)[0] * SLOTS
                    slot = selector.take_packed(level, block, 0)
                    while slot >= 0:
                        if self._complete(level, first + slot, block, slot):
                            yield first + slot
                        if slot == SLOTS - 1:
                            break
                        slot = selector.take_packed(level, block, slot + 1)
                else:
                    serial = SERIAL.unpack_from(key)[0] * SLOTS + key[-1]
                    if selector.take(level, block) and self._complete(level, serial, None, 0):
                        yield serial
                blocks += 1
                if not blocks % _BLOCKS_A_BREATH:
                    yield None
                    if self._store.wanted:
                        break
                more = cursor.next()
            if not more:
                return
            position = key + b"\0"  # goes on behind this block in a new snapshot
            self._renew()

    def _fetch(self, level: int, entities: list[bytes]) -> Iterator[int | None]:
        """The rows that the plan has named."""
        database = self._store.databases["patients" if level == PATIENT else "studies"]
        for number, entity in enumerate(entities, 1):
            serial = SERIAL.unpack(entity)[0]
            row = row_of(self._txn, database, serial)
            if row is not None and self._selector.take(level, row) and self._complete(level, serial, None, 0):
                yield serial
            if not number % _ROWS_A_BREATH:
                yield None
                if self._store.wanted:
                    self._renew()

    def _renew(self) -> None:
        """Let the map grow, and go on with a new snapshot."""
        self.close()
        self._txn = self._store.begin()

    # Tallies.

    def _complete(self, level: int, serial: int, block: Any, slot: int) -> bool:
        """Set what is counted at this level and above; False when that does not match."""
        for wanted in self._query.tally_levels:
            if wanted == level or (wanted == PATIENT and level == STUDY):
                owner = serial if wanted == level else self._patient_of(serial, block, slot)
                if not self._set_tally(wanted, owner):
                    return False
        return True

    def _patient_of(self, study: int, block: Any, slot: int) -> int:
        if block is not None:
            return int(SERIAL.unpack(self._selector.head(STUDY, block, slot))[0])
        row = row_of(self._txn, self._store.databases["studies"], study)
        assert row is not None
        return int(SERIAL.unpack(parts(row)[0])[0])

    def _set_tally(self, level: int, serial: int) -> bool:
        key = b"%d" % level + SERIAL.pack(serial)
        return self._query.set_tally(level, bytes(self._txn.get(key, db=self._store.databases["tallies"])))

    # Below a study.

    def _series_answers(self, study: int) -> Iterator[bytes | None]:
        for _ in self._matching_series(study):
            yield self._query.answer()

    def _image_answers(self, study: int) -> Iterator[bytes | None]:
        for series in self._matching_series(study):
            for key in self._matching_images(series):
                yield None if key is None else self._query.answer()

    def _matching_series(self, study: int) -> Iterator[int]:
        """Serials of the series that match, their rows taken."""
        tallied = SERIES in self._query.tally_levels
        for key, row in self._series_rows(study):
            if self._selector.take(SERIES, row):
                serial = PAIR.unpack(key)[1]
                if not tallied or self._set_tally(SERIES, serial):
                    yield serial

    def _series_rows(self, study: int) -> Iterator[tuple[bytes, Any]]:
        database = self._store.databases["series"]
        if self._series is not None:
            for key in self._series.get(study, ()):
                row = self._txn.get(key, db=database)
                if row is not None:
                    yield key, row
            return
        yield from self._below(database, study)

    def _below(self, database: Any, serial: int) -> Iterator[tuple[bytes, Any]]:
        """The rows whose key begins with a serial."""
        prefix = SERIAL.pack(serial)
        cursor = self._txn.cursor(db=database)
        more = cursor.set_range(prefix)
        while more:
            key = bytes(cursor.key())
            if not key.startswith(prefix):
                return
            yield key, cursor.value()
            more = cursor.next()

    def _matching_images(self, series: int) -> Iterator[bytes | None]:
        """Keys of the instances that match, their rows taken; None now and then."""
        for key, row in self._image_rows(series):
            if self._selector.take(IMAGE, row):
                yield key
            self._rows += 1
            if not self._rows % _ROWS_A_BREATH:
                yield None

    def _image_rows(self, series: int) -> Iterator[tuple[bytes, Any]]:
        database = self._store.databases["instances"]
        if self._images is not None:
            for key in self._images.get(series, ()):
                row = self._txn.get(key, db=database)
                if row is not None:
                    yield key, row
            return
        yield from self._below(database, series)

    # All instances below the matches.

    def instance_keys(self) -> Iterator[bytes]:
        """Keys in `instances` of all that is at or below a match."""
        level = self._query.level
        for serial in self._top(PATIENT if level == PATIENT else STUDY):
            if serial is None:
                continue
            if level == PATIENT:
                for key, _ in self._below(self._store.databases["patient_studies"], serial):
                    yield from self._keys_of_study(PAIR.unpack(key)[1])
            elif level == STUDY:
                yield from self._keys_of_study(serial)
            else:
                for series in self._matching_series(serial):
                    if level == SERIES:
                        yield from self._keys_of_series(series)
                    else:
                        yield from (key for key in self._matching_images(series) if key is not None)

    def _keys_of_study(self, study: int) -> Iterator[bytes]:
        for key, _ in self._below(self._store.databases["series"], study):
            yield from self._keys_of_series(PAIR.unpack(key)[1])

    def _keys_of_series(self, series: int) -> Iterator[bytes]:
        prefix = SERIAL.pack(series)
        cursor = self._txn.cursor(db=self._store.databases["instances"])
        if cursor.set_range(prefix):
            for key in cursor.iternext(keys=True, values=False):
                key = bytes(key)
                if not key.startswith(prefix):
                    return
                yield key
