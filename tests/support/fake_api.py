"""Stands in for the public API behind the command line: keeps what it was asked, gives what it was told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.dataset import Dataset

from fastdicom.config import Config
from fastdicom.dataset.record import FileEntry, StoredEntry
from fastdicom.reports import (
    DeleteReport,
    Explanation,
    ExportReport,
    FailedObject,
    ImportReport,
    Progress,
    ProgressCallback,
    RebuildReport,
    RetrieveReport,
    StoreReport,
    VerifyReport,
)


def entry(uid: str, study: str = "1.2") -> StoredEntry:
    """An instance of an archive."""
    file = FileEntry(f"00000001/{uid}.dcm", 1000, 300, 0, "1.2.840.10008.1.2.1", 0.0, "MODALITY")
    return StoredEntry("1.2.840.10008.5.1.4.1.1.2", uid, study, study + ".1", file)


def answer(**values: Any) -> Dataset:
    """A matching identifier."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


@dataclass(frozen=True)
class FakeTiming:
    """How long to wait."""

    connect_s: float = 10.0
    response_s: float = 60.0


@dataclass
class FakePeer:
    """A peer and the connection to it. error: raised instead of connecting."""

    error: Exception | None = None
    answers: list[Dataset] = field(default_factory=list)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    retrieval: RetrieveReport = field(default_factory=RetrieveReport)
    connections: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    timing: FakeTiming = field(default_factory=FakeTiming)

    def connection(self, host: str, port: int, **options: Any) -> FakePeer:
        """Stands in for the class `fastdicom.PeerConnection`."""
        self.connections.append({"host": host, "port": port, **options})
        return self

    def __enter__(self) -> FakePeer:
        if self.error is not None:
            raise self.error
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def echo(self) -> float:
        return 0.0025

    def find(self, **query: Any) -> Iterator[Dataset]:
        self.calls.append(("find", query))
        yield from self.answers

    def store(
        self,
        paths: list[Path],
        *,
        progress: ProgressCallback | None = None,
        transfer_syntaxes: tuple[str, ...] = (),
    ) -> StoreReport:
        self.calls.append(("store", {"paths": list(paths), "transfer_syntaxes": transfer_syntaxes}))
        report = StoreReport()
        for path in paths:
            if path.name in self.refused:
                report.failed.append(FailedObject(path, *self.refused[path.name]))
            else:
                report.sent += 1
                report.bytes += path.stat().st_size
            if progress is not None:
                done = report.sent + len(report.failed)
                progress(Progress(done, len(paths), len(report.failed), bytes=report.bytes))
        return report

    def move(self, **query: Any) -> RetrieveReport:
        self.calls.append(("move", query))
        return self.retrieval

    def get(self, out: Path, **query: Any) -> RetrieveReport:
        self.calls.append(("get", {"out": out, **query}))
        return self.retrieval


class FakeCounts(NamedTuple):
    """What an archive holds."""

    patients: int = 1
    studies: int = 2
    series: int = 3
    instances: int = 1234
    bytes: int = 5 << 20


@dataclass
class FakeArchive:
    """An archive, and the class that opens it. opened: (path, create). calls: (method, its arguments)."""

    entries: list[StoredEntry] = field(default_factory=list)
    answers: list[Dataset] = field(default_factory=list)
    imported: ImportReport = field(default_factory=ImportReport)
    exported: ExportReport = field(default_factory=ExportReport)
    verified: VerifyReport = field(default_factory=VerifyReport)
    rebuilt: RebuildReport = field(default_factory=RebuildReport)
    opened: list[tuple[Path, bool]] = field(default_factory=list)
    configs: list[Config | None] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def open(self, path: Path, *, config: Config | None = None, create: bool = False) -> FakeArchive:
        """Stands in for the class `fastdicom.Archive`."""
        self.opened.append((path, create))
        self.configs.append(config)
        return self

    def __enter__(self) -> FakeArchive:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def find(self, **query: Any) -> Iterator[Dataset]:
        self.calls.append(("find", query))
        yield from self.answers

    def explain(self, **query: Any) -> Explanation:
        self.calls.append(("explain", query))
        return Explanation("PatientID (0010,0020)", 17, ("StudyDate (0008,0020)",), {"STUDY": 17}, 3, 0.0004)

    def instances(self, **query: Any) -> list[StoredEntry]:
        self.calls.append(("instances", query))
        return self.entries

    def path_of(self, entry: StoredEntry) -> Path:
        return Path("/store") / entry.file.path

    def import_paths(self, paths: list[str], progress: ProgressCallback) -> ImportReport:
        self.calls.append(("import", {"paths": paths}))
        return self.imported

    def export(self, out: Path, progress: ProgressCallback, **keys: Any) -> ExportReport:
        self.calls.append(("export", {"out": out, **keys}))
        return self.exported

    def delete(self, *, level: str, dry_run: bool = False, **keys: Any) -> DeleteReport:
        self.calls.append(("delete", {"level": level, "dry_run": dry_run, **keys}))
        return DeleteReport(len(self.entries), 1000 * len(self.entries), self.entries)

    def verify(self, progress: ProgressCallback) -> VerifyReport:
        return self.verified

    def rebuild(self, progress: ProgressCallback) -> RebuildReport:
        return self.rebuilt

    def counts(self) -> FakeCounts:
        return FakeCounts()
