"""Who we say we are when we call a peer. PS3.7 D.3.3.7. Passcodes come from files or the environment."""

from __future__ import annotations

import os
from pathlib import Path

from fastdicom.errors import UsageError
from fastdicom.upperlayer.pdus import UserIdentity

PASSCODE_VARIABLE = "FASTDICOM_PASSCODE"
_LINE_LENGTH_MAX = 16384  # characters; the field of the negotiation carries 65,535 bytes
_USERNAME, _USERNAME_AND_PASSCODE = 1, 2


def identity_of(username: str, passcode: str | None) -> UserIdentity | None:
    """The identity to propose; None without a username. A positive response is asked for with a passcode."""
    if not username:
        return None
    if passcode is None:
        return UserIdentity(_USERNAME, False, username.encode(), b"")
    return UserIdentity(_USERNAME_AND_PASSCODE, True, username.encode(), passcode.encode())


def read_passcode(path: Path | None) -> str | None:
    """The first line of a file. Raises UsageError."""
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8") as stream:
            line = stream.readline(_LINE_LENGTH_MAX)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the passcode: {path}: {reason}") from error
    if len(line) == _LINE_LENGTH_MAX:
        raise UsageError(f"cannot read the passcode: {path}: its first line is too long")
    return line.rstrip("\r\n")


def passcode_from(path: Path | None) -> str | None:
    """From a file, else from the environment variable FASTDICOM_PASSCODE; None when there is neither."""
    return read_passcode(path) if path is not None else os.environ.get(PASSCODE_VARIABLE)
