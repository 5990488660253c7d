"""The node's certificate, key, authorities and revocation lists while it runs.

Read again when the configuration is reloaded, and when the files change under it; a set of files that
does not work is never put in force. Says in the log, and to whoever asks, when something is about to end.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from fastdicom.errors import UnusableFile, UsageError
from fastdicom.net.certificates import end_of_certificate, end_of_revocation_list
from fastdicom.net.tls import ClientTls, Tls, client_context, server_context
from fastdicom.sections.tls import TlsConfig
from fastdicom.small_files import read_small, require_file

log = logging.getLogger(__name__)

WARN_DAYS = {"certificate": 30, "revoked": 7}  # a revocation list lives for weeks, not for years
_WARN_EACH_S = 24 * 3600.0
_DAY_S = 24 * 3600.0
# OpenSSL remembers the sessions of a context, and Python cannot tell it not to: a new context forgets them.
_HANDSHAKES_MAX = 1000
T = TypeVar("T")
Signature = tuple[tuple[int, int, int] | None, ...]


class Credentials:
    """What [tls] names, loaded. Raises UsageError that names the file which cannot be used."""

    def __init__(self, config: TlsConfig) -> None:
        self.config = config
        self._lock = threading.Lock()
        self._handshakes = 0
        self._warned_at: dict[str, float] = {}
        self._signature = self._seen = self._look()
        self._load()

    # ------------------------------------------------------------------------------ contexts

    def server(self) -> ssl.SSLContext:
        """For one connection that comes in."""
        with self._lock:
            self._handshakes += 1
            if self._handshakes < _HANDSHAKES_MAX:
                return self._server
            self._handshakes = 0
        self.read_again()
        return self._server

    def client(self, identities: tuple[str, ...] = ()) -> ClientTls:
        """For one connection of our own."""
        return ClientTls(self._client_of_anybody if identities else self._client, identities)

    def _load(self) -> None:
        config = self.config
        for key, path in self._paths().items():
            _checked(key, path, require_file)  # OpenSSL would wait for a FIFO
        tls = Tls(
            certificate=config.certificate,
            key=config.key,
            authorities=config.authorities,
            revoked=config.revoked,
            profile=config.profile,
        )
        server = server_context(tls, config.client_certificates)
        client, of_anybody = client_context(tls), client_context(tls)
        of_anybody.check_hostname = False  # the identities are looked at instead
        ends: dict[str, datetime | None] = {
            "certificate": _checked("certificate", config.certificate, _end_of_certificate)
        }
        if config.revoked is not None:
            ends["revoked"] = _checked("revoked", config.revoked, _end_of_revocation_list)
        self._server, self._client, self._client_of_anybody, self._ends = server, client, of_anybody, ends

    def read_again(self) -> bool:
        """Load the files anew; when they cannot be used, say so and go on with what we have."""
        try:
            self._load()
        except UsageError as error:
            log.error("%s; the one that was loaded before stays in force", error)
            return False
        return True

    # ------------------------------------------------------------------------------ the passing of time

    def look_after(self, now: float | None = None) -> None:
        """Once a second: take over files that have changed and settled, warn of what ends soon.

        now: seconds since the epoch.
        """
        found = self._look()
        if found != self._signature and found == self._seen:  # not in the middle of being written
            self._signature = found
            if self.read_again():
                log.info("TLS: the files have changed and are loaded again")
                self._warned_at.clear()
        self._seen = found
        self._warn(time.time() if now is None else now)

    def days_left(self, now: float | None = None) -> dict[str, float]:
        """Days until our "certificate" and, when there are any, the "revoked" lists end; negative after it.

        Revocation lists that say no end are not named.
        """
        at = time.time() if now is None else now
        ends = self._ends
        return {name: (end.timestamp() - at) / _DAY_S for name, end in ends.items() if end is not None}

    def warnings(self, now: float | None = None) -> dict[str, str]:
        """What ends soon or has ended, in words; empty when nothing does."""
        found = {}
        for name, days in self.days_left(now).items():
            if days <= WARN_DAYS[name]:
                what = "our certificate" if name == "certificate" else "a revocation list"
                end = f"expires in {days:.0f} days" if days >= 0 else f"expired {-days:.0f} days ago"
                found[name] = f"{what} {end}: {getattr(self.config, name)}"
        return found

    def figures(self) -> dict[str, object]:
        """For the node's status."""
        days = {f"{name}_days_left": round(left, 1) for name, left in self.days_left().items()}
        return {**days, "warnings": list(self.warnings().values())}

    def _warn(self, now: float) -> None:
        days = self.days_left(now)
        for name, text in self.warnings(now).items():
            if now - self._warned_at.get(name, float("-inf")) >= _WARN_EACH_S:
                self._warned_at[name] = now
                log.log(logging.WARNING if days[name] >= 0 else logging.ERROR, "TLS: %s", text)

    def _look(self) -> Signature:
        """What tells whether a file has changed."""
        return tuple(_signature(path) for path in self._paths().values())

    def _paths(self) -> dict[str, Path]:
        """The files by their keys."""
        names = ("certificate", "key", "authorities", "revoked")
        found = {name: getattr(self.config, name) for name in names}
        return {name: path for name, path in found.items() if path is not None}


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _checked(key: str, path: Path, read: Callable[[Path], T]) -> T:
    """What `read` makes of a file. Raises UnusableFile."""
    try:
        return read(path)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise UnusableFile("tls", key, path, reason) from error


def _end_of_certificate(path: Path) -> datetime:
    return end_of_certificate(read_small(path).decode("ascii", "replace"))


def _end_of_revocation_list(path: Path) -> datetime | None:
    return end_of_revocation_list(read_small(path).decode("ascii", "replace"))
