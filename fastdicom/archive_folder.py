"""The folder of an archive as a whole: made, locked, and its index swapped for a rebuilt one."""

from __future__ import annotations

import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path

from fastdicom.errors import UsageError

log = logging.getLogger(__name__)


def lock_folder(path: Path, *, exclusive: bool) -> int:
    """A descriptor that holds the archive's lock: shared by all who write, exclusive for `rebuild`.

    Raises UsageError when somebody holds the other kind.
    """
    fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        why = "it is in use: stop the node first" if exclusive else "its index is being rebuilt"
        raise UsageError(f"{path}: {why}") from None
    return fd


def finish_swap(path: Path) -> None:
    """Do the rest of a rebuild that a crash ended between its two renames. The new index is whole then.

    Two processes may do this at once: the second finds nothing to do.
    """
    index, fresh, old = path / "index", path / "index.rebuild", path / "index.old"
    if index.exists() or not old.exists():
        return
    with suppress(FileNotFoundError):
        os.rename(fresh if fresh.exists() else old, index)
        log.warning("%s: finished a rebuild that was interrupted", path)


def make_folder(path: Path) -> None:
    """The archive's folder. Raises UsageError when there is none and it cannot be made."""
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the archive {path}: {error.strerror}") from error
