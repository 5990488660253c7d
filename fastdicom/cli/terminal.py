"""What people see: tables, sizes, JSON lines, questions. Text from peers is made harmless first."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, is_dataclass
from itertools import islice
from typing import Any

LOOK_AHEAD = 200  # rows that decide how wide the columns are; later ones are streamed
CELL_WIDTH_MAX = 64


def printable(text: str) -> str:
    """`text` without control characters: what a peer sends must not drive the terminal."""
    return "".join("�" if unicodedata.category(sign) in ("Cc", "Cf", "Cs") else sign for sign in text)


def human_size(count: float) -> str:
    """Bytes with a unit: `512 B`, `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`, `2 studies`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def print_json(value: Any) -> None:
    """One JSON object on one line; dataclasses become objects, paths text."""
    print(json.dumps(_plain(value), default=str))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Print rows under a headline as they come; the number of rows.

    The first rows decide the widths, so that an answer of a million rows neither waits nor is held.
    """
    stream = iter(rows)
    first = [[_cell(value) for value in row] for row in islice(stream, LOOK_AHEAD)]
    if not first:
        return 0
    widths = [
        min(CELL_WIDTH_MAX, max(_width(row[place]) for row in [columns, *first]))
        for place in range(len(columns))
    ]
    count = 0
    print(_line(columns, widths))
    for row in _chain(first, stream):
        print(_line(row, widths))
        count += 1
    return count


def _chain(first: list[list[str]], rest: Iterator[Sequence[str]]) -> Iterator[Sequence[str]]:
    yield from first
    for row in rest:
        yield [_cell(value) for value in row]


def _cell(text: str) -> str:
    return printable(text.replace("\r\n", " ").replace("\n", " ")).strip()


def _width(text: str) -> int:
    """Columns that `text` takes on a terminal: ideographs take two, combining marks none."""
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return len(text) + wide - sum(unicodedata.combining(sign) != 0 for sign in text)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def say(text: str) -> None:
    """One line for the person at the terminal, on stderr: stdout carries results only."""
    print(printable(text), file=sys.stderr)


def at_terminal() -> bool:
    """True when a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str) -> bool:
    """Ask; True for yes. Anything else, and the end of the input, is no."""
    print(f"{printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def relative(path: str | os.PathLike[str]) -> str:
    """A path as short as it can be said from here."""
    text = os.fspath(path)
    short = os.path.relpath(text)
    return text if short.startswith("..") else short
