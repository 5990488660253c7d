"""Where in a TOML file a key stands: `tomllib` reads the values but forgets the lines.

This finds table headers and keys at the start of a line, which is where people write them. What it does not
find (a key inside an inline table) gets the line of the nearest key around it.
"""

from __future__ import annotations

import re
from collections import Counter

Path = tuple[str, ...]
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_NAME = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_NAME})\s*\]")
_KEY = re.compile(rf"\s*({_NAME})\s*=")
_TRIPLE = re.compile(r'"""|' + "'''")


class TomlLines:
    """The lines of the keys of one TOML document; entries of an array of tables are numbered from 1."""

    def __init__(self, document: str) -> None:
        self._lines: dict[Path, int] = {}
        self._entries: Counter[Path] = Counter()
        table: Path = ()
        quote = ""
        for line, row in enumerate(document.splitlines(), 1):
            if not quote:
                table = self._take(row, line, table)
            quote = _open_quote(row, quote)

    def line_of(self, path: Path) -> int | None:
        """The line (from 1) of `path`, else of the nearest table around it, else None."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return None

    def _take(self, row: str, line: int, table: Path) -> Path:
        """Note what `row` begins; the table that the rows after it belong to."""
        if header := _HEADER.match(row):
            table = _parts(header[2])
            if header[1] == "[[":
                self._entries[table] += 1
                self._lines.setdefault(table, line)
                table = (*table, str(self._entries[table]))
            self._lines.setdefault(table, line)
        elif key := _KEY.match(row):
            self._lines.setdefault((*table, *_parts(key[1])), line)
        return table


def _parts(name: str) -> Path:
    return tuple(part.strip("\"'") for part in re.findall(_PART, name))


def _open_quote(row: str, quote: str) -> str:
    """The triple quote that is still open after `row`, when `quote` was open before it."""
    for found in _TRIPLE.findall(row):
        if not quote:
            quote = found
        elif quote == found:
            quote = ""
    return quote
