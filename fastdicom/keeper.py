"""Files and index of one archive, kept together: what the services ask for and promise 1 rests on.

Several processes may use one archive at the same time. For programs there is `local.Archive`.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple, Self

from fastdicom.archive.commit import Committer
from fastdicom.archive.disk import Disk
from fastdicom.archive.files import Files
from fastdicom.archive.incoming import IncomingFile
from fastdicom.archive.layout import block_names
from fastdicom.archive.posts import Post, Posts
from fastdicom.archive.recovery import Recovery, recover
from fastdicom.archive_folder import finish_swap, lock_folder, make_folder
from fastdicom.config import Config
from fastdicom.dataset.attributes import ATTRIBUTES
from fastdicom.dataset.identifier import Identifier
from fastdicom.dataset.record import (
    Added,
    Change,
    Delete,
    Deleted,
    Kept,
    Outcome,
    Put,
    Replaced,
    StoredEntry,
)
from fastdicom.errors import FastdicomError, Refused, Unavailable, UsageError
from fastdicom.events import SILENT, InstanceGroup, Observer
from fastdicom.file_attributes import FileAttributes
from fastdicom.file_records import scan_policy
from fastdicom.in_use import InUse
from fastdicom.index.answers import Answers
from fastdicom.index.arrivals import ArrivedStudy
from fastdicom.index.environment import Counts, Index, Plan
from fastdicom.leftovers import Leftovers
from fastdicom.services.ports import Superseded
from fastdicom.standard.status import PROCESSING_FAILURE
from fastdicom.wholeness import DatasetChecksum, fault_of, fault_of_error

log = logging.getLogger(__name__)

SEALED = "sealed/"
_TRASH_BATCH = 256
_FIGURES_PATIENCE_S = 0.1
_ADDED = Added()


class Removal(NamedTuple):
    """Instances of one study that retention has deleted. whole: nothing of the study is left."""

    study: ArrivedStudy
    entries: Sequence[StoredEntry]
    whole: bool
    reason: str

    def only(self, paths: Collection[str]) -> Removal:
        """Without the instances whose files are not among `paths`: they were replaced, or gone before."""
        entries = [entry for entry in self.entries if entry.file.path in paths]
        return self._replace(entries=entries, whole=self.whole and len(entries) == len(self.entries))


# LMDB lets a process open an environment once: whoever opens an archive again shares the first keeper.
# A fork inherits keepers that it may neither use nor close: threads, locks and reader slots are its parent's.
_open_keepers: dict[tuple[int, Path], ArchiveKeeper] = {}
_open_lock = threading.Lock()


def open_keeper(path: Path, config: Config, *, disk: Disk | None = None) -> ArchiveKeeper:
    """The keeper of an archive folder, which is made when there is none. Close it when done.

    config: durability, duplicates, limits and indexed attributes; while the archive is open already in
    this process, those of the first who opened it stay in force. Raises UsageError when it cannot be
    opened, or while its index is being rebuilt.
    """
    place = os.getpid(), path.resolve()
    with _open_lock:
        keeper = _open_keepers.get(place)
        if any(path == place[1] and process != place[0] for process, path in _open_keepers):
            raise UsageError(f"{path} is open in the process that this one was forked from: spawn it instead")
        if keeper is None:
            keeper = _open_keepers[place] = ArchiveKeeper(place[1], config, disk or Disk())
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
        make_folder(path)
        with ExitStack() as undo:
            self._lock = lock_folder(path, exclusive=False)
            undo.callback(os.close, self._lock)
            finish_swap(path)
            wanted = (*ATTRIBUTES, *config.index.extra)
            self._index = Index.open(path / "index", attributes=wanted, sync=self.sync)
            undo.callback(self._index.close)
            self.files = Files(path / "objects", disk, min_free=settings.min_free, sync=self.sync)
            undo.pop_all()
        self.attributes = self._index.attributes
        self.scan_policy = scan_policy(config, self.attributes)
        self._tell_what_lacks()
        self.in_use = InUse()
        self.tell_removed: Callable[[Removal], None] = lambda removal: None
        """Called after retention has deleted, on its thread."""
        self.tell_damaged: Callable[[StoredEntry, str], None] = lambda entry, reason: None
        """Called when a file is found damaged for the first time, on the finder's thread."""
        self._unlinked: list[str] = []
        self._thinned: set[str] = set()
        self._trash_lock = threading.Lock()
        self.committer = Committer(
            self._apply,
            reopen=self._index.reopen,
            ready=self.files.health.check,
            has_row=lambda path: self._index.at_path(path) is not None,
        )
        self.posts = Posts(self.committer.commit_all, done=self._row_came, left=self._row_owed)

    @property
    def index(self) -> Index:
        """With the rows of all that was acknowledged, unless it fails."""
        self.posts.catch_up()
        return self._index

    @property
    def index_for_figures(self) -> Index:
        """The index, perhaps without the last rows: who feeds the watchdog must not wait for its writer."""
        self.posts.catch_up(_FIGURES_PATIENCE_S)
        return self._index

    def _tell_what_lacks(self) -> None:
        if self._index.lacking:
            log.warning(
                "the index of %s was made without %s: they are not matched until the node is stopped and "
                "`fastdicom rebuild --archive %s --config FILE` has added them",
                self.path,
                ", ".join(f"{row.level}/{row.keyword}" for row in self._index.lacking),
                self.path,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give everything back, when this was the last who uses it."""
        with _open_lock:
            place = os.getpid(), self.path
            if _open_keepers.get(place) is not self:
                return
            self.users -= 1
            if not self.users:
                del _open_keepers[place]
                self._close()

    def _close(self) -> None:
        with ExitStack() as closing:
            closing.callback(os.close, self._lock)
            closing.callback(self._index.close)
            closing.callback(self._empty_trash)
            closing.callback(self._seal_finished)
            closing.callback(self.files.close)
            closing.callback(self.committer.close)
            closing.callback(self.posts.close)

    # ------------------------------------------------------------------------------ receiving

    def incoming(self) -> IncomingFile:
        """A new file. Raises Unavailable when there is no room for it."""
        return self.files.incoming()

    def commit(self, file: IncomingFile | None, change: Change) -> Outcome:
        """Make a whole file and its row durable (or a deletion). Raises Unavailable when it failed.

        The row of a new instance is its file's to prove: it comes a moment later, see `archive.posts`.
        """
        if file is not None:
            self._seal(file)
            if isinstance(change, Put) and not change.replace:
                posted = self._post(file, change)
                if posted is not None:
                    return posted
        self.posts.catch_up()
        outcome: Outcome = self.committer.commit(file, change)
        self._tidy(file, outcome)
        return outcome

    def _seal(self, file: IncomingFile) -> None:
        try:
            file.seal(sync=self.sync)
        except OSError as error:
            with suppress(OSError):  # then it stays, blank or cut, for the next start to remove
                file.discard()
            raise Unavailable(f"cannot write: {error.strerror}") from error

    def _post(self, file: IncomingFile, put: Put) -> Outcome | None:
        """The outcome for a new instance; None when the index has to be waited for."""
        uid = put.record.sop_instance_uid
        post = self.posts.post(uid, file, put)
        if post is None:
            return None
        if not self._index.has(uid):
            return _ADDED
        outcome: Outcome | None = None if self.posts.withdraw(post) else post.outcome
        return outcome

    def _row_came(self, post: Post) -> None:
        self._tidy(post.file, post.outcome)

    def _row_owed(self, post: Post) -> None:
        log.error("%s has no row in the index: the next start makes it", post.file.path)
        post.file.block.clean = False
        post.file.finish()

    def _tidy(self, file: IncomingFile | None, outcome: Outcome) -> None:
        """Remove what a durable change left over. Its failure changes nothing about the outcome."""
        try:
            if file is not None:
                if isinstance(outcome, Kept):
                    file.discard()
                else:
                    file.finish()
            if isinstance(outcome, Replaced | Deleted) and outcome.old is not None:
                self._unlink(outcome.old.path)
        except (FastdicomError, OSError) as error:
            log.error("a superfluous file stays until the next start: %s", error)

    def remove(self, studies: Iterable[tuple[ArrivedStudy, str]], count: int) -> list[Removal]:
        """Delete up to `count` instances of studies, each with its reason: rows together, then files.

        A study that somebody reads is passed over. Raises Unavailable.
        """
        removals: list[Removal] = []
        with self.in_use.settled() as is_free:
            for study, reason in studies:
                if count and is_free(self.index.series_of(study)):
                    entries = self.index.study_entries(study, count + 1)
                    removals.append(Removal(study, entries[:count], len(entries) <= count, reason))
                    count -= len(removals[-1].entries)
            gone = self._delete_rows([entry for one in removals for entry in one.entries])
        removals = [left for left in (removal.only(gone) for removal in removals) if left.entries]
        for removal in removals:
            for entry in removal.entries:
                self._unlink(entry.file.path)
            self.tell_removed(removal)
        return removals

    def _delete_rows(self, entries: Sequence[StoredEntry]) -> set[str]:
        """The paths of those that were still there: somebody else may have deleted or replaced one."""
        if not entries:
            return set()
        changes = [Delete(entry.sop_instance_uid, entry.file.path) for entry in entries]
        outcomes = self.committer.commit_all(changes)
        return {one.old.path for one in outcomes if isinstance(one, Deleted) and one.old is not None}

    # ------------------------------------------------------------------------------ damage

    def found(self, entry: StoredEntry, fault: str) -> bool:
        """What a look at an instance's file showed: its `fault`, or "" for whole. True when that is news.

        News are in the index, the log and with who listens when this returns. Raises Unavailable.
        """
        if fault == entry.damage or (fault and entry.damage):
            return False
        if not self.index.mark(entry.file.path, fault, time.time()):
            return False
        if fault:
            log.error("%s at %s is damaged: it %s", entry.sop_instance_uid, entry.file.path, fault)
            self.tell_damaged(entry, fault)
        else:
            log.warning("%s at %s is whole again", entry.sop_instance_uid, entry.file.path)
        return True

    def look_after(self) -> None:
        """Once a second, in a node: is there room, and who holds up the index?"""
        self._index.rest()
        self.files.space.look()

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
        """Every instance below the matches. As long as somebody has them, retention leaves them alone."""
        with self.in_use.selecting():
            selection = self.index.instances(identifier)
            self.in_use.add(selection)
            return selection

    def read(self, entry: StoredEntry) -> memoryview:
        """The whole file of an instance, as it was received.

        Raises Superseded when it was replaced since it was selected; Refused when it was deleted since, is
        damaged, or is found to be just now; OSError when it cannot be read.
        """
        if entry.damage:
            raise _damaged(entry.damage)
        if not self.config.verify.before_sending:
            try:
                return self.files.read(entry.file.path, size=entry.file.size)
            except FileNotFoundError:
                self._refuse_outdated(entry)
                raise
        checksum = DatasetChecksum(entry.file.dataset_offset)
        try:
            data = self.files.read(entry.file.path, checksum.visit, entry.file.size)
            fault = fault_of(entry.file, len(data), checksum.value)
        except OSError as error:
            fault = fault_of_error(error)
        if fault:
            self._refuse_outdated(entry)
            self._quarantine(entry, fault)
            raise _damaged(fault)
        return data

    def _refuse_outdated(self, entry: StoredEntry) -> None:
        """A file that its row has let go of is not damaged: Refused says what became of it."""
        now = self.index.get(entry.sop_instance_uid)
        if now is None:
            raise Refused(PROCESSING_FAILURE, "it was deleted since it was selected")
        if now.file.path != entry.file.path:
            raise Superseded(now)

    def _quarantine(self, entry: StoredEntry, fault: str) -> None:
        try:
            self.found(entry, fault)
        except Unavailable as error:
            log.error("%s is damaged (%s), which cannot be noted: %s", entry.file.path, fault, error)

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
        leftovers = Leftovers(self._index, self.files, self.scan_policy, progress)
        found = recover(
            self.files.root,
            self.files.disk,
            is_sealed=sealed.__contains__,
            indexed_paths=self.index.paths,
            adopt=leftovers.adopt,
            progress=progress,
        )
        self._note_sealed(found.sealed)
        return found

    # ------------------------------------------------------------------------------ the index's side

    def _apply(self, batch: Sequence[Change]) -> list[Outcome]:
        finished = self.files.layout.take_finished()
        started = time.perf_counter()
        outcomes = self._index.apply(batch, {SEALED + name: b"1" for name in finished})
        self.observer.committed(len(batch), time.perf_counter() - started)
        return [_own(change, outcome) for change, outcome in zip(batch, outcomes, strict=True)]

    def _seal_finished(self) -> None:
        finished = self.files.layout.take_finished()
        if finished:
            self._note_sealed(finished)

    def _note_sealed(self, names: Sequence[str]) -> None:
        for name in names:
            self._index.apply((), {SEALED + name: b"1"})

    def _unlink(self, path: str) -> None:
        """A row let go of this file. Its entry in the index's trash goes later, with others."""
        gone = self.files.unlink([path])
        self._thinned.add(path.partition("/")[0])
        with self._trash_lock:
            self._unlinked += gone
            if len(self._unlinked) < _TRASH_BATCH:
                return
        self._empty_trash()

    def drop_empty_blocks(self) -> int:
        """Remove folders that deletions have emptied, and their notes; how many.

        Never the last one: the next folder's number is above all that are there, so none comes twice.
        """
        self._empty_trash()
        if not self._thinned:
            return 0
        sealed = self.index.notes(SEALED)
        ready = {name for name in self._thinned if SEALED + name in sealed}
        ready.difference_update(block_names(self.files.root)[-1:])
        self._thinned -= ready
        dropped = 0
        for name in sorted(ready):
            try:
                os.rmdir(self.files.root / name)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                    log.warning("the empty folder %s stays: %s", name, error)
                continue
            self.index.note(SEALED + name, None)
            dropped += 1
        return dropped

    def _empty_trash(self) -> None:
        with self._trash_lock:
            gone, self._unlinked = self._unlinked, []
        if gone:
            self.index.forget_trash(gone)


def _own(change: Change, outcome: Outcome) -> Outcome:
    """A change that is tried again may have been in the commit that failed."""
    there = isinstance(outcome, Kept) and isinstance(change, Put) and outcome.file.path == change.file.path
    return _ADDED if there else outcome


def _damaged(fault: str) -> Refused:
    return Refused(PROCESSING_FAILURE, f"damaged, send it again: {fault}")
