"""Files and index of one archive, kept together: what the services ask for and promise 1 rests on.

Several processes may use one archive at the same time. For programs there is `local.Archive`.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Self

import xxhash

from fastdicom.archive.commit import Committer
from fastdicom.archive.disk import Disk
from fastdicom.archive.files import Files
from fastdicom.archive.incoming import IncomingFile
from fastdicom.archive.recovery import Recovery, Verdict, recover
from fastdicom.archive.unproven import UNPROVEN, Unproven
from fastdicom.config import Config
from fastdicom.dataset.attributes import ATTRIBUTES, Attribute
from fastdicom.dataset.identifier import Identifier
from fastdicom.dataset.part10 import (
    SEAL_LENGTH,
    FileMeta,
    HeadTooShort,
    encode_file_meta,
    encode_seal,
    read_file_meta,
)
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
    StoredEntry,
)
from fastdicom.dataset.scanned import wanted_table
from fastdicom.dataset.stream import DatasetScan, ScanPolicy
from fastdicom.errors import FastdicomError, Refused, Unavailable, UsageError
from fastdicom.events import SILENT, InstanceGroup, Observer
from fastdicom.file_attributes import FileAttributes
from fastdicom.index.answers import Answers
from fastdicom.index.environment import Counts, Index, Plan

log = logging.getLogger(__name__)

SEALED = "sealed/"
_TRASH_BATCH = 256
BESIDE_LENGTH_MAX = 4 << 20  # longer files: their flush takes so long that the row's does not matter
_PREFIX_END = 132  # preamble and DICM, PS3.10 7.1
_READ_PIECE = 1 << 20


class Unfinished(UsageError):
    """A file of the archive that was never whole: the node ended before its Data Set did."""


# LMDB lets a process open an environment once: whoever opens an archive again shares the first keeper.
_open_keepers: dict[Path, ArchiveKeeper] = {}
_open_lock = threading.Lock()


def open_keeper(path: Path, config: Config, *, disk: Disk | None = None) -> ArchiveKeeper:
    """The keeper of an archive folder, which is made when there is none. Close it when done.

    config: durability, duplicates, limits and indexed attributes; while the archive is open already in
    this process, those of the first who opened it stay in force. Raises UsageError when it cannot be
    opened, or while its index is being rebuilt.
    """
    place = path.resolve()
    with _open_lock:
        keeper = _open_keepers.get(place)
        if keeper is None:
            keeper = _open_keepers[place] = ArchiveKeeper(place, config, disk or Disk())
        keeper.users += 1
        return keeper


class ArchiveKeeper:
    """Files and index of one archive folder, open for reading and writing. See `open_keeper`."""

    def __init__(self, path: Path, config: Config, disk: Disk) -> None:
        self.users = 0
        self.observer: Observer = SILENT  # of commits, deletions and exports
        self.path = path
        self.config = config
        settings = config.archive
        self.sync = settings.durability == "full"
        _make_folder(path)
        with ExitStack() as undo:
            self._lock = lock_folder(path, exclusive=False)
            undo.callback(os.close, self._lock)
            wanted = (*ATTRIBUTES, *config.index.extra)
            self.index = Index.open(path / "index", attributes=wanted, sync=self.sync)
            undo.callback(self.index.close)
            self.files = Files(path / "objects", disk, min_free=settings.min_free, sync=self.sync)
            undo.pop_all()
        self.attributes = self.index.attributes
        self.scan_policy = scan_policy(config, self.attributes)
        self._tell_what_lacks()
        self._unlinked: list[str] = []
        self._trash_lock = threading.Lock()
        self._unproven = Unproven()
        self.committer = Committer(
            self._apply,
            reopen=self._reopen_index,
            has_row=lambda path: self.index.at_path(path) is not None,
        )

    def _tell_what_lacks(self) -> None:
        if self.index.lacking:
            log.warning(
                "the index of %s was made without %s: they are not matched until the node is stopped and "
                "`fastdicom rebuild --archive %s --config FILE` has added them",
                self.path,
                ", ".join(f"{row.level}/{row.keyword}" for row in self.index.lacking),
                self.path,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give everything back, when this was the last who uses it."""
        with _open_lock:
            self.users -= 1
            if self.users:
                return
            del _open_keepers[self.path]
            self._close()

    def _close(self) -> None:
        with ExitStack() as closing:
            closing.callback(os.close, self._lock)
            closing.callback(self.index.close)
            closing.callback(self._empty_trash)
            closing.callback(self._seal_finished)
            closing.callback(self.files.close)
            closing.callback(self.committer.close)

    # ------------------------------------------------------------------------------ receiving

    def incoming(self) -> IncomingFile:
        """A new file. Raises Unavailable when there is no room for it."""
        return self.files.incoming()

    def commit(self, file: IncomingFile | None, change: Change) -> Outcome:
        """Make a whole file and its row durable (or a deletion). Raises Unavailable when it failed."""
        if file is None:
            outcome: Outcome = self.committer.commit(None, change)
        elif self.sync and file.size <= BESIDE_LENGTH_MAX and isinstance(change, Put) and not change.replace:
            outcome = self._commit_beside(file, change)
        else:
            outcome = self._commit_after(file, change)
        if isinstance(outcome, Kept) and not self._unproven.wait(outcome.file.path):
            assert file is not None
            file.discard()
            raise Unavailable("the instance that is there already could not be made durable")
        try:
            self._tidy(file, outcome)
        except (FastdicomError, OSError) as error:
            log.error("a superfluous file stays until the next start: %s", error)
        return outcome

    def _commit_after(self, file: IncomingFile, change: Change) -> Outcome:
        """First the file, then its row."""
        try:
            file.seal(sync=self.sync)
        except OSError as error:
            file.discard()
            raise Unavailable(f"cannot write: {error.strerror}") from error
        outcome: Outcome = self.committer.commit(file, change)
        return outcome

    def _commit_beside(self, file: IncomingFile, put: Put) -> Outcome:
        """File and row at the same time; `Unproven` says what makes up for a power cut in between."""
        path = file.path
        self._unproven.add(path)
        ticket = self.committer.begin(file, put)
        failure: OSError | None = None
        try:
            file.seal(sync=True)
        except OSError as error:
            failure = error
        try:
            outcome: Outcome = self.committer.finish(ticket)
        except BaseException:
            self._unproven.settle(path, lost=ticket.in_doubt and failure is not None)
            raise
        if failure is not None:
            self._take_back(file, put, outcome)
            raise Unavailable(f"cannot write: {failure.strerror}") from failure
        self._unproven.settle(path)
        return outcome

    def _take_back(self, file: IncomingFile, put: Put, outcome: Outcome) -> None:
        """The file could not be flushed: its row goes, then the file."""
        if isinstance(outcome, Kept):
            self._unproven.settle(file.path)
            file.discard()
            return
        try:
            self.committer.commit(None, Delete(put.record.sop_instance_uid))
        except Unavailable:
            file.block.clean = False  # the next start looks at it again
            self._unproven.settle(file.path, lost=True)
            file.finish()
            return
        self._unproven.settle(file.path)
        file.discard()

    def _tidy(self, file: IncomingFile | None, outcome: Outcome) -> None:
        """Remove what a durable change left over. Its failure changes nothing about the outcome."""
        if file is not None:
            if isinstance(outcome, Kept):
                file.discard()
            else:
                file.finish()
        if isinstance(outcome, Replaced | Deleted) and outcome.old is not None:
            self._unlink(outcome.old.path)

    def take(self, source: Path) -> Outcome:
        """Store one file of another place. Raises Refused, UsageError (no DICOM file) or OSError."""
        with source.open("rb") as stream:
            meta = replace(read_file_meta(stream), seal=None)  # of another archive: not ours to judge
            record, checksum = _scan(stream, meta, self.scan_policy)
            file = self.incoming()
            try:
                head = encode_file_meta(
                    record.sop_class_uid,
                    record.sop_instance_uid,
                    meta.transfer_syntax_uid,
                    source_ae_title=meta.source_ae_title,
                    sealable=True,
                )
                file.append([head])
                stream.seek(meta.dataset_offset)
                while piece := stream.read(_READ_PIECE):
                    file.append([piece])
                seal = encode_seal(file.size - len(head), checksum)
                file.overwrite(seal, len(head) - SEAL_LENGTH)
            except BaseException:
                file.discard()
                raise
        entry = FileEntry(
            file.path,
            file.size,
            len(head),
            checksum,
            meta.transfer_syntax_uid,
            time.time(),
            meta.source_ae_title,
        )
        return self.commit(file, Put(record, entry, self.config.archive.duplicates == "replace"))

    # ------------------------------------------------------------------------------ asking

    def find(self, identifier: Identifier) -> Answers:
        """Encoded identifiers of the matches, one for each entity; None now and then in between."""
        return self.index.find(
            identifier,
            retrieve_ae_title=self.config.node.ae_title,
            read_attributes=self._read_attributes,
            file_reads_max=self.config.limits.file_reads_max,
        )

    def explain(self, identifier: Identifier) -> Plan:
        """Run a query and tell how it was answered."""
        return self.index.explain(identifier, read_attributes=self._read_attributes)

    @property
    def _read_attributes(self) -> FileAttributes | None:
        return FileAttributes(self.files, self.config.limits) if self.config.query.read_files else None

    def instances(self, identifier: Identifier) -> Sequence[StoredEntry]:
        """Every instance below the matches."""
        return self.index.instances(identifier)

    def read(self, entry: StoredEntry) -> memoryview:
        """The whole file of an instance."""
        return self.files.read(entry.file.path)

    def path_of(self, entry: StoredEntry) -> Path:
        """Where the file of an instance is."""
        return self.path / "objects" / entry.file.path

    def patient_of(self, sop_instance_uid: str) -> bytes:
        """The attributes of an instance's patient, Explicit VR Little Endian; b"" when it is not there."""
        return self.index.patient_of(sop_instance_uid)

    def groups_of(self, entries: Iterable[StoredEntry]) -> Counter[InstanceGroup]:
        """How many instances of each patient, study and class: for the audit trail, before they go."""
        patients: dict[str, bytes] = {}
        groups: Counter[InstanceGroup] = Counter()
        for entry in entries:
            study = entry.study_instance_uid
            if study not in patients:
                patients[study] = self.patient_of(entry.sop_instance_uid)
            groups[InstanceGroup(patients[study], study, entry.sop_class_uid)] += 1
        return groups

    def counts(self) -> Counts:
        """Entities of each level, and bytes."""
        return self.index.counts()

    # ------------------------------------------------------------------------------ start-up

    def recover(self, progress: Callable[[], object] = lambda: None) -> Recovery:
        """Settle what an earlier process left behind. Before anything is received.

        progress: called after every file that was looked at.
        """
        trash = self.index.trash()
        if trash:
            self.index.forget_trash(self.files.unlink(trash))
        sealed = {name.removeprefix(SEALED) for name in self.index.notes(SEALED)}
        marks = self.index.notes(UNPROVEN)
        found = recover(
            self.files.root,
            self.files.disk,
            is_sealed=sealed.__contains__,
            indexed_paths=self.index.paths,
            adopt=self._adopt,
            keeps_row=lambda path: self._keeps_row(path, marks),
            progress=progress,
        )
        self._note_sealed(found.sealed)
        return found

    def _keeps_row(self, path: str, marks: Mapping[str, bytes]) -> bool:
        """Look at a file whose row may have been durable before it: when it is not whole, the row goes."""
        block, _, name = path.partition("/")
        mark = marks.get(UNPROVEN + block)
        if mark is None or name < mark.decode("ascii"):
            return True
        entry = self.index.at_path(path)
        if entry is None or _is_as_indexed(self.files.path_of(path), entry.file):
            return True
        log.warning("%s was not whole when the node ended, and had not been acknowledged", path)
        self.index.apply([Delete(entry.sop_instance_uid)])
        return False

    def _adopt(self, path: str) -> Verdict:
        """Index a whole file that has no row, unless its row was deleted or another file has one.

        A row that was committed last can be missing after a power cut (`Store` says why): its file is whole.
        """
        if path in self.index.trash():
            return Verdict.SUPERFLUOUS
        absolute = self.files.path_of(path)
        try:
            put = put_of(absolute, path, self.scan_policy)
        except Unfinished:
            return Verdict.SUPERFLUOUS
        except (FastdicomError, OSError) as error:
            log.error("%s has no row and cannot be indexed: %s", path, error)
            return Verdict.UNREADABLE
        added = isinstance(self.index.apply([put])[0], Added)
        return Verdict.ADOPTED if added else Verdict.SUPERFLUOUS

    # ------------------------------------------------------------------------------ the index's side

    def _apply(self, batch: Sequence[Change]) -> list[Outcome]:
        notes: dict[str, bytes | None] = {**self._unproven.new_marks()}
        for name in self.files.layout.take_finished():
            notes |= {SEALED + name: b"1", UNPROVEN + name: None}
        started = time.perf_counter()
        outcomes = self.index.apply(batch, notes)
        self.observer.committed(len(batch), time.perf_counter() - started)
        return outcomes

    def _reopen_index(self) -> None:
        self._unproven.forget_marks()
        self.index.reopen()

    def _seal_finished(self) -> None:
        finished = self.files.layout.take_finished()
        if finished:
            self._note_sealed(finished)

    def _note_sealed(self, names: Sequence[str]) -> None:
        for name in names:
            self.index.apply((), {SEALED + name: b"1", UNPROVEN + name: None})

    def _unlink(self, path: str) -> None:
        """A row let go of this file. Its entry in the index's trash goes later, with others."""
        gone = self.files.unlink([path])
        with self._trash_lock:
            self._unlinked += gone
            if len(self._unlinked) < _TRASH_BATCH:
                return
        self._empty_trash()

    def _empty_trash(self) -> None:
        with self._trash_lock:
            gone, self._unlinked = self._unlinked, []
        if gone:
            self.index.forget_trash(gone)


def put_of(absolute: Path, path: str, policy: ScanPolicy) -> Put:
    """The index change for a file that lies in the objects folder already, as `path`.

    Raises Unfinished, UsageError (no DICOM file), Refused (no instance that we index) or OSError.
    """
    with absolute.open("rb") as stream:
        meta = _our_file_meta(stream)
        record, checksum = _scan(stream, meta, policy)
        stat = os.fstat(stream.fileno())
    entry = FileEntry(
        path,
        stat.st_size,
        meta.dataset_offset,
        checksum,
        meta.transfer_syntax_uid,
        stat.st_mtime,
        meta.source_ae_title,
    )
    return Put(record, entry)


def _is_as_indexed(absolute: Path, file: FileEntry) -> bool:
    """Whether size and checksum are those of the row. Raises OSError."""
    checksum = xxhash.xxh3_64()
    with absolute.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size != file.size:
            return False
        stream.seek(file.dataset_offset)
        while piece := stream.read(_READ_PIECE):
            checksum.update(piece)
    return checksum.intdigest() == file.checksum


def is_coming(absolute: Path) -> bool:
    """True for a file of the objects folder that was made ahead, or is being received."""
    try:
        with absolute.open("rb") as stream:
            return not os.fstat(stream.fileno()).st_size or read_file_meta(stream).seal == (0, 0)
    except (FastdicomError, OSError):
        return False


def _our_file_meta(stream: BufferedReader) -> FileMeta:
    """The File Meta Information of a file in the objects folder. Raises Unfinished for a blank one."""
    head = stream.read(_PREFIX_END)
    if len(head) < _PREFIX_END or not any(head):
        raise Unfinished("the file is blank")
    stream.seek(0)
    try:
        return read_file_meta(stream)
    except HeadTooShort as error:
        raise Unfinished(str(error)) from None


def _scan(stream: BinaryIO, meta: FileMeta, policy: ScanPolicy) -> tuple[InstanceRecord, int]:
    """The record of a file's Data Set, and its checksum. Raises Unfinished when these are not as sealed."""
    scan = DatasetScan(meta.transfer_syntax_uid, policy)
    checksum = xxhash.xxh3_64()
    length = 0
    refused: Refused | None = None
    stream.seek(meta.dataset_offset)
    while piece := stream.read(_READ_PIECE):
        length += len(piece)
        checksum.update(piece)
        if refused is None:
            try:
                scan.feed(piece)
            except Refused as error:
                refused = error  # but a file that is not whole says nothing about the instance
    if meta.seal is not None and meta.seal != (length, checksum.intdigest()):
        raise Unfinished(f"only {length} bytes of the Data Set are there, or not the right ones")
    if refused is not None:
        raise refused
    return scan.finish(None, None), checksum.intdigest()


def lock_folder(path: Path, *, exclusive: bool) -> int:
    """A descriptor that holds the archive's lock: shared by all who write, exclusive for `rebuild`.

    Raises UsageError when somebody holds the other kind.
    """
    fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        why = "it is in use: stop the node first" if exclusive else "its index is being rebuilt"
        raise UsageError(f"{path}: {why}") from None
    return fd


def scan_policy(config: Config, attributes: Iterable[Attribute]) -> ScanPolicy:
    """What the scanner looks for beyond `ATTRIBUTES`, and its ceilings, from the configuration."""
    limits = config.limits
    return ScanPolicy(
        wanted=wanted_table(attributes),
        depth_max=limits.nesting_depth_max,
        value_length_max=limits.indexed_value_length_max,
        element_count_max=limits.element_count_max,
        inflated_length_max=limits.inflated_length_max,
        inflate_ratio_max=limits.inflate_ratio_max,
        inflate_ratio_after=limits.inflate_ratio_after,
    )


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the archive {path}: {error.strerror}") from error
