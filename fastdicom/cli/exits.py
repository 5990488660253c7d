"""The exit statuses that scripts rely on."""

from __future__ import annotations

from fastdicom.errors import AssociationRejected, ConnectionLost, PeerError, UsageError

DONE = 0
REFUSED = 1  # the peer or an object refused
USAGE = 2  # usage or configuration
NO_ASSOCIATION = 3
INTERRUPTED = 130  # 128 + SIGINT, as shells count
BROKEN_PIPE = 141  # 128 + SIGPIPE


def exit_status(problem: Exception) -> int:
    """The exit status that tells a script what kind of problem it was."""
    if isinstance(problem, (ConnectionLost, AssociationRejected, PeerError, ConnectionError, TimeoutError)):
        return NO_ASSOCIATION
    if isinstance(problem, (UsageError, FileNotFoundError, NotADirectoryError, PermissionError)):
        return USAGE
    return REFUSED
