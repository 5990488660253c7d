"""Files and folders to a peer: what `PeerConnection.store` and `fastdicom send` do."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from fastdicom.conversions import Conversions, ConversionThreads
from fastdicom.dataset.part10 import FileMeta, read_file_meta, scan_file
from fastdicom.dataset.record import FileEntry, StoredEntry
from fastdicom.errors import MalformedDataset, Refused, UsageError
from fastdicom.folders import files_below
from fastdicom.net.requestor import ClientAssociation, Proposal
from fastdicom.reports import FailedObject, NamedPath, Progress, ProgressCallback, StoreReport
from fastdicom.services.proposals import AssociationPlan, plan_associations
from fastdicom.services.suboperations import Sender, Tally
from fastdicom.transcoding.codecs import Quality
from fastdicom.transcoding.objects import Options
from fastdicom.transcoding.plan import LOSSY_ORDER, Preferences

Open = Callable[[Sequence[Proposal]], ClientAssociation]


class _Always:
    """Nobody cancels a send."""

    def wanted(self) -> bool:
        return True

    def moved(self) -> None:
        """Nobody watches over it."""


def send_files(
    paths: Iterable[str | os.PathLike[str]],
    open_association: Open,
    close_association: Callable[[], None],
    *,
    progress: ProgressCallback | None = None,
    transfer_syntaxes: Sequence[str] = (),
) -> StoreReport:
    """Send all DICOM files below `paths`, over as many associations, one after the other, as they need.

    transfer_syntaxes: propose only these, and convert to the first that fits what is stored otherwise.

    Raises ConnectionLost or AssociationRejected when the first association did not come about: then
    nothing was sent. Later failures are in the report, object by object.
    """
    report = StoreReport()
    entries = list(_entries(paths, report))
    tally = Tally(len(entries))

    def open_channel(plan: AssociationPlan) -> ClientAssociation:
        return open_association([(class_uid, (syntax,)) for class_uid, syntax in plan.proposals])

    with ConversionThreads() as threads:
        conversions = Conversions(threads, _preferences(transfer_syntaxes), Options(quality=Quality()))
        plans = plan_associations(entries, only=transfer_syntaxes, fallbacks=conversions.fallbacks)
        sender = Sender(lambda entry: read_whole(Path(entry.file.path)), conversions)
        if plans:
            open_channel(plans[0])  # its failure is the caller's to hear; send_all gets the same association
        for _ in sender.send_all(plans, open_channel, lambda channel: None, tally, _Always()):
            if progress is not None:
                progress(Progress(tally.done, tally.total, len(tally.failures), tally.warning, tally.bytes))
    close_association()
    report.sent = tally.completed + tally.warning
    report.bytes = tally.bytes
    report.failed += [
        FailedObject(entry.file.path, code or None, reason) for entry, code, reason in tally.failures
    ]
    return report


def _preferences(transfer_syntaxes: Sequence[str]) -> Preferences:
    """Whoever names a lossy transfer syntax wants it."""
    lossy = tuple(uid for uid in transfer_syntaxes if uid in LOSSY_ORDER)
    return Preferences(lossy=lossy).first(*transfer_syntaxes)


def read_whole(path: Path) -> memoryview:
    """All bytes of a file, mapped. Raises OSError."""
    with path.open("rb") as stream:
        return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


def _entries(paths: Iterable[str | os.PathLike[str]], report: StoreReport) -> Iterator[StoredEntry]:
    for path in files_below(paths, lambda path, reason: report.skipped.append(NamedPath(path, reason))):
        try:
            yield _entry(path)
        except (UsageError, OSError) as error:
            report.skipped.append(NamedPath(path, str(error)))
        except Refused as error:
            report.failed.append(FailedObject(path, None, f"not sent: {error.comment}"))


def _entry(path: Path) -> StoredEntry:
    """What sending needs to know of one file. Raises as `identify` does."""
    class_uid, instance_uid, meta = identify(path)
    size = path.stat().st_size
    file = FileEntry(str(path), size, meta.dataset_offset, 0, meta.transfer_syntax_uid, 0.0, "")
    return StoredEntry(class_uid, instance_uid, "", "", file)


def identify(path: Path) -> tuple[str, str, FileMeta]:
    """(SOP Class UID, SOP Instance UID, head) of a file. Raises UsageError (no instance), Refused (broken).

    The UIDs are those of the Data Set, which a receiver compares with the command's; File Meta
    Information speaks only for a Data Set that has none.
    """
    try:
        record, meta = scan_file(path)
        return record.sop_class_uid, record.sop_instance_uid, meta
    except MalformedDataset:
        raise
    except Refused:
        with path.open("rb") as stream:
            meta = read_file_meta(stream)
        if not meta.sop_class_uid or not meta.sop_instance_uid:
            raise
    return meta.sop_class_uid, meta.sop_instance_uid, meta
