"""The changes of one write transaction: rows, keys and tallies of all levels move together.

Rules. A study is its Study Instance UID, wherever it comes from; a series is its UID within a study; an
instance is its UID. The first instance of an entity gives the entity's row; later ones only count. A
replacing instance gives its series, study and patient their rows anew, and moves the study when it names
another patient. Deleting an instance leaves the rows as they are until the last one takes them along.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastdicom.dataset.recoded import to_utf8, with_uid
from fastdicom.dataset.record import (
    Added,
    Change,
    Delete,
    Deleted,
    FileEntry,
    InstanceRecord,
    Kept,
    Outcome,
    Put,
    Replaced,
)
from fastdicom.index.arrivals import forget_arrival, note_arrival
from fastdicom.index.folding import folded_names
from fastdicom.index.keys import (
    PATIENT,
    SERIES,
    SERIES_INSTANCE_UID,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    STUDY,
    STUDY_INSTANCE_UID,
    key_prefix,
    keys_of,
    patient_identity,
    sought,
)
from fastdicom.index.packed import PackedRows
from fastdicom.index.schema import (
    PAIR,
    SERIAL,
    SERIALS,
    TOTALS,
    Tally,
    count_in,
    count_out,
    opaque_key,
    pack_file,
    pack_row,
    path_key,
    unpack_file,
)
from fastdicom.kernels.rows import parts, value_of

MODALITY = 0x00080060
_REMEMBERED_MAX = 4096  # entities; then a transaction begins with none
_MODALITY_LENGTH_MAX = 16  # of VR CS
_ADDED = Added()


class Entity:
    """A patient, study or series that the transaction has touched. up: the entity above."""

    __slots__ = ("changed", "gone", "modality", "serial", "tally", "tally_key", "up")

    def __init__(self, tally_key: bytes, serial: int, tally: Tally, up: Entity | None) -> None:
        self.tally_key = tally_key
        self.serial = serial
        self.tally = tally
        self.up = up
        self.modality = b""  # of a series
        self.changed = False
        self.gone = False


class Memory:
    """What a transaction knew at its end, and the next one needs not look up if nobody wrote in between.

    transaction_id: of the transaction that wrote it.
    """

    __slots__ = ("entities", "serials", "series_by_uid", "study_by_uid", "totals", "transaction_id")

    def __init__(self, transaction_id: int, serials: list[int], totals: list[int]) -> None:
        self.transaction_id = transaction_id
        self.entities: dict[bytes, Entity] = {}  # by tally key
        self.study_by_uid: dict[str, Entity] = {}
        self.series_by_uid: dict[tuple[int, str], Entity] = {}
        self.serials = serials
        self.totals = totals


class Writer:
    """Applies changes inside one LMDB write transaction; `finish` writes what was put off until then.

    memory: of the last transaction, None for none; the writer takes it over and changes it. When the
    transaction fails, it is not to be used again.
    """

    def __init__(self, transaction: Any, databases: Mapping[str, Any], memory: Memory | None = None) -> None:
        self._txn = transaction
        self._db = databases
        self._patients = PackedRows(transaction, databases["patients"])
        self._studies = PackedRows(transaction, databases["studies"])
        self._changed: list[Entity] = []
        current = transaction.id()
        if memory is None or memory.transaction_id != current - 1 or len(memory.entities) > _REMEMBERED_MAX:
            serials = SERIALS.unpack(transaction.get(b"serials", db=databases["meta"]))
            totals = TOTALS.unpack(transaction.get(b"totals", db=databases["meta"]))
            memory = Memory(current, list(serials), list(totals))
        memory.transaction_id = current
        self.memory = memory
        self._entities, self._serials, self._totals = memory.entities, memory.serials, memory.totals
        self._study_by_uid, self._series_by_uid = memory.study_by_uid, memory.series_by_uid

    def apply(self, change: Change) -> Outcome:
        """One change; its outcome."""
        if isinstance(change, Delete):
            return self._delete(change)
        return self._put(change)

    def note(self, key: str, value: bytes | None) -> None:
        """Keep, or with None forget, a note."""
        if value is None:
            self._txn.delete(key.encode("utf-8"), db=self._db["notes"])
        else:
            self._txn.put(key.encode("utf-8"), value, db=self._db["notes"])

    def finish(self) -> None:
        """Write blocks, tallies and totals."""
        self._patients.flush()
        self._studies.flush()
        tallies = []
        for entity in self._changed:
            entity.changed = False
            if entity.gone:
                self._txn.delete(entity.tally_key, db=self._db["tallies"])
            else:
                tallies.append((entity.tally_key, entity.tally.pack()))
        self._put_all("tallies", tallies)
        totals = [(b"serials", SERIALS.pack(*self._serials)), (b"totals", TOTALS.pack(*self._totals))]
        self._put_all("meta", totals)

    def _put_all(self, database: str, rows: list[tuple[bytes, bytes]]) -> None:
        """Several rows in one call: the binding passes the interpreter's lock once, not once for each."""
        self._txn.cursor(db=self._db[database]).putmulti(rows)

    # Instances.

    def _put(self, change: Put) -> Outcome:
        record = change.record
        uid = opaque_key(record.sop_instance_uid)
        where = self._txn.get(uid, db=self._db["uids"])
        if where is None:
            self._add(record, change.file, uid, None)
            return _ADDED
        head, _, image, _ = parts(self._txn.get(where, db=self._db["instances"]))
        old = unpack_file(head)
        if old.path == change.file.path:  # a file that is indexed already is indexed again
            if change.replace:
                self._replace(change, uid, where, old, image)
            return _ADDED
        if not change.replace and self._txn.get(where, db=self._db["damaged"]) is None:
            return Kept(old)  # a damaged one is replaced whatever the rule: that heals it
        self._replace(change, uid, where, old, image)
        self._to_trash(old)
        return Replaced(old)

    def _add(self, record: InstanceRecord, file: FileEntry, uid: bytes, key: bytes | None) -> None:
        """key: where the instance has to stand; None for a new place in its series."""
        series = self._series(record)
        image = with_uid(to_utf8(record.image), SOP_CLASS_UID, record.sop_class_uid)
        image = with_uid(image, SOP_INSTANCE_UID, record.sop_instance_uid)
        if key is None:
            self._serials[3] += 1
            key = PAIR.pack(series.serial, self._serials[3])
        row = pack_row(pack_file(file), b"", image, b"")
        self._txn.put(key, row, db=self._db["instances"])
        self._txn.put(uid, key, db=self._db["uids"])
        self._txn.put(path_key(file.path), key, db=self._db["paths"])
        self._count(series, file.size, _sop_class(image))
        study = series.up
        assert study is not None
        note_arrival(self._txn, self._db, study.serial, study.tally, self._serials[3], file.received_at)

    def _replace(self, change: Put, uid: bytes, where: bytes, old: FileEntry, image: bytes) -> None:
        """The new instance stands where the old one did if it is of the same series; all rows are fresh."""
        self._remove(where, old, image)
        series = self._series(change.record)
        same_series = PAIR.unpack(where)[0] == series.serial
        self._add(change.record, change.file, uid, where if same_series else None)
        self._refresh(change.record, series)

    def _delete(self, change: Delete) -> Outcome:
        uid = opaque_key(change.sop_instance_uid)
        where = self._txn.get(uid, db=self._db["uids"])
        if where is None:
            return Deleted(None)
        head, _, image, _ = parts(self._txn.get(where, db=self._db["instances"]))
        old = unpack_file(head)
        if change.path not in ("", old.path):
            return Deleted(None)
        self._remove(where, old, image)
        self._txn.delete(uid, db=self._db["uids"])
        self._to_trash(old)
        return Deleted(old)

    def _remove(self, where: bytes, file: FileEntry, image: bytes) -> None:
        """Take an instance's row out; entities that are empty then go when the batch has not filled them."""
        series = self._series_at(PAIR.unpack(where)[0])
        self._txn.delete(where, db=self._db["instances"])
        self._txn.delete(path_key(file.path), db=self._db["paths"])
        self._txn.delete(where, db=self._db["damaged"])
        self._discount(series, file.size, _sop_class(image))

    def _to_trash(self, file: FileEntry) -> None:
        self._txn.put(path_key(file.path), b"", db=self._db["trash"])

    # Counting.

    def _count(self, series: Entity, size: int, sop_class: bytes) -> None:
        entity: Entity | None = series
        while entity is not None:
            self._touch(entity)
            entity.tally.instances += 1
            entity.tally.length += size
            entity = entity.up
        count_in(series.tally.sop_classes, sop_class)
        assert series.up is not None
        count_in(series.up.tally.sop_classes, sop_class)
        self._totals[3] += 1
        self._totals[4] += size

    def _discount(self, series: Entity, size: int, sop_class: bytes) -> None:
        study = series.up
        assert study is not None and study.up is not None
        for entity in (series, study, study.up):
            self._touch(entity)
            entity.tally.instances -= 1
            entity.tally.length -= size
        count_out(series.tally.sop_classes, sop_class)
        count_out(study.tally.sop_classes, sop_class)
        self._totals[3] -= 1
        self._totals[4] -= size
        if not series.tally.instances:
            self._drop_series(series, study)
        if not study.tally.instances:
            self._drop_study(study, study.up)
        if not study.up.tally.instances:
            self._drop_patient(study.up)

    def _touch(self, entity: Entity) -> None:
        """The entity's tally is about to change, or it goes: `finish` writes that."""
        if not entity.changed:
            entity.changed = True
            self._changed.append(entity)

    # Series.

    def _series(self, record: InstanceRecord) -> Entity:
        """The record's series with all above it, made when missing."""
        study = self._study(record)
        known = (study.serial, record.series_instance_uid)
        series = self._series_by_uid.get(known)
        if series is None or series.gone:
            serial = self._find_series(study, record.series_instance_uid)
            series = self._new_series(record, study) if serial is None else self._series_at(serial)
            self._series_by_uid[known] = series
        return series

    def _find_series(self, study: Entity, uid: str) -> int | None:
        prefix = key_prefix(SERIES, SERIES_INSTANCE_UID) + sought(opaque_key(uid))
        for _, value in self._keys_from(prefix):
            study_serial, serial = PAIR.unpack(value)
            if study_serial == study.serial:
                return int(serial)
        return None

    def _new_series(self, record: InstanceRecord, study: Entity) -> Entity:
        self._serials[2] += 1
        serial = self._serials[2]
        series = Entity(b"2" + SERIAL.pack(serial), serial, Tally(series=1), study)
        self._entities[series.tally_key] = series
        self._write_series(series, record)
        for entity in (study, study.up):
            assert entity is not None
            entity.tally.series += 1
        count_in(study.tally.modalities, series.modality)
        self._totals[2] += 1
        return series

    def _write_series(self, series: Entity, record: InstanceRecord) -> None:
        assert series.up is not None
        own = with_uid(to_utf8(record.series), SERIES_INSTANCE_UID, record.series_instance_uid)
        key = PAIR.pack(series.up.serial, series.serial)
        self._txn.put(key, pack_row(b"", b"", own, folded_names(own)), db=self._db["series"])
        self._txn.put(SERIAL.pack(series.serial), key, db=self._db["series_keys"])
        for one in keys_of(SERIES, series.serial, own):
            self._txn.put(one, key, db=self._db["keys"])
        series.modality = _modality(own)

    def _series_at(self, serial: int) -> Entity:
        """A series that exists, with its study and patient."""
        series = self._entities.get(b"2" + SERIAL.pack(serial))
        if series is not None:
            return series
        key = self._txn.get(SERIAL.pack(serial), db=self._db["series_keys"])
        study = self._study_at(PAIR.unpack(key)[0])
        series = self._loaded(b"2", serial, study)
        series.modality = _modality(parts(self._txn.get(key, db=self._db["series"]))[2])
        return series

    def _drop_series(self, series: Entity, study: Entity) -> None:
        key = PAIR.pack(study.serial, series.serial)
        own = parts(self._txn.get(key, db=self._db["series"]))[2]
        self._delete_keys(keys_of(SERIES, series.serial, own))
        self._txn.delete(key, db=self._db["series"])
        self._txn.delete(SERIAL.pack(series.serial), db=self._db["series_keys"])
        for entity in (study, study.up):
            assert entity is not None
            entity.tally.series -= 1
        count_out(study.tally.modalities, series.modality)
        self._totals[2] -= 1
        series.gone = True

    # Studies.

    def _study(self, record: InstanceRecord) -> Entity:
        study = self._study_by_uid.get(record.study_instance_uid)
        if study is None or study.gone:
            prefix = key_prefix(STUDY, STUDY_INSTANCE_UID)
            prefix += sought(opaque_key(record.study_instance_uid))
            found = next(self._keys_from(prefix), None)
            study = self._new_study(record) if found is None else self._study_at(SERIAL.unpack(found[1])[0])
            self._study_by_uid[record.study_instance_uid] = study
        return study

    def _new_study(self, record: InstanceRecord) -> Entity:
        patient_dataset = to_utf8(record.patient)
        patient = self._patient(patient_dataset, record.study_instance_uid)
        self._serials[1] += 1
        serial = self._serials[1]
        study = Entity(b"1" + SERIAL.pack(serial), serial, Tally(studies=1), patient)
        self._entities[study.tally_key] = study
        self._write_study(study, record, patient_dataset)
        self._txn.put(PAIR.pack(patient.serial, serial), b"", db=self._db["patient_studies"])
        patient.tally.studies += 1
        self._totals[1] += 1
        return study

    def _write_study(self, study: Entity, record: InstanceRecord, patient_dataset: bytes) -> None:
        own = with_uid(to_utf8(record.study), STUDY_INSTANCE_UID, record.study_instance_uid)
        assert study.up is not None
        folded = folded_names(patient_dataset) + folded_names(own)
        row = pack_row(SERIAL.pack(study.up.serial), patient_dataset, own, folded)
        self._studies.put(study.serial, row)
        serial = SERIAL.pack(study.serial)
        for one in keys_of(STUDY, study.serial, patient_dataset, own):
            self._txn.put(one, serial, db=self._db["keys"])

    def _study_at(self, serial: int) -> Entity:
        """A study that exists, with its patient."""
        study = self._entities.get(b"1" + SERIAL.pack(serial))
        if study is not None:
            return study
        patient_serial = SERIAL.unpack(parts(self._row(self._studies, serial))[0])[0]
        patient = self._entities.get(b"0" + SERIAL.pack(patient_serial))
        return self._loaded(b"1", serial, patient or self._loaded(b"0", patient_serial, None))

    def _drop_study(self, study: Entity, patient: Entity) -> None:
        _, patient_dataset, own, _ = parts(self._row(self._studies, study.serial))
        self._delete_keys(keys_of(STUDY, study.serial, patient_dataset, own))
        self._studies.delete(study.serial)
        self._txn.delete(PAIR.pack(patient.serial, study.serial), db=self._db["patient_studies"])
        forget_arrival(self._txn, self._db, study.serial, study.tally)
        patient.tally.studies -= 1
        self._totals[1] -= 1
        study.gone = True

    # Patients.

    def _patient(self, dataset: bytes, study_instance_uid: str) -> Entity:
        identity = patient_identity(dataset, study_instance_uid)
        found = self._txn.get(identity, db=self._db["keys"])
        if found is not None:
            serial = SERIAL.unpack(found)[0]
            patient = self._entities.get(b"0" + found)
            return patient or self._loaded(b"0", serial, None)
        self._serials[0] += 1
        serial = self._serials[0]
        patient = Entity(b"0" + SERIAL.pack(serial), serial, Tally(), None)
        self._entities[patient.tally_key] = patient
        self._txn.put(identity, SERIAL.pack(serial), db=self._db["keys"])
        self._write_patient(patient, dataset, identity)
        self._totals[0] += 1
        return patient

    def _write_patient(self, patient: Entity, dataset: bytes, identity: bytes) -> None:
        self._patients.put(patient.serial, pack_row(identity, b"", dataset, folded_names(dataset)))
        serial = SERIAL.pack(patient.serial)
        for one in keys_of(PATIENT, patient.serial, dataset):
            self._txn.put(one, serial, db=self._db["keys"])

    def _drop_patient(self, patient: Entity) -> None:
        identity, _, dataset, _ = parts(self._row(self._patients, patient.serial))
        self._delete_keys(keys_of(PATIENT, patient.serial, dataset))
        self._txn.delete(identity, db=self._db["keys"])
        self._patients.delete(patient.serial)
        self._totals[0] -= 1
        patient.gone = True

    # Rows anew, when an instance is replaced.

    def _refresh(self, record: InstanceRecord, series: Entity) -> None:
        study = series.up
        assert study is not None
        key = PAIR.pack(study.serial, series.serial)
        self._delete_keys(keys_of(SERIES, series.serial, parts(self._txn.get(key, db=self._db["series"]))[2]))
        self._touch(study)
        count_out(study.tally.modalities, series.modality)
        self._write_series(series, record)
        count_in(study.tally.modalities, series.modality)
        self._refresh_study(record, study)

    def _refresh_study(self, record: InstanceRecord, study: Entity) -> None:
        patient_dataset = to_utf8(record.patient)
        _, old_patient, old_own, _ = parts(self._row(self._studies, study.serial))
        self._delete_keys(keys_of(STUDY, study.serial, old_patient, old_own))
        patient = self._patient(patient_dataset, record.study_instance_uid)
        if patient is not study.up:
            self._move_study(study, patient)
        self._write_study(study, record, patient_dataset)
        identity, _, old, _ = parts(self._row(self._patients, patient.serial))
        self._delete_keys(keys_of(PATIENT, patient.serial, old))
        self._write_patient(patient, patient_dataset, identity)

    def _move_study(self, study: Entity, patient: Entity) -> None:
        """The study is another patient's now."""
        old = study.up
        assert old is not None
        self._txn.delete(PAIR.pack(old.serial, study.serial), db=self._db["patient_studies"])
        self._txn.put(PAIR.pack(patient.serial, study.serial), b"", db=self._db["patient_studies"])
        for entity, sign in ((old, -1), (patient, 1)):
            self._touch(entity)
            entity.tally.studies += sign
            entity.tally.series += sign * study.tally.series
            entity.tally.instances += sign * study.tally.instances
            entity.tally.length += sign * study.tally.length
        study.up = patient
        if not old.tally.instances:
            self._drop_patient(old)

    # Helpers of all levels.

    def _loaded(self, level: bytes, serial: int, up: Entity | None) -> Entity:
        key = level + SERIAL.pack(serial)
        tally = Tally.unpack(self._txn.get(key, db=self._db["tallies"]))
        entity = self._entities[key] = Entity(key, serial, tally, up)
        return entity

    @staticmethod
    def _row(rows: PackedRows, serial: int) -> bytes:
        row = rows.get(serial)
        if row is None:
            raise ValueError(f"the index has no row {serial} that its keys name; rebuild it")
        return row

    def _keys_from(self, prefix: bytes) -> Any:
        """(key, value) of the ordered keys that begin with `prefix`."""
        cursor = self._txn.cursor(db=self._db["keys"])
        if cursor.set_range(prefix):
            for key, value in cursor:
                if not key.startswith(prefix):
                    return
                yield key, value

    def _delete_keys(self, keys: Any) -> None:
        for key in keys:
            self._txn.delete(key, db=self._db["keys"])


def _modality(series: bytes) -> bytes:
    return (value_of(series, MODALITY) or b"").split(b"\\")[0].strip(b" \0")[:_MODALITY_LENGTH_MAX]


def _sop_class(image: bytes) -> bytes:
    return (value_of(image, SOP_CLASS_UID) or b"").split(b"\\")[0].strip(b" \0")
