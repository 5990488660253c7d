"""The files that paths name."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from fastdicom.errors import UsageError

log = logging.getLogger(__name__)

LeftOut = Callable[[Path, str], object]
"""(what was passed over, why)."""


def _log(path: Path, reason: str) -> None:
    log.warning("%s is left out: it %s", path, reason)


def files_below(paths: Iterable[str | os.PathLike[str]], left_out: LeftOut = _log) -> Iterator[Path]:
    """Every file that `paths` name or hold, folders in alphabetical order. Raises UsageError for no path.

    What is in a folder must stay in it: a link that leads out of it, as media from elsewhere may have, is
    `left_out`, as are pipes and devices. One path alone is one path, not the letters that it consists of: "/"
    would be among them.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    for path in map(Path, paths):
        if path.is_dir():
            yield from _below(path, left_out)
        elif path.exists():
            yield path
        else:
            raise UsageError(f"there is no {os.fspath(path)!r}")


def _below(root: Path, left_out: LeftOut) -> Iterator[Path]:
    inside = root.resolve()
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in folders:
            if Path(folder, name).is_symlink():  # os.walk does not follow it
                left_out(Path(folder, name), "is a link to a folder")
        for name in sorted(names):
            path = Path(folder, name)
            reason = _why_not(path, inside)
            if reason:
                left_out(path, reason)
            else:
                yield path


def _why_not(path: Path, inside: Path) -> str:
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode):
            return "" if stat.S_ISREG(mode) else "is no file"
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return "leads nowhere"
    if not target.is_relative_to(inside):
        return "is a link out of the folder"
    return "" if target.is_file() else "is no file"
