"""`fastdicom protect`: patients and studies that retention leaves alone."""

from __future__ import annotations

import argparse

import fastdicom
from fastdicom.cli.arguments import add_archive, add_json
from fastdicom.cli.exits import DONE
from fastdicom.cli.terminal import print_json, printable
from fastdicom.errors import UsageError

EXAMPLE = """\
  fastdicom protect --archive /var/lib/fastdicom --patient 4711
  fastdicom protect --archive /var/lib/fastdicom --study 1.2.3 --remove
  fastdicom protect --archive /var/lib/fastdicom"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--archive DIR --patient ID... --study UID... --remove."""
    add_archive(parser)
    parser.add_argument(
        "--patient", metavar="ID", action="append", default=[], help="a Patient ID; repeatable"
    )
    parser.add_argument(
        "--study", metavar="UID", action="append", default=[], help="a Study Instance UID; repeatable"
    )
    parser.add_argument("--remove", action="store_true", help="protect these no longer")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Change who is protected, if anybody is named, and list who is. The configuration may name more."""
    if options.remove and not options.patient and not options.study:
        raise UsageError("name with --patient or --study who is no longer to be protected")
    with fastdicom.Archive(options.archive) as archive:
        protected = archive.protect(patients=options.patient, studies=options.study, remove=options.remove)
    if options.json:
        print_json({"patients": sorted(protected.patients), "studies": sorted(protected.studies)})
        return DONE
    for patient in sorted(protected.patients):
        print(printable(f"patient {patient}"))
    for study in sorted(protected.studies):
        print(printable(f"study {study}"))
    if not protected.patients and not protected.studies:
        print("nobody is protected")
    return DONE
