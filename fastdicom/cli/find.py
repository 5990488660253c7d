"""`fastdicom find`: C-FIND, and the same query on an archive of this machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import fastdicom
from fastdicom.cli.answers import print_answers, print_json_answers, with_return_keys
from fastdicom.cli.arguments import add_json, add_keys, add_level, add_model, add_peer, keys_of, peer_of
from fastdicom.cli.exits import DONE
from fastdicom.cli.terminal import plural, print_json, printable, say
from fastdicom.dataset.terms import EXTENSIONS
from fastdicom.errors import UsageError
from fastdicom.identifiers import build_identifier
from fastdicom.reports import Explanation

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

EXAMPLE = """\
  fastdicom find 10.0.0.5 104 --called PACS -k PatientName='DOE*' -k StudyDate=20240101-
  fastdicom find --archive /var/lib/fastdicom --level SERIES -k Modality=CT --paths"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """HOST PORT, or --archive."""
    add_peer(parser, optional=True)
    parser.add_argument(
        "--archive", metavar="DIR", type=Path, help="query this archive, without a network, instead of a peer"
    )
    add_model(parser)
    add_level(parser)
    add_keys(parser)
    parser.add_argument(
        "--propose",
        metavar="EXTENSION",
        action="append",
        default=[],
        choices=EXTENSIONS,
        help=f"ask the peer for {', '.join(EXTENSIONS)} (extended negotiation); may be given several times",
    )
    parser.add_argument("--paths", action="store_true", help="print the matching files (--archive only)")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="print the index key used and the rows visited (--archive only)",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Query the peer or the archive."""
    check(options)
    return find_in_archive(options) if options.archive is not None else find_at_peer(options)


def check(options: argparse.Namespace) -> None:
    """Raises UsageError when the arguments name both a peer and an archive, or neither."""
    if options.archive is not None and options.host is not None:
        raise UsageError("give HOST PORT or --archive, not both")
    if options.archive is None and (options.host is None or options.port is None):
        raise UsageError("give HOST PORT, or --archive DIR")
    if options.archive is None and (options.paths or options.explain):
        raise UsageError("--paths and --explain are for --archive: a peer does not tell")
    if options.archive is not None and options.propose:
        raise UsageError("--propose is for a peer: an archive of this machine grants everything")


def find_at_peer(options: argparse.Namespace) -> int:
    """C-FIND."""
    model = options.model.upper()
    keys = with_return_keys(options.level, model, keys_of(options))
    identifier = build_identifier(options.level, keys)
    with peer_of(options) as peer:
        peer.extensions = frozenset(options.propose)
        for name in sorted(peer.extensions - peer.granted(model) if options.propose else ()):
            say(f"the peer does not grant {name}")
        found = peer.find(level=options.level, model=model, identifier=identifier)
        show(found, keys, options.json)
    return DONE


def find_in_archive(options: argparse.Namespace) -> int:
    """The same on the index of an archive."""
    model = options.model.upper()
    keys = keys_of(options)
    with fastdicom.Archive(options.archive) as archive:
        if options.explain:
            explain(archive.explain(level=options.level, model=model, **keys), options.json)
        elif options.paths:
            for entry in archive.instances(level=options.level, model=model, **keys):
                path = archive.path_of(entry)
                print_json({"path": path}) if options.json else print(path)
        else:
            keys = with_return_keys(options.level, model, keys)
            show(archive.find(level=options.level, model=model, **keys), keys, options.json)
    return DONE


def show(found: Iterable[Dataset], columns: Iterable[str], as_json: bool) -> None:
    """Print matches as they come."""
    if as_json:
        print_json_answers(found)
    else:
        say(plural(print_answers(found, columns), "match", "matches"))


def explain(explanation: Explanation, as_json: bool) -> None:
    """Which key was walked and how many rows were looked at."""
    if as_json:
        print_json(explanation)
        return
    led_to = f", which led to {explanation.found:,}" if explanation.key else "none: all rows were read"
    rows = (f"{count:,} {level}" for level, count in explanation.rows_visited.items() if count)
    lines = {
        "index key": explanation.key + led_to,
        "other keys": ", ".join(explanation.tried),
        "not matched": ", ".join(explanation.not_matched),
        "rows visited": ", ".join(rows) or "0",
        "answers": f"{explanation.answers:,}",
        "files read": f"{explanation.files_read:,}",
        "time": f"{explanation.seconds * 1000:.2f} ms",
    }
    for name, text in lines.items():
        if text:
            print(printable(f"{name:14}{text}"))
