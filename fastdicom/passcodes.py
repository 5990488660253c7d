"""The file of users and salted hashes of their passcodes, for User Identity negotiation. PS3.7 D.3.3.7.

One line a user: `name:scrypt:COST:SALT:HASH`, or `name:` for a user who only has to be named. Lines that
begin with "#" are comments. Nothing in it gives a passcode back.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import math
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fastdicom.errors import UsageError
from fastdicom.sections.peers import username
from fastdicom.small_files import read_small

COST = 1 << 14  # with r = 8: 16 MiB and some 40 ms for each attempt
_R, _P = 8, 1
_COST_MAX = 1 << 20
_SALT_LENGTH, _HASH_LENGTH = 16, 32
REMEMBERED_S = 300.0
PASSCODE_LENGTH_MAX = 1024  # bytes; the field of the negotiation could carry 65,535


class Hashed(NamedTuple):
    """A passcode's hash with what it takes to compute it again."""

    cost: int
    salt: bytes
    digest: bytes


class Passcodes:
    """The users of a file, and who of them has given the right passcode lately.

    Remembered is a keyed hash (HMAC-SHA-256) of user, stored hash and passcode, in memory only, under a key
    that is made anew each time the file is loaded: it says nothing without the key, and ends with it. Any
    thread may ask.
    """

    def __init__(self, users: dict[str, Hashed | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._users = users
        self._decoy = Hashed(COST, bytes(_SALT_LENGTH), bytes(_HASH_LENGTH))
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._verified: dict[bytes, float] = {}  # until when
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: Path) -> Passcodes:
        """Raises UsageError that names the line which cannot be read."""
        return cls(_users(path, _text_lines(path)))

    def names_only(self, name: str) -> bool:
        """Whether this user exists and has no passcode."""
        return name in self._users and self._users[name] is None

    def matched_lately(self, name: str, passcode: bytes) -> bool:
        """Whether `matches` said so within REMEMBERED_S: that takes a processor for 40 ms, this does not."""
        mark = self._mark(name, passcode)
        with self._lock:
            return self._verified.get(mark, -math.inf) > self._clock()

    def matches(self, name: str, passcode: bytes) -> bool:
        """Whether this is the user's passcode; takes as long for a user who does not exist."""
        hashed = self._users.get(name)
        given = _digest(passcode[:PASSCODE_LENGTH_MAX], hashed or self._decoy)
        right = hmac.compare_digest(given, (hashed or self._decoy).digest) and hashed is not None
        if right:
            self._remember(self._mark(name, passcode))
        return right

    def _mark(self, name: str, passcode: bytes) -> bytes:
        hashed = self._users.get(name) or self._decoy
        who = name.encode("utf-8", "replace")
        told = b"%d:%b%b%b%b" % (len(who), who, hashed.salt, hashed.digest, passcode[:PASSCODE_LENGTH_MAX])
        return hmac.digest(self._secret, told, "sha256")

    def _remember(self, mark: bytes) -> None:
        now = self._clock()
        with self._lock:  # no more marks than users: each has one right passcode
            self._verified = {known: until for known, until in self._verified.items() if until > now}
            self._verified[mark] = now + REMEMBERED_S


def set_passcode(path: Path, name: str, passcode: str | None) -> None:
    """Add or change a user; None: one who only has to be named. The file is replaced in one step.

    Raises UsageError for a name or passcode that cannot be, OSError when the file cannot be written.
    """
    try:
        username(name)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if passcode is not None and not 1 <= len(passcode.encode()) <= PASSCODE_LENGTH_MAX:
        raise UsageError(f"a passcode has 1 to {PASSCODE_LENGTH_MAX} bytes")
    hashed = None if passcode is None else _hashed(passcode.encode())
    kept = _lines_without(path, name)
    _replace(path, [*kept, f"{name}:" if hashed is None else _encode(name, hashed)])


def remove_user(path: Path, name: str) -> None:
    """Take a user away. Raises UsageError when there is none of this name."""
    kept = _lines_without(path, name)
    if len(kept) == len(_lines(path)):
        raise UsageError(f"{path}: there is no user {name!r}")
    _replace(path, kept)


def users_of(path: Path) -> list[tuple[str, bool]]:
    """(name, has a passcode) of each user. Raises UsageError for a line that is not ours."""
    return [(name, hashed is not None) for name, hashed in _users(path, _lines(path)).items()]


def _users(path: Path, lines: list[str]) -> dict[str, Hashed | None]:
    users: dict[str, Hashed | None] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            try:
                name, hashed = _decode(line)
            except ValueError as error:
                raise UsageError(f"{path}:{number}: {error}") from error
            users[name] = hashed
    return users


def _lines(path: Path) -> list[str]:
    """The lines of a file of users, or none yet. Another kind of file is not ours to rewrite: UsageError."""
    lines = _text_lines(path) if path.exists() else []
    _users(path, lines)
    return lines


def _text_lines(path: Path) -> list[str]:
    try:
        return read_small(path).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _lines_without(path: Path, name: str) -> list[str]:
    return [line for line in _lines(path) if line.startswith("#") or line.partition(":")[0] != name]


def _replace(path: Path, lines: list[str]) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    fd, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as stream:
            stream.write("".join(line + "\n" for line in lines))
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(fresh, mode)
        os.replace(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise


def _hashed(passcode: bytes) -> Hashed:
    fresh = Hashed(COST, secrets.token_bytes(_SALT_LENGTH), b"")
    return fresh._replace(digest=_digest(passcode, fresh))


def _digest(passcode: bytes, how: Hashed) -> bytes:
    room = 256 * how.cost * _R  # twice what scrypt needs
    return hashlib.scrypt(passcode, salt=how.salt, n=how.cost, r=_R, p=_P, maxmem=room, dklen=_HASH_LENGTH)


def _encode(name: str, hashed: Hashed) -> str:
    salt, digest = (base64.b64encode(part).decode("ascii") for part in (hashed.salt, hashed.digest))
    return f"{name}:scrypt:{hashed.cost}:{salt}:{digest}"


def _decode(line: str) -> tuple[str, Hashed | None]:
    parts = line.split(":")
    if parts[1:] == [""]:
        return username(parts[0]), None
    if len(parts) != 5 or parts[1] != "scrypt":
        raise ValueError("is no line of `fastdicom user`: name:scrypt:cost:salt:hash")
    cost = int(parts[2]) if parts[2].isascii() and parts[2].isdigit() else 0
    if not 2 <= cost <= _COST_MAX or cost & (cost - 1):
        raise ValueError(f"the cost {parts[2]} is no power of two up to {_COST_MAX}")
    salt, digest = (base64.b64decode(part, validate=True) for part in parts[3:])
    if len(digest) != _HASH_LENGTH:
        raise ValueError("the hash is cut")
    return username(parts[0]), Hashed(cost, salt, digest)
