"""Tables in documents that come from the tables that the code itself uses.

What stands between `<!-- generated: NAME -->` and `<!-- end -->` is replaced; the rest is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

_BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Blocks = Mapping[str, Callable[[], str]]
"""The name of a block -> what writes it."""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def filled(document: str, blocks: Blocks) -> str:
    """`document` with every generated block as it has to be. Raises KeyError for an unknown block."""
    return _BLOCK.sub(lambda block: f"{block[1]}\n{blocks[block[2]]()}\n{block[3]}", document)


def write(path: Path, blocks: Blocks) -> int:
    """Write the document, or with --check compare it; the exit status."""
    before = path.read_text("utf-8")
    after = filled(before, blocks)
    if "--check" in sys.argv[1:]:
        return int(before != after)
    path.write_text(after, "utf-8")
    return 0
