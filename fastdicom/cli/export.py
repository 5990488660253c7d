"""`fastdicom export`: files out of an archive, also while its node runs."""

from __future__ import annotations

import argparse

import fastdicom
from fastdicom.cli.arguments import add_archive, add_json, add_keys, folder, keys_of
from fastdicom.cli.exits import DONE, REFUSED
from fastdicom.cli.progress import ProgressPrinter
from fastdicom.cli.terminal import human_size, plural, print_json, say

EXAMPLE = "  fastdicom export /media/stick --archive /var/lib/fastdicom -k PatientID=123"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """DIR --archive DIR -k."""
    parser.add_argument(
        "out", metavar="DIR", type=folder, help="folder for the files; it is made when it is missing"
    )
    add_archive(parser)
    add_keys(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Copy every instance that matches; without -k all of them."""
    keys = keys_of(options)
    options.out.mkdir(parents=True, exist_ok=True)
    with fastdicom.Archive(options.archive) as archive, ProgressPrinter("exported") as progress:
        report = archive.export(options.out, progress, **keys)
    if options.json:
        print_json(report)
    else:
        for path, reason in report.failed:
            say(f"failed {path}: {reason}")
        failed = f", {len(report.failed)} failed" if report.failed else ""
        print(f"exported {plural(report.exported, 'instance')} ({human_size(report.bytes)}){failed}")
    return DONE if report.ok else REFUSED
