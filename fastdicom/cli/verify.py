"""`fastdicom verify`: every indexed instance is whole on disk, and every file is indexed."""

from __future__ import annotations

import argparse

import fastdicom
from fastdicom.cli.arguments import add_archive, add_json
from fastdicom.cli.exits import DONE, REFUSED
from fastdicom.cli.progress import ProgressPrinter
from fastdicom.cli.terminal import human_size, plural, print_json, printable
from fastdicom.reports import VerifyReport

EXAMPLE = "  fastdicom verify --archive /var/lib/fastdicom"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--archive DIR."""
    add_archive(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Read every file and compare it with the index, which notes what is damaged; no file is changed."""
    with fastdicom.Archive(options.archive) as archive, ProgressPrinter("checked") as progress:
        report = archive.verify(progress)
    if options.json:
        print_json(report)
    else:
        tell(report)
    return DONE if report.ok else REFUSED


def tell(report: VerifyReport) -> None:
    """Every fault on a line of its own, then the sum."""
    lines = [f"damaged {path}: {reason}" for path, reason in report.damaged]
    lines += [f"missing {path}" for path in report.missing]
    lines += [f"not indexed {path}" for path in report.orphans]
    for line in lines:
        print(printable(line))
    faults = (
        f"{len(report.damaged)} damaged, {len(report.missing)} missing, {len(report.orphans)} not indexed"
    )
    print(f"checked {plural(report.checked, 'instance')} ({human_size(report.bytes)}): {faults}")
