"""What the long operations of the public API hand back, and what they tell on the way.

Plain values without behaviour beyond `ok`: a program decides by it, the command line prints it. Paths are
strings or Path objects as the operation found them; a failed object is a tuple, so that it unpacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from fastdicom.dataset.record import StoredEntry
from fastdicom.standard.status import SUCCESS


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an operation is: `done` of `total` objects (None: not known yet), some of them `failed`.

    bytes: of the objects done so far.
    """

    done: int = 0
    total: int | None = None
    failed: int = 0
    warnings: int = 0
    bytes: int = 0


ProgressCallback = Callable[[Progress], None]


class FailedObject(NamedTuple):
    """An object that the peer did not take. status: DIMSE status, None when there was no answer to it."""

    path: Path | str
    status: int | None
    comment: str


class NamedPath(NamedTuple):
    """A file that was left out, and why."""

    path: Path | str
    reason: str


@dataclass(slots=True)
class StoreReport:
    """What C-STORE of files came to. skipped: no DICOM files. warnings: stored, with something to say."""

    sent: int = 0
    bytes: int = 0
    failed: list[FailedObject] = field(default_factory=list)
    skipped: list[NamedPath] = field(default_factory=list)
    warnings: list[FailedObject] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when every DICOM object was taken."""
        return not self.failed


@dataclass(slots=True)
class RetrieveReport:
    """The final response of a C-MOVE or C-GET. PS3.4 C.4.2.1.6, C.4.3.1.5."""

    status: int = SUCCESS
    completed: int = 0
    failed: int = 0
    warning: int = 0
    remaining: int = 0
    failed_sop_instance_uids: list[str] = field(default_factory=list)
    comment: str = ""

    @property
    def ok(self) -> bool:
        """True when nothing was left behind."""
        return self.status == SUCCESS and not self.failed


@dataclass(slots=True)
class ImportReport:
    """Files taken into an archive. duplicates: instances that were there already."""

    imported: int = 0
    duplicates: int = 0
    bytes: int = 0
    failed: list[NamedPath] = field(default_factory=list)
    skipped: list[NamedPath] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when every DICOM file is in the archive now."""
        return not self.failed


@dataclass(slots=True)
class ExportReport:
    """Files copied out of an archive. failed: what could not be read or written."""

    exported: int = 0
    bytes: int = 0
    failed: list[NamedPath] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when every matching instance was copied."""
        return not self.failed


@dataclass(slots=True)
class DeleteReport:
    """What was deleted, or with `dry_run` what would be. bytes: of the files."""

    instances: int = 0
    bytes: int = 0
    entries: list[StoredEntry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DueStudy:
    """A study that retention deletes. rule: the one that asks for it; received: seconds since the epoch."""

    study_instance_uid: str
    patient_id: str
    received: float
    instances: int
    bytes: int
    rule: str


@dataclass(slots=True)
class RetentionReport:
    """What retention deleted, or with `dry_run` would delete, in order."""

    studies: list[DueStudy] = field(default_factory=list)

    @property
    def instances(self) -> int:
        """Of all these studies."""
        return sum(study.instances for study in self.studies)

    @property
    def bytes(self) -> int:
        """Of their files."""
        return sum(study.bytes for study in self.studies)


@dataclass(slots=True)
class VerifyReport:
    """Whether index and files agree.

    damaged: files whose size or checksum is not the index's. missing: rows without a file. orphans: files
    without a row, by themselves no loss.
    """

    checked: int = 0
    bytes: int = 0
    damaged: list[NamedPath] = field(default_factory=list)
    missing: list[Path | str] = field(default_factory=list)
    orphans: list[Path | str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when every indexed instance is whole on disk and every file indexed."""
        return not (self.damaged or self.missing or self.orphans)


@dataclass(slots=True)
class RebuildReport:
    """The index made anew from the files. failed: files that could not be indexed; they stay in place.

    damaged: files that are not what the old index says was received; they are indexed and marked so.
    """

    indexed: int = 0
    duplicates: int = 0
    bytes: int = 0
    failed: list[NamedPath] = field(default_factory=list)
    damaged: list[NamedPath] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when every file is in the index, and whole."""
        return not self.failed and not self.damaged


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a query on an archive was answered.

    key: the attribute whose ordered keys led to the rows, "" when all were read. found: how many entities
    they led to, None for all. tried: other attributes that could have led there. rows_visited: rows that were
    looked at, by level. files_read: files opened for attributes that are not indexed. not_matched: keys with
    a value that the index does not match at this level.
    """

    key: str
    found: int | None
    tried: tuple[str, ...]
    rows_visited: dict[str, int]
    answers: int
    seconds: float
    files_read: int = 0
    not_matched: tuple[str, ...] = ()


@dataclass(slots=True)
class TranscodeReport:
    """Files converted to another transfer syntax. bytes: of the new files."""

    converted: int = 0
    bytes: int = 0
    failed: list[NamedPath] = field(default_factory=list)
    skipped: list[NamedPath] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when every DICOM file was converted."""
        return not self.failed
