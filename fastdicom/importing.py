"""Files of other places into an archive; what fits a rule of [[compress]] is kept compressed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from fastdicom.archive.incoming import IncomingFile
from fastdicom.dataset.part10 import SEAL_LENGTH, encode_file_meta, encode_seal, read_file_meta
from fastdicom.dataset.record import FileEntry, Kept, Outcome, Put
from fastdicom.errors import FastdicomError, UsageError
from fastdicom.file_records import scan_dataset
from fastdicom.folders import files_below
from fastdicom.keeper import ArchiveKeeper
from fastdicom.reports import ImportReport, NamedPath, Progress, ProgressCallback

_PIECE = 1 << 20

Compress = Callable[[IncomingFile, Put], tuple[IncomingFile, Put]]
"""The file to commit and its change: the given ones, or those of a compressed copy. Raises OSError."""


def import_paths(
    keeper: ArchiveKeeper, paths: Iterable[str | os.PathLike[str]], progress: ProgressCallback | None = None
) -> ImportReport:
    """Take files and folders into the archive. What is no DICOM file is skipped and named."""
    report = ImportReport()
    with ExitStack() as stack:
        compress = _compress_for(keeper, stack)
        for path in files_below(paths, lambda path, reason: report.skipped.append(NamedPath(path, reason))):
            _import_one(keeper, path, compress, report)
            if progress is not None:
                done = report.imported + report.duplicates
                progress(Progress(done, None, len(report.failed), bytes=report.bytes))
    return report


def _compress_for(keeper: ArchiveKeeper, stack: ExitStack) -> Compress | None:
    """What [[compress]] says to files that nobody sent.

    A condition on the peer is one on the file's Source Application Entity Title, which our own files have
    from the C-STORE that brought them; without one no such rule fits.
    """
    if not keeper.config.compress:
        return None
    from fastdicom.compressing import compressor_of
    from fastdicom.conversions import threads_of

    compressor = compressor_of(keeper.config, keeper, stack.enter_context(threads_of(keeper.config)))
    assert compressor is not None
    return lambda file, put: compressor.compress(file, put, put.file.source_ae_title)


def _import_one(keeper: ArchiveKeeper, path: Path, compress: Compress | None, report: ImportReport) -> None:
    try:
        outcome = take_file(keeper, path, compress)
    except UsageError as error:
        report.skipped.append(NamedPath(path, str(error)))
    except (FastdicomError, OSError) as error:
        report.failed.append(NamedPath(path, str(error)))
    else:
        if isinstance(outcome, Kept):
            report.duplicates += 1
        else:
            report.imported += 1
            report.bytes += path.stat().st_size


def take_file(keeper: ArchiveKeeper, source: Path, compress: Compress | None = None) -> Outcome:
    """Store one file of another place. Raises Refused, UsageError (no DICOM file) or OSError."""
    with source.open("rb") as stream:
        meta = replace(read_file_meta(stream), seal=None)  # of another archive: not ours to judge
        record, checksum = scan_dataset(stream, meta, keeper.scan_policy)
        file = keeper.incoming()
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
            while piece := stream.read(_PIECE):
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
    put = Put(record, entry, keeper.config.archive.duplicates == "replace")
    if compress is not None:
        file, put = compress(file, put)
    return keeper.commit(file, put)
