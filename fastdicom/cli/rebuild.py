"""`fastdicom rebuild`: the index from the files alone."""

from __future__ import annotations

import argparse

import fastdicom
from fastdicom.cli.arguments import add_archive, add_config, add_json, config_of
from fastdicom.cli.exits import DONE, REFUSED
from fastdicom.cli.progress import ProgressPrinter
from fastdicom.cli.terminal import human_size, plural, print_json, say

EXAMPLE = """\
  fastdicom rebuild --archive /var/lib/fastdicom
  fastdicom rebuild --archive /var/lib/fastdicom --config /etc/fastdicom.toml    # with a new [index] extra"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--archive DIR."""
    add_archive(parser)
    add_config(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Read every file anew; files that are no instances are named and stay."""
    config = config_of(options) if options.config is not None else None
    archive = fastdicom.Archive(options.archive, config=config)
    with archive, ProgressPrinter("indexed") as progress:
        report = archive.rebuild(progress)
    if options.json:
        print_json(report)
    else:
        for path, reason in report.failed:
            say(f"failed {path}: {reason}")
        for path, reason in report.damaged:
            say(f"damaged {path}: {reason}")
        failed = f", {len(report.failed)} failed" if report.failed else ""
        print(f"indexed {plural(report.indexed, 'instance')} ({human_size(report.bytes)}){failed}")
    return DONE if report.ok else REFUSED
