"""`fastdicom retention`: what the rules of [retention] no longer keep, shown or deleted."""

from __future__ import annotations

import argparse
from datetime import datetime

import fastdicom
from fastdicom.cli.arguments import add_archive, add_config, add_json, config_of
from fastdicom.cli.exits import DONE, REFUSED
from fastdicom.cli.terminal import at_terminal, confirm, human_size, plural, print_json, print_table, say
from fastdicom.reports import RetentionReport

EXAMPLE = """\
  fastdicom retention --archive /var/lib/fastdicom --config gateway.toml --dry-run
  fastdicom retention --archive /var/lib/fastdicom --config gateway.toml"""
COLUMNS = ("Received", "Instances", "Size", "Rule", "StudyInstanceUID")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--archive DIR --config FILE --dry-run."""
    add_archive(parser)
    add_config(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be deleted, delete nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask, also on a terminal")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """A running node does this by itself; then only --dry-run is possible."""
    with fastdicom.Archive(options.archive, config=config_of(options)) as archive:
        report = archive.retention(dry_run=True)
        if not options.dry_run and report.studies:
            if not options.yes and at_terminal() and not confirm(f"Delete {what(report)}?"):
                say("nothing was deleted")
                return REFUSED
            report = archive.retention()
    if options.json:
        print_json(report)
        return DONE
    print_table(COLUMNS, ((
        f"{datetime.fromtimestamp(study.received):%Y-%m-%d %H:%M}", str(study.instances),
        human_size(study.bytes), study.rule, study.study_instance_uid,
    ) for study in report.studies))  # fmt: skip
    print(f"{'would delete' if options.dry_run else 'deleted'} {what(report)}")
    return DONE


def what(report: RetentionReport) -> str:
    """`2 studies of 12 instances (1.5 MiB)`."""
    studies = plural(len(report.studies), "study", "studies")
    return f"{studies} of {plural(report.instances, 'instance')} ({human_size(report.bytes)})"
