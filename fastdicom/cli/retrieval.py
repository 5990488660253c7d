"""What `move` and `get` share: their keys, and how their outcome is told."""

from __future__ import annotations

import argparse

from fastdicom.cli.arguments import add_json, add_keys, add_level, add_model, keys_of
from fastdicom.cli.exits import DONE, REFUSED
from fastdicom.cli.terminal import print_json, printable, say
from fastdicom.errors import UsageError
from fastdicom.reports import RetrieveReport
from fastdicom.standard.status import SUCCESS, describe


def add_retrieval(parser: argparse.ArgumentParser) -> None:
    """--model --level -k --json; HOST PORT came before."""
    add_model(parser)
    add_level(parser)
    add_keys(parser, required=True)
    add_json(parser)


def retrieval_keys(options: argparse.Namespace) -> dict[str, str]:
    """The keys of -k. Raises UsageError for one without a value: a retrieve returns no attributes."""
    keys = keys_of(options)
    for name, value in keys.items():
        if not value:
            raise UsageError(
                f"-k {name} needs a value: a retrieve takes unique keys such as StudyInstanceUID"
            )
    return keys


def tell(report: RetrieveReport, verb: str, as_json: bool) -> int:
    """Print the outcome; the exit status."""
    if as_json:
        print_json(report)
        return DONE if report.ok else REFUSED
    for uid in report.failed_sop_instance_uids:
        say(f"failed {uid}")
    if report.status != SUCCESS:
        comment = f": {report.comment}" if report.comment else ""
        say(f"the peer answered {describe(report.status)}{comment}")
    parts = [f"{verb} {report.completed + report.warning}"]
    parts += [f"{report.warning} with warnings"] if report.warning else []
    parts += [f"{report.failed} failed"] if report.failed else []
    parts += [f"{report.remaining} not done"] if report.remaining else []
    print(printable(", ".join(parts)))
    return DONE if report.ok else REFUSED
