"""The files that paths name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastdicom.errors import UsageError


def files_below(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """Every file that `paths` name or hold, folders in alphabetical order. Raises UsageError for no path."""
    for path in map(Path, paths):
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                yield from (Path(folder, name) for name in sorted(names))
        elif path.exists():
            yield path
        else:
            raise UsageError(f"there is no {os.fspath(path)!r}")
