"""`fastdicom status`: what the node of an archive does and what the archive holds."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import fastdicom
from fastdicom import status_file
from fastdicom.cli.arguments import add_json
from fastdicom.cli.exits import DONE
from fastdicom.cli.terminal import human_size, print_json, printable
from fastdicom.config import ArchiveConfig, Config
from fastdicom.status_file import NodeStatus

EXAMPLE = "  fastdicom status --archive /var/lib/fastdicom"
NAME_WIDTH = 24
TOLD_APART = ("pid", "updated", "started", "counts")  # figures that stand above already


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--config FILE or --archive DIR."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--config", metavar="FILE", type=Path, help="configuration that names the archive")
    place.add_argument("--archive", metavar="DIR", type=Path, help="folder of the archive")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print both; a node that does not run is no error, an archive that is not there is."""
    folder = archive_folder(options)
    with fastdicom.Archive(folder) as archive:
        counts = as_mapping(archive.counts())
    node = status_file.read(folder)
    if options.json:
        told = {"state": node.state, "age_s": round(node.age_s, 3), **node.figures}
        print_json({"archive": folder, "counts": counts, "node": told})
        return DONE
    print(printable(f"archive {folder}"))
    for name, value in counts.items():
        print(line(name, human_size(value) if name == "bytes" else value))
    print(printable(headline(node)))
    for name, value in figures(node):
        print(printable(line(name, value)))
    return DONE


def archive_folder(options: argparse.Namespace) -> Path:
    """The folder that the options mean; without any, that of `fastdicom serve` without any."""
    if options.config is not None:
        return Config.load(options.config).archive.path
    folder: Path = options.archive or ArchiveConfig().path
    return folder


def as_mapping(counts: Any) -> dict[str, Any]:
    """The counts per level by name."""
    return asdict(counts) if is_dataclass(counts) and not isinstance(counts, type) else dict(counts._asdict())


def headline(node: NodeStatus) -> str:
    """`node running, process 123, since 2024-01-31 12:00:00`."""
    parts = [f"node {node.state}"]
    if node.state != "not running":
        parts.append(f"process {node.figures['pid']}")
        started = node.figures.get("started")
        if isinstance(started, (int, float)):
            parts.append(f"since {datetime.fromtimestamp(started):%Y-%m-%d %H:%M:%S}")
    elif node.figures:
        parts.append("it ended without saying so")
    if node.state == "silent":
        parts.append(f"said nothing for {node.age_s:.0f} s")
    return ", ".join(parts)


def figures(node: NodeStatus) -> Iterator[tuple[str, object]]:
    """The figures of a running node with flat names: `associations open`."""
    if node.state != "not running":
        yield from flat(node.figures, "")


def flat(figures: Mapping[str, Any], before: str) -> Iterator[tuple[str, object]]:
    """Nested figures as (name, value); each entry of a list on its own."""
    for key, value in figures.items():
        name = f"{before}{key.replace('_', ' ')}"
        if not before and key in TOLD_APART:
            continue
        if isinstance(value, Mapping):
            yield from flat(value, name + " ")
        elif isinstance(value, list):
            yield from ((name, told(entry)) for entry in value)
        else:
            yield (
                name,
                human_size(value) if key.endswith("bytes") and isinstance(value, (int, float)) else value,
            )


def told(entry: object) -> str:
    """An entry of a list on one line; an address as `host:port`."""
    if isinstance(entry, dict):
        return ", ".join(f"{key} {value}" for key, value in entry.items())
    return ":".join(map(str, entry)) if isinstance(entry, list) else str(entry)


def line(name: str, value: object) -> str:
    """A figure under its headline."""
    shown = (
        f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)
    )
    return f"  {name.ljust(NAME_WIDTH)}{shown}"
