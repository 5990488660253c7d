"""`fastdicom transcode`: one file, or all of a folder, to another transfer syntax."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import fastdicom
from fastdicom.cli.arguments import add_json, add_transfer_syntax
from fastdicom.cli.exits import DONE, REFUSED
from fastdicom.cli.progress import ProgressPrinter
from fastdicom.cli.terminal import plural, print_json, printable, say
from fastdicom.errors import FastdicomError
from fastdicom.reports import NamedPath, Progress, TranscodeReport

EXAMPLE = """\
  fastdicom transcode ct.dcm ct-jpegls.dcm --transfer-syntax JPEGLSLossless
  fastdicom transcode study/ study-rle/ --transfer-syntax RLELossless"""
PREAMBLE_LENGTH = 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """IN OUT --transfer-syntax S."""
    parser.add_argument("source", metavar="IN", type=Path, help="a file or a folder")
    parser.add_argument("target", metavar="OUT", type=Path, help="the new file; a folder when IN is one")
    add_transfer_syntax(parser, required=True, does="the new transfer syntax")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Convert; what cannot be converted is named and left out."""
    if options.source.is_dir():
        report = transcode_folder(options.source, options.target, options.transfer_syntax)
        return tell(report, options.json)
    length = transcode_file(options.source, options.target, options.transfer_syntax)
    if options.json:
        print_json({"path": options.target, "bytes": length})
    return DONE


def transcode_file(source: Path, target: Path, syntax: str) -> int:
    """Convert one file; the length of the new one, which appears whole or not at all."""
    data: bytes = fastdicom.transcode(source, syntax)
    fresh = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        fresh.write_bytes(data)
        os.replace(fresh, target)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    return len(data)


def transcode_folder(source: Path, target: Path, syntax: str) -> TranscodeReport:
    """Convert every DICOM file below `source` to the same place below `target`."""
    from fastdicom.folders import files_below

    report = TranscodeReport()
    files = list(files_below([source]))
    with ProgressPrinter("converted") as progress:
        for done, file in enumerate(files, 1):
            _one_of_many(file, target / file.relative_to(source), syntax, report)
            progress(Progress(done, len(files), len(report.failed), bytes=report.bytes))
    return report


def _one_of_many(source: Path, target: Path, syntax: str, report: TranscodeReport) -> None:
    try:
        if not is_dicom(source):
            report.skipped.append(NamedPath(source, "is no DICOM file"))
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        report.bytes += transcode_file(source, target, syntax)
        report.converted += 1
    except (FastdicomError, OSError) as problem:
        report.failed.append(NamedPath(source, str(problem)))


def is_dicom(path: Path) -> bool:
    """True for a file with the prefix of PS3.10 7.1."""
    with path.open("rb") as file:
        file.seek(PREAMBLE_LENGTH)
        return file.read(4) == b"DICM"


def tell(report: TranscodeReport, as_json: bool) -> int:
    """Print the outcome; the exit status."""
    if as_json:
        print_json(report)
        return DONE if report.ok else REFUSED
    for path, reason in report.skipped:
        say(f"skipped {path}: {reason}")
    for path, reason in report.failed:
        say(f"failed {path}: {reason}")
    failed = f", {len(report.failed)} failed" if report.failed else ""
    print(printable(f"converted {plural(report.converted, 'file')}{failed}"))
    return DONE if report.ok else REFUSED
