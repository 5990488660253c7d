"""The exit statuses that scripts rely on."""

from __future__ import annotations

from collections.abc import Iterable

from fastdicom.errors import AssociationRejected, ConnectionLost, PeerError, UsageError

DONE = 0
REFUSED = 1  # the peer or an object refused
USAGE = 2  # usage or configuration
NO_ASSOCIATION = 3
INTERRUPTED = 130  # 128 + SIGINT, as shells count
BROKEN_PIPE = 141  # 128 + SIGPIPE

_WRONG_PATHS = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError)


def exit_status(problem: Exception) -> int:
    """The exit status that tells a script what kind of problem it was."""
    if isinstance(problem, (ConnectionLost, AssociationRejected, PeerError, ConnectionError, TimeoutError)):
        return NO_ASSOCIATION
    if isinstance(problem, (UsageError, *_WRONG_PATHS)):
        return USAGE
    return REFUSED


def status_of_files(paths: Iterable[object], count: int, ok: bool) -> int:
    """The exit status of a command on the DICOM files below `paths`. count: of those that there were.

    None at all is a mistake of who named the paths, which is said.
    """
    if not count:
        from fastdicom.cli.terminal import say  # like most of the program: not for `--help`

        say(f"there is no DICOM file in {', '.join(map(str, paths))}")
        return USAGE
    return DONE if ok else REFUSED
