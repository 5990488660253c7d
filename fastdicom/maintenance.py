"""What is done to an archive by hand: export, delete, verify, rebuild. See also `importing`."""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fastdicom.archive.layout import WHOLE, block_names
from fastdicom.archive_folder import lock_folder
from fastdicom.dataset.attributes import ATTRIBUTES, Attribute
from fastdicom.dataset.identifier import Identifier
from fastdicom.dataset.record import Compression, Delete, Deleted, FileEntry, Kept, Put, StoredEntry
from fastdicom.dataset.stream import ScanPolicy
from fastdicom.errors import FastdicomError
from fastdicom.events import InstanceGroup
from fastdicom.file_records import Unfinished, is_coming, put_of
from fastdicom.index.environment import Index
from fastdicom.keeper import SEALED, ArchiveKeeper
from fastdicom.outbox import read_whole
from fastdicom.reports import (
    DeleteReport,
    ExportReport,
    NamedPath,
    Progress,
    ProgressCallback,
    RebuildReport,
    VerifyReport,
)
from fastdicom.transcoding.proof import pixel_checksum
from fastdicom.wholeness import IS_MISSING, fault_in, fault_of

_BATCH = 256
_ROW_FOLLOWS_S = 0.2  # a file that another process has just received gets its row within this


def export(
    keeper: ArchiveKeeper,
    out: Path,
    identifier: Identifier,
    progress: ProgressCallback | None = None,
    *,
    actor: str = "",
) -> ExportReport:
    """Copy every instance below the matches to `out/<study>/<series>/<SOP Instance UID>.dcm`.

    The UIDs were vetted when they came in; a file that exists is replaced. actor: who, for the audit trail.
    """
    report = ExportReport()
    entries = keeper.instances(identifier)
    exported: list[StoredEntry] = []
    for entry in entries:
        folder = out / entry.study_instance_uid / entry.series_instance_uid
        target = folder / f"{entry.sop_instance_uid}.dcm"
        if entry.damage:
            report.failed.append(NamedPath(target, f"damaged: {entry.damage}"))
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(keeper.path_of(entry), target)
        except OSError as error:
            report.failed.append(NamedPath(target, error.strerror or str(error)))
        else:
            report.exported += 1
            report.bytes += entry.file.size
            exported.append(entry)
            if len(exported) == _BATCH:
                keeper.observer.exported(keeper.groups_of(exported), actor)
                exported.clear()
        _tell(progress, report.exported, len(entries), len(report.failed), report.bytes)
    if exported:
        keeper.observer.exported(keeper.groups_of(exported), actor)
    return report


def delete(
    keeper: ArchiveKeeper, identifier: Identifier, *, dry_run: bool = False, actor: str = ""
) -> DeleteReport:
    """Delete every instance below the matches: row first, then file. actor: who, for the audit trail."""
    report = DeleteReport()
    deleted: Counter[InstanceGroup] = Counter()
    whole = identifier.level in ("PATIENT", "STUDY")
    try:
        for entry in keeper.instances(identifier):
            if not dry_run:
                groups = keeper.groups_of([entry])
                outcome = keeper.commit(None, Delete(entry.sop_instance_uid, entry.file.path))
                if not isinstance(outcome, Deleted) or outcome.old is None:
                    continue  # somebody else was faster
                deleted += groups
            report.entries.append(entry)
            report.instances += 1
            report.bytes += entry.file.size
    finally:
        if deleted:
            keeper.observer.deleted(deleted, whole, actor)
    return report


# ------------------------------------------------------------------------------------------ verify


def verify(keeper: ArchiveKeeper, progress: ProgressCallback | None = None) -> VerifyReport:
    """Compare every row with its file, byte by byte, and every file with the index.

    What is found damaged is marked so, what was marked and is whole is not any more.
    """
    report = VerifyReport()
    total = keeper.counts().instances
    known: dict[str, set[str]] = {}
    for entry in keeper.index.entries():
        block, _, name = entry.file.path.partition("/")
        known.setdefault(block, set()).add(name)
        _verify_one(keeper, entry, report)
        _tell(progress, report.checked, total, len(report.damaged) + len(report.missing), report.bytes)
    report.orphans.extend(_orphans(keeper, known))
    return report


def _orphans(keeper: ArchiveKeeper, known: Mapping[str, Collection[str]]) -> list[Path]:
    """Whole files without a row. known: names that had one when their rows were read, by block."""
    objects = keeper.path / "objects"
    found = []
    for path in _whole_files(objects):
        block, _, name = path.partition("/")
        if name not in known.get(block, ()) and not is_coming(objects / path):
            found.append(path)
    if found:
        time.sleep(_ROW_FOLLOWS_S)
    return [objects / path for path in found if keeper.index.at_path(path) is None]


def _verify_one(keeper: ArchiveKeeper, entry: StoredEntry, report: VerifyReport) -> None:
    path = keeper.path_of(entry)
    report.checked += 1
    try:
        fault = fault_in(keeper.files, entry.file)
    except OSError as error:
        report.damaged.append(NamedPath(path, f"cannot be read: {error.strerror}"))
        return
    if not fault and entry.file.compression is not None:
        fault = _pixels_changed(path, entry.file, entry.file.compression)
    if fault and keeper.index.at_path(entry.file.path) is None:
        return  # it was deleted or replaced just now
    if not fault:
        report.bytes += entry.file.size
    elif fault == IS_MISSING:
        report.missing.append(path)
    else:
        report.damaged.append(NamedPath(path, fault))
    keeper.found(entry, fault)


def _pixels_changed(path: Path, file: FileEntry, compression: Compression) -> str:
    """Why a compressed instance does not have the pixels that were received any more; "" when it has."""
    try:
        pixels = pixel_checksum(read_whole(path)[file.dataset_offset :], file.transfer_syntax_uid)
    except (FastdicomError, OSError) as fault:
        return f"its pixels cannot be decoded: {fault}"
    if not pixels == compression.pixels_before == compression.pixels_after:
        return "its pixels are not those that were received (checksum of the decoded frames)"
    return ""


# ------------------------------------------------------------------------------------------ rebuild


def rebuild(
    path: Path,
    attributes: Sequence[Attribute],
    policy: ScanPolicy,
    progress: ProgressCallback | None = None,
    *,
    replace: bool = False,
) -> RebuildReport:
    """Make the index anew from the files alone; the old one is there until the new one is whole.

    attributes, policy: what to index, from the configuration. replace: of two files with one instance the
    later counts, as it did when they came. Files whose rows were deleted do not come back.
    Raises UsageError while a node or another program writes to the archive.
    """
    lock = lock_folder(path, exclusive=True)
    try:
        fresh = path / "index.rebuild"
        shutil.rmtree(fresh, ignore_errors=True)
        report = RebuildReport()
        objects = path / "objects"
        deleted = _owed_unlinks(path / "index")
        blocks = block_names(objects)
        total = sum(1 for _ in _whole_files(objects))
        with Index.open(fresh, attributes=attributes, sync=False) as index, _old_rows(path / "index") as old:
            for batch in _batches(_puts(objects, deleted, policy, report)):
                known = [_as_received(put, old) for put in batch]
                _apply(index, [dataclasses.replace(put, replace=replace) for put, _ in known], report)
                _mark(index, known, report)
                done = report.indexed + report.duplicates + len(report.failed)
                _tell(progress, done, total, len(report.failed), report.bytes)
            index.apply((), {SEALED + block: b"1" for block in blocks})
        for name in deleted:
            (objects / name).unlink(missing_ok=True)
        _swap(path / "index", fresh)
        return report
    finally:
        os.close(lock)


def indexed_attributes(path: Path) -> tuple[Attribute, ...]:
    """What the index of an archive holds; ATTRIBUTES when it cannot be read."""
    try:
        with Index.open(path / "index", readonly=True) as old:
            return old.attributes
    except FastdicomError:
        return ATTRIBUTES


@contextmanager
def _old_rows(path: Path) -> Iterator[Index | None]:
    """The old index, if it can be read: what it knows of a file counts more than the file itself."""
    try:
        index = Index.open(path, readonly=True)
    except FastdicomError:
        yield None
        return
    with index:
        yield index


def _as_received(put: Put, old: Index | None) -> tuple[Put, str]:
    """A file's change with the checksum of when it was received, and what is wrong with the file now."""
    row = None if old is None else old.at_path(put.file.path)
    if row is None or row.sop_instance_uid != put.record.sop_instance_uid:
        return put, ""
    fault = fault_of(row.file, put.file.size, put.file.checksum)
    file = dataclasses.replace(
        put.file, size=row.file.size, checksum=row.file.checksum, received_at=row.file.received_at
    )
    return dataclasses.replace(put, file=file), fault


def _mark(index: Index, puts: Sequence[tuple[Put, str]], report: RebuildReport) -> None:
    """A rebuild must not take a damaged file for the truth: what the old index knew stays known."""
    for put, fault in puts:
        if fault and index.mark(put.file.path, fault, time.time()):
            report.damaged.append(NamedPath(put.file.path, fault))


def _owed_unlinks(index: Path) -> set[str]:
    """Files whose rows the old index has let go of; none when it cannot be read."""
    try:
        with Index.open(index, readonly=True) as old:
            return set(old.trash())
    except FastdicomError:
        return set()


def _puts(objects: Path, deleted: set[str], policy: ScanPolicy, report: RebuildReport) -> Iterator[Put]:
    for path in _whole_files(objects):
        if path in deleted:
            continue
        try:
            yield put_of(objects / path, path, policy)
        except Unfinished as error:
            if is_coming(objects / path):
                (objects / path).unlink()  # nobody writes to it any more
            else:
                report.failed.append(NamedPath(objects / path, str(error)))
        except (FastdicomError, OSError) as error:
            report.failed.append(NamedPath(objects / path, str(error)))


def _whole_files(objects: Path) -> Iterator[str]:
    """The paths of all finished files, below the objects folder, in order of their names."""
    for block in block_names(objects):
        for name in sorted(os.listdir(objects / block)):
            if name.endswith(WHOLE):
                yield f"{block}/{name}"


def _batches(puts: Iterator[Put]) -> Iterator[list[Put]]:
    batch: list[Put] = []
    for put in puts:
        batch.append(put)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _apply(index: Index, batch: list[Put], report: RebuildReport) -> None:
    for put, outcome in zip(batch, index.apply(batch), strict=True):
        if isinstance(outcome, Kept):
            report.duplicates += 1
        else:
            report.indexed += 1
            report.bytes += put.file.size


def _swap(current: Path, fresh: Path) -> None:
    """Put the new index in the old one's place, durably."""
    for name in os.listdir(fresh):
        _sync(fresh / name)
    _sync(fresh)
    old = current.with_suffix(".old")
    shutil.rmtree(old, ignore_errors=True)
    if current.exists():
        os.rename(current, old)  # a crash between the two leaves no index: `keeper.finish_swap` sees to it
    os.rename(fresh, current)
    _sync(current.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _tell(progress: ProgressCallback | None, done: int, total: int | None, failed: int, size: int) -> None:
    if progress is not None:
        progress(Progress(done, total, failed, bytes=size))
