"""Files that an operator writes, such as a configuration: read whole, never waited for, up to a length.

A FIFO that nobody writes into, a device without an end or a dump of gigabytes under such a name would
otherwise hold up the start, or a reload of a node that serves.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LENGTH_MAX = 16 << 20  # of a file of users or a revocation list; nobody writes longer ones
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def require_file(path: Path) -> None:
    """Raises OSError, whose `strerror` says why, for what is no regular file. Opens nothing."""
    _require_regular(path, path.stat())


def read_small(path: Path, length_max: int = LENGTH_MAX) -> bytes:
    """The whole file. Raises OSError, whose `strerror` says why, for what is none, or is longer."""
    require_file(path)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as stream:
        _require_regular(path, os.fstat(fd))  # what was looked at may have been replaced
        content = stream.read(length_max + 1)
    if len(content) > length_max:
        raise OSError(errno.EFBIG, f"is longer than {length_max >> 20} MiB", os.fspath(path))
    return content


def _require_regular(path: Path, status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"is {_KINDS.get(kind, 'something else')}, not a file", os.fspath(path))
