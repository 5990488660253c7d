"""`fastdicom install-service`: units, user, folders and a configuration in place."""

from __future__ import annotations

import argparse
from pathlib import Path

from fastdicom.cli.arguments import add_json, whole_number
from fastdicom.cli.exits import DONE, REFUSED
from fastdicom.cli.terminal import print_json, printable
from fastdicom.installing import InstallReport, install_service

EXAMPLE = """\
  /opt/fastdicom/bin/fastdicom install-service
  fastdicom install-service --prefix ./image --python /opt/fastdicom/bin/python --systemd-version 252"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--prefix, --python, --systemd-version."""
    add_prefix(parser)
    parser.add_argument(
        "--python", metavar="FILE", default="", help="what the service runs: the path in the image (ours)"
    )
    parser.add_argument(
        "--systemd-version",
        metavar="N",
        type=whole_number(1, 9999),
        help="of the image (without --prefix: what runs here)",
    )
    add_json(parser)


def add_prefix(parser: argparse.ArgumentParser) -> None:
    """--prefix."""
    parser.add_argument(
        "--prefix",
        metavar="DIR",
        type=Path,
        default=Path("/"),
        help="root of the system to install into (/); another one is only written to",
    )


def run(options: argparse.Namespace) -> int:
    """Install, tell what was done."""
    report = install_service(options.prefix, python=options.python, systemd_version=options.systemd_version)
    return show(report, options.json)


def show(report: InstallReport, as_json: bool) -> int:
    """Print a report; the exit status."""
    if as_json:
        print_json(report)
    else:
        for action in report.actions:
            detail = f": {action.detail}" if action.detail else ""
            print(printable(f"{action.what:9} {action.subject}{detail}"))
        for step in report.next_steps:
            print(printable(f"next: {step}"))
    return DONE if report.ok else REFUSED
