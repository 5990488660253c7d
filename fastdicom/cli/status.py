"""`fastdicom status`: what the node of an archive does and what the archive holds."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import fastdicom
from fastdicom import status_file
from fastdicom.cli.arguments import add_json, checked
from fastdicom.cli.exits import DONE
from fastdicom.cli.status_view import line, lines
from fastdicom.cli.terminal import human_size, print_json, printable
from fastdicom.config import ArchiveConfig, Config
from fastdicom.settings import seconds

EXAMPLE = """\
  fastdicom status --archive /var/lib/fastdicom
  fastdicom status --config /etc/fastdicom.toml --watch"""
CLEAR = "\x1b[H\x1b[2J\x1b[3J"  # home, clear the screen and what scrolled off


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--config FILE or --archive DIR, --watch."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--config", metavar="FILE", type=Path, help="configuration that names the archive")
    place.add_argument("--archive", metavar="DIR", type=Path, help="folder of the archive")
    parser.add_argument(
        "--watch",
        metavar="TIME",
        nargs="?",
        const=1.0,
        type=checked(seconds),
        help="show it again every second, or every TIME, until Ctrl-C",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print both; a node that does not run is no error, an archive that is not there is."""
    folder = archive_folder(options)
    with fastdicom.Archive(folder) as archive:
        if options.watch is None:
            show(folder, archive, options.json)
        else:
            watch(folder, archive, options)
    return DONE


def watch(folder: Path, archive: fastdicom.Archive, options: argparse.Namespace) -> None:
    """Show it again and again; on a terminal in place."""
    before = CLEAR if sys.stdout.isatty() and not options.json else ""
    try:
        while True:
            print(before, end="")
            show(folder, archive, options.json)
            sys.stdout.flush()
            time.sleep(options.watch)
    except KeyboardInterrupt:
        return  # the usual end of watching


def show(folder: Path, archive: fastdicom.Archive, as_json: bool) -> None:
    """Print the state of this moment."""
    counts = as_mapping(archive.counts())
    node = status_file.read(folder)
    if as_json:
        told = {"state": node.state, "age_s": round(node.age_s, 3), **node.figures}
        print_json({"archive": folder, "counts": counts, "node": told})
        return
    for text in (*held(folder, counts), *lines(node)):
        print(printable(text))


def held(folder: Path, counts: dict[str, Any]) -> Iterator[str]:
    """What the archive holds."""
    yield f"archive {folder}"
    for name, value in counts.items():
        yield line(name, human_size(value) if name == "bytes" else value)


def archive_folder(options: argparse.Namespace) -> Path:
    """The folder that the options mean; without any, that of `fastdicom serve` without any."""
    if options.config is not None:
        return Config.load(options.config).archive.path
    folder: Path = options.archive or ArchiveConfig().path
    return folder


def as_mapping(counts: Any) -> dict[str, Any]:
    """The counts per level by name."""
    return asdict(counts) if is_dataclass(counts) and not isinstance(counts, type) else dict(counts._asdict())
