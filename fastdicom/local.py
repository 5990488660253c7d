"""An archive on this machine, for programs and for the shell, with or without a running node.

pydicom Data Sets and keywords come in and go out; the work is done in `keeper` and `maintenance`.
"""

from __future__ import annotations

import os
import pwd
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fastdicom import maintenance, status_file
from fastdicom.audit.handover import Visit, read_note
from fastdicom.config import Config
from fastdicom.dataset.attributes import ATTRIBUTES, LEVELS
from fastdicom.dataset.identifier import Identifier
from fastdicom.dataset.record import StoredEntry
from fastdicom.errors import UsageError
from fastdicom.events import SILENT
from fastdicom.file_records import scan_policy
from fastdicom.identifiers import build_identifier, deepest_level, tag_name
from fastdicom.importing import import_paths
from fastdicom.index.environment import Counts
from fastdicom.keeper import ArchiveKeeper, open_keeper
from fastdicom.protection import Protected, change_protected, read_protected
from fastdicom.queries import datasets_of, decoded
from fastdicom.reports import (
    DeleteReport,
    DueStudy,
    Explanation,
    ExportReport,
    ImportReport,
    ProgressCallback,
    RebuildReport,
    RetentionReport,
    VerifyReport,
)
from fastdicom.retention import Retention

if TYPE_CHECKING:
    from pydicom import Dataset


class Archive:
    """An archive folder.

    >>> with Archive(tmp_path / "archive", create=True) as archive:
    ...     archive.counts().instances
    0

    config: durability, duplicates, limits and indexed attributes. create: make an archive where there is
    none. Raises UsageError when there is no archive; what is asked of it does while its index is rebuilt.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, config: Config | None = None, create: bool = False
    ) -> None:
        self.path = Path(path)
        self._configured = config is not None
        self._config = config or Config(archive=self.path)
        if not create and not (self.path / "objects").is_dir():
            raise UsageError(f"{self.path} is no archive: there is no folder {self.path / 'objects'}")
        self._opened: ArchiveKeeper | None = None
        self._visit: Visit | None = None

    @property
    def _keeper(self) -> ArchiveKeeper:
        """Opened when it is needed: `rebuild` is there for an index that cannot be."""
        if self._opened is None:
            self._opened = open_keeper(self.path, self._config)
            self._visit = _audited(self._opened)
        return self._opened

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give everything back. The archive may be used again, and is opened again then."""
        keeper, self._opened = self._opened, None
        visit, self._visit = self._visit, None
        if visit is not None and keeper is not None:
            if keeper.observer is visit.trail:
                keeper.observer = SILENT
            visit.close()
        if keeper is not None:
            keeper.close()

    # ------------------------------------------------------------------------------ asking

    def find(self, level: str = "STUDY", model: str = "STUDY", **keys: Any) -> Iterator[Dataset]:
        """The matches of a query, as C-FIND would answer them."""
        return datasets_of(self._keeper.find(self._identifier(level, model, keys)))

    def instances(self, level: str | None = None, model: str = "STUDY", **keys: Any) -> Sequence[StoredEntry]:
        """Every instance below the matches. level: by default the lowest that one of the keys belongs to."""
        return self._keeper.instances(self._below(level, model, keys))

    def path_of(self, entry: StoredEntry) -> Path:
        """Where the file of an instance is."""
        return self._keeper.path_of(entry)

    def counts(self) -> Counts:
        """Entities of each level, and bytes."""
        return self._keeper.counts()

    def explain(self, level: str = "STUDY", model: str = "STUDY", **keys: Any) -> Explanation:
        """Run a query and say how it was answered."""
        identifier = self._identifier(level, model, keys)
        started = time.perf_counter()
        plan = self._keeper.explain(identifier)
        seconds = time.perf_counter() - started
        return Explanation(
            "" if plan.key is None else tag_name(plan.key),
            plan.found,
            tuple(tag_name(tag) for tag in plan.tried if tag != plan.key),
            dict(zip(LEVELS, plan.rows_visited, strict=True)),
            plan.answers,
            seconds,
            plan.files_read,
            tuple(tag_name(tag) for tag in identifier.unsupported),
        )

    # ------------------------------------------------------------------------------ changing

    def import_paths(
        self, paths: Iterable[str | os.PathLike[str]], progress: ProgressCallback | None = None
    ) -> ImportReport:
        """Take files and folders in."""
        return import_paths(self._keeper, paths, progress)

    def export(
        self,
        out: str | os.PathLike[str],
        progress: ProgressCallback | None = None,
        *,
        level: str | None = None,
        **keys: Any,
    ) -> ExportReport:
        """Copy what matches to `out/<study>/<series>/<SOP Instance UID>.dcm`; without keys, everything."""
        return maintenance.export(
            self._keeper, Path(out), self._below(level, "STUDY", keys), progress, actor=_actor()
        )

    def delete(self, level: str | None = None, *, dry_run: bool = False, **keys: Any) -> DeleteReport:
        """Delete what matches. Raises UsageError without a key that says what."""
        if not any(value not in ("", None, []) for value in keys.values()):
            raise UsageError("name what is to be deleted: at least one key with a value")
        below = self._below(level, "STUDY", keys)
        return maintenance.delete(self._keeper, below, dry_run=dry_run, actor=_actor())

    def retention(self, *, dry_run: bool = False) -> RetentionReport:
        """Delete what the rules of the configuration's [retention] no longer keep.

        Raises UsageError when there is no rule, and while a node serves the archive (it follows its own
        rules), unless `dry_run`.
        """
        if not Retention(self._keeper, self._config.retention).active:
            raise UsageError("the configuration has no rule in [retention]")
        if not dry_run and status_file.read(self.path).state != "not running":
            raise UsageError(f"{self.path}: a node serves this archive; its own [retention] sees to it")
        retention = Retention(self._keeper, self._config.retention)
        report = RetentionReport()
        for study, rule in retention.plan():
            size = study.length
            due = DueStudy(
                study.study_instance_uid, study.patient_id, study.received, study.instances, size, rule
            )
            report.studies.append(due)
        if not dry_run:
            retention.run()
            self._keeper.drop_empty_blocks()
        return report

    def protect(
        self, *, patients: Iterable[str] = (), studies: Iterable[str] = (), remove: bool = False
    ) -> Protected:
        """Keep patients (by Patient ID) and studies (by UID) from retention, or with `remove` no longer.

        Who is protected then, beyond the configuration. Takes effect at once, also in a running node.
        """
        patients, studies = list(patients), list(studies)
        if not patients and not studies:
            return read_protected(self.path)
        return change_protected(self.path, patients=patients, studies=studies, remove=remove)

    def verify(self, progress: ProgressCallback | None = None) -> VerifyReport:
        """Is every indexed instance whole on disk, and every file indexed? Damage is marked."""
        return maintenance.verify(self._keeper, progress)

    def rebuild(self, progress: ProgressCallback | None = None) -> RebuildReport:
        """The index anew from the files alone. Raises UsageError while anybody else uses the archive.

        It holds the attributes that the configuration asks for, and without one what the old index held.
        """
        self.close()
        wanted = (*ATTRIBUTES, *self._config.index.extra)
        attributes = wanted if self._configured else maintenance.indexed_attributes(self.path)
        replace = self._config.archive.duplicates == "replace"
        policy = scan_policy(self._config, attributes)
        return maintenance.rebuild(self.path, attributes, policy, progress, replace=replace)

    # ------------------------------------------------------------------------------ keys

    def _below(self, level: str | None, model: str, keys: dict[str, Any]) -> Identifier:
        return self._identifier(level or deepest_level(keys), model, keys)

    def _identifier(self, level: str, model: str, keys: dict[str, Any]) -> Identifier:
        """Keywords to an Identifier, on the way that a C-FIND takes; nothing is hierarchical here."""
        return decoded(build_identifier(level, keys), model, self._config, self._keeper.attributes)


def _audited(keeper: ArchiveKeeper) -> Visit | None:
    """Report to the audit trail of the archive's node, unless this process is that node, or there is none."""
    note = read_note(keeper.path) if keeper.observer is SILENT else None
    if note is None:
        return None
    try:
        visit = Visit(keeper.path, note, keeper.patient_of)
    except OSError as error:
        raise UsageError(f"the audit trail of {keeper.path} cannot be written: {error}") from error
    keeper.observer = visit.trail
    return visit


def _actor() -> str:
    """Who runs this program, for the audit trail: `root, fastdicom`."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}, {Path(sys.argv[0]).name}"
