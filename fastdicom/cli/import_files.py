"""`fastdicom import`: files into an archive, also while its node runs."""

from __future__ import annotations

import argparse

import fastdicom
from fastdicom.cli.arguments import add_archive, add_config, add_json, config_of
from fastdicom.cli.exits import status_of_files
from fastdicom.cli.progress import ProgressPrinter
from fastdicom.cli.terminal import human_size, plural, print_json, say
from fastdicom.reports import ImportReport

EXAMPLE = "  fastdicom import /media/cdrom --archive /var/lib/fastdicom"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PATH... --archive DIR."""
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a file, or a folder with all below it")
    add_archive(parser)
    add_config(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Copy into the archive and index; the files given stay where they are."""
    archive = fastdicom.Archive(options.archive, config=config_of(options), create=True)
    with archive, ProgressPrinter("imported") as progress:
        report = archive.import_paths(options.paths, progress)
    if options.json:
        print_json(report)
    else:
        tell(report)
    count = report.imported + report.duplicates + len(report.failed)
    return status_of_files(options.paths, count, report.ok)


def tell(report: ImportReport) -> None:
    """The report for a person."""
    for path, reason in report.skipped:
        say(f"skipped {path}: {reason}")
    for path, reason in report.failed:
        say(f"failed {path}: {reason}")
    parts = [f"imported {plural(report.imported, 'instance')} ({human_size(report.bytes)})"]
    parts += [f"{report.duplicates} there already"] if report.duplicates else []
    parts += [f"{len(report.failed)} failed"] if report.failed else []
    parts += [f"{len(report.skipped)} skipped"] if report.skipped else []
    print(", ".join(parts))
