"""`fastdicom delete`: a patient, study, series or instance out of an archive, also while its node runs."""

from __future__ import annotations

import argparse

import fastdicom
from fastdicom.cli.arguments import add_archive, add_json, add_keys, add_level, keys_of
from fastdicom.cli.exits import DONE, REFUSED
from fastdicom.cli.terminal import at_terminal, confirm, human_size, plural, print_json, say
from fastdicom.errors import UsageError
from fastdicom.identifiers import deepest_level
from fastdicom.reports import DeleteReport

EXAMPLE = """\
  fastdicom delete --archive /var/lib/fastdicom -k StudyInstanceUID=1.2.3 --dry-run
  fastdicom delete --archive /var/lib/fastdicom -k PatientID=123 -k StudyDate=-20191231"""
PREVIEW_LENGTH = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--archive DIR -k ... --dry-run."""
    add_archive(parser)
    add_level(parser, default=None)
    add_keys(parser, required=True)
    parser.add_argument("--dry-run", action="store_true", help="say what would be deleted, delete nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask, also on a terminal")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Delete what matches; on a terminal a person is asked first."""
    keys = deletion_keys(options)
    level = options.level or deepest_level(keys)
    with fastdicom.Archive(options.archive) as archive:
        if not options.dry_run and not options.yes and at_terminal():
            planned = archive.delete(level=level, dry_run=True, **keys)
            if planned.instances == 0:
                return tell(planned, "deleted", options.json)
            if not confirm(f"Delete {what(planned)}?"):
                say("nothing was deleted")
                return REFUSED
        report = archive.delete(level=level, dry_run=options.dry_run, **keys)
    if options.dry_run and not options.json:
        preview(report)
    return tell(report, "would delete" if options.dry_run else "deleted", options.json)


def deletion_keys(options: argparse.Namespace) -> dict[str, str]:
    """The keys of -k. Raises UsageError for one without a value or with `*` alone: these match everything."""
    keys = keys_of(options)
    for name, value in keys.items():
        if not value.strip("*"):
            raise UsageError(f"-k {name}={value} matches everything; a deletion needs a value")
    return keys


def preview(report: DeleteReport) -> None:
    """The first instances by name."""
    for entry in report.entries[:PREVIEW_LENGTH]:
        print(f"{entry.study_instance_uid}  {entry.series_instance_uid}  {entry.sop_instance_uid}")
    if len(report.entries) > PREVIEW_LENGTH:
        print(f"... and {len(report.entries) - PREVIEW_LENGTH} more")


def what(report: DeleteReport) -> str:
    """`12 instances of 2 studies (1.5 MiB)`."""
    studies = {entry.study_instance_uid for entry in report.entries}
    of_studies = f" of {plural(len(studies), 'study', 'studies')}" if studies else ""
    return f"{plural(report.instances, 'instance')}{of_studies} ({human_size(report.bytes)})"


def tell(report: DeleteReport, verb: str, as_json: bool) -> int:
    """Print the outcome; the exit status."""
    if as_json:
        print_json(report)
    else:
        print(f"{verb} {what(report)}")
    return DONE
