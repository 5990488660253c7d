"""`fastdicom send`: C-STORE of files and folders."""

from __future__ import annotations

import argparse

from fastdicom.cli.arguments import add_json, add_peer, add_transfer_syntax, peer_of, whole_number
from fastdicom.cli.exits import status_of_files
from fastdicom.cli.progress import ProgressPrinter
from fastdicom.cli.terminal import human_size, plural, print_json, printable, say
from fastdicom.reports import FailedObject, StoreReport
from fastdicom.standard.status import describe

EXAMPLE = "  fastdicom send 10.0.0.5 104 --called PACS study-folder/ report.dcm"
ASSOCIATIONS_MAX = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """HOST PORT PATH..."""
    add_peer(parser)
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", help="a file, or a folder that is sent with all below it"
    )
    parser.add_argument(
        "--associations",
        metavar="N",
        type=whole_number(1, ASSOCIATIONS_MAX),
        default=1,
        help="send over N associations at once (default: 1)",
    )
    add_transfer_syntax(parser, required=False, does="send everything in this transfer syntax")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Send, then say what did not arrive and why."""
    report = send(options)
    if options.json:
        print_json(report)
    else:
        tell(report)
    count = report.sent + len(report.warnings) + len(report.failed)
    return status_of_files(options.paths, count, report.ok)


def send(options: argparse.Namespace) -> StoreReport:
    """Send everything over as many associations as asked for."""
    from fastdicom.sending import store_parallel

    syntaxes = (options.transfer_syntax,) if options.transfer_syntax else ()
    with ProgressPrinter("sent") as progress:
        return store_parallel(
            lambda: peer_of(options), options.paths, options.associations, progress, syntaxes
        )


def tell(report: StoreReport) -> None:
    """The report for a person: every object that needs attention, then the sum."""
    for path, reason in report.skipped:
        say(f"skipped {path}: {reason}")
    for warned in report.warnings:
        say(f"warning {object_line(warned)}")
    for failed in report.failed:
        say(f"failed {object_line(failed)}")
    parts = [f"sent {plural(report.sent, 'object')} ({human_size(report.bytes)})"]
    parts += [f"{len(report.warnings)} with warnings"] if report.warnings else []
    parts += [f"{len(report.failed)} failed"] if report.failed else []
    parts += [f"{len(report.skipped)} skipped"] if report.skipped else []
    print(printable(", ".join(parts)))


def object_line(failed: FailedObject) -> str:
    """`a.dcm: A700H (out of resources): disk full`; the comment may begin with the status already."""
    status = "" if failed.status is None else describe(failed.status)
    comment = failed.comment.removeprefix(status).removeprefix(": ")
    return ": ".join(part for part in (str(failed.path), status, comment) if part)
