"""Instances as the rest of the engine knows them, from their rows: one by one, or many without a snapshot."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

from fastdicom.dataset.record import StoredEntry
from fastdicom.index.damage import any_damage, damage_at
from fastdicom.index.keys import SERIES_INSTANCE_UID, SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from fastdicom.index.packed import row_of
from fastdicom.index.schema import PAIR, SERIAL, unpack_file
from fastdicom.index.store import Store
from fastdicom.kernels.rows import parts, value_of

FETCHED_AT_ONCE = 64  # instances that one short read transaction looks up


class Entries:
    """Instances' rows as StoredEntry, within one transaction; remembers the last series."""

    def __init__(self, transaction: Any, databases: Mapping[str, Any]) -> None:
        self._txn = transaction
        self._db = databases
        self._series: tuple[int, str, str] = (-1, "", "")
        self._any_damage = any_damage(transaction, databases)

    def at(self, key: bytes) -> StoredEntry | None:
        """The instance with this key; None when it is not there any more."""
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
            damage_at(self._txn, self._db, key) if self._any_damage else "",
        )

    def _uids_above(self, series: int) -> tuple[str, str]:
        key = bytes(self._txn.get(SERIAL.pack(series), db=self._db["series_keys"]))
        own = parts(self._txn.get(key, db=self._db["series"]))[2]
        study = row_of(self._txn, self._db["studies"], PAIR.unpack(key)[0])
        assert study is not None
        return _uid(parts(study)[2], STUDY_INSTANCE_UID), _uid(own, SERIES_INSTANCE_UID)


def _uid(dataset: bytes, tag: int) -> str:
    return (value_of(dataset, tag) or b"").strip(b" \0").decode("utf-8", "surrogatepass")


class Selection(Sequence[StoredEntry]):
    """Instances that were chosen in one snapshot, and are read when asked for.

    `len` is the number that was chosen. What has been deleted or moved to another series since is left out
    when iterating, and counted in `vanished`; an index raises LookupError for it.
    """

    def __init__(self, store: Store, keys: array[int]) -> None:
        self._store = store
        self._keys = keys
        self.vanished = 0
        self._series: frozenset[int] | None = None

    def __len__(self) -> int:
        return len(self._keys) // 2

    @property
    def series(self) -> frozenset[int]:
        """Serials of the series that the instances were of."""
        if self._series is None:
            self._series = frozenset(self._keys[::2])
        return self._series

    def __iter__(self) -> Iterator[StoredEntry]:
        self.vanished = 0
        for start in range(0, len(self), FETCHED_AT_ONCE):
            chunk = self._fetch(range(start, min(start + FETCHED_AT_ONCE, len(self))))
            for entry in chunk:
                if entry is None:
                    self.vanished += 1
                else:
                    yield entry

    @overload
    def __getitem__(self, position: int) -> StoredEntry: ...
    @overload
    def __getitem__(self, position: slice) -> Selection: ...
    def __getitem__(self, position: int | slice) -> StoredEntry | Selection:
        if isinstance(position, slice):
            keys = array("Q")
            for at in range(*position.indices(len(self))):
                keys.extend(self._keys[2 * at : 2 * at + 2])
            return Selection(self._store, keys)
        number = position + len(self) if position < 0 else position
        if not 0 <= number < len(self):
            raise IndexError(position)
        entry = self._fetch([number])[0]
        if entry is None:
            raise LookupError(f"instance {position} of the selection has been deleted since")
        return entry

    def _fetch(self, numbers: Iterable[int]) -> list[StoredEntry | None]:
        with self._store.reading() as transaction:
            found = Entries(transaction, self._store.databases)
            return [found.at(PAIR.pack(self._keys[2 * at], self._keys[2 * at + 1])) for at in numbers]
