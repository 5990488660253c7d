"""User Identity negotiation as acceptor: is it the user that it says? PS3.7 D.3.3.7.

Usernames, with and without a passcode. Kerberos tickets, SAML assertions and JSON Web Tokens need somebody
to vouch for them whom a gateway does not have: they are refused by name.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastdicom.passcodes import Passcodes
from fastdicom.upperlayer.pdus import UserIdentity

log = logging.getLogger(__name__)

USERNAME, USERNAME_AND_PASSCODE = 1, 2
KINDS = {
    1: "a username",
    2: "a username and passcode",
    3: "a Kerberos ticket",
    4: "a SAML assertion",
    5: "a JSON Web Token",
}
_SHOWN_LENGTH = 64  # characters; no user of ours has a longer name
_ADDRESSES_MAX = 4096  # whose failures are remembered


class Failures:
    """Who gave wrong passcodes lately. maximum: so many in `window_s` seconds, then it has to wait."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, address: str, now: float) -> None:
        """One more."""
        with self._lock:
            self._times.setdefault(address, []).append(now)
            self._times.move_to_end(address)
            while len(self._times) > _ADDRESSES_MAX:
                self._times.popitem(last=False)

    def too_many(self, address: str, now: float, maximum: int, window_s: float) -> bool:
        """Whether `maximum` failures came from there within the last `window_s` seconds."""
        with self._lock:
            recent = [time for time in self._times.get(address, ()) if now - time < window_s][-maximum:]
            if recent:
                self._times[address] = recent
            else:
                self._times.pop(address, None)
            return len(recent) >= maximum


class UserCheck:
    """Decides about the user identity of an association request.

    mode: "ignored", "optional" or "required". failures: shared with the check that this one replaces.
    """

    def __init__(
        self,
        mode: str,
        passcodes: Path | None,
        failures: Failures,
        *,
        failures_max: int,
        window_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._mode = mode
        self._passcodes = Passcodes.load(passcodes) if passcodes is not None else Passcodes({})
        self._failures = failures
        self._failures_max = failures_max
        self._window_s = window_s
        self._clock = clock

    def refusal(self, identity: UserIdentity | None, address: str) -> str:
        """Why the association is refused; "" when it is not."""
        if self._mode == "ignored":
            return ""
        if identity is None:
            return "no user identity" if self._mode == "required" else ""
        if identity.kind not in (USERNAME, USERNAME_AND_PASSCODE):
            kind = KINDS.get(identity.kind, f"user identity type {identity.kind}")
            return f"{kind} is not supported, only a username with or without a passcode"
        return _clerk.submit(self._check, identity, address).result()

    def _check(self, identity: UserIdentity, address: str) -> str:
        if self._failures.too_many(address, self._clock(), self._failures_max, self._window_s):
            return f"too many wrong passcodes from {address}"
        name = identity.primary.decode("utf-8", "replace")
        if identity.kind == USERNAME and self._passcodes.names_only(name):
            return ""
        if identity.kind == USERNAME_AND_PASSCODE and self._passcodes.matches(name, identity.secondary):
            return ""
        self._failures.note(address, self._clock())
        shown = name[:_SHOWN_LENGTH]  # the field holds up to 65,535 bytes, which the log need not
        if identity.kind == USERNAME:
            return f"the user {shown!r} has to give a passcode, or does not exist"
        return f"wrong passcode of the user {shown!r}, or no such user"

    def name(self, identity: UserIdentity | None) -> str:
        """Of an accepted identity; "" when nobody looked at it."""
        if self._mode == "ignored" or identity is None:
            return ""
        return identity.primary.decode("utf-8", "replace")

    def response(self, identity: UserIdentity | None) -> bytes | None:
        """The server response of an accepted identity when it asked for one: empty. PS3.7 D.3.3.7.2."""
        asked = self._mode != "ignored" and identity is not None and identity.response_requested
        return b"" if asked else None


# An attempt takes a processor for 40 ms: peers wait for each other. It takes 16 MiB, too, which the allocator
# keeps for each thread that makes one: they are all made by the same.
_clerk = ThreadPoolExecutor(1, "fastdicom-passcodes")
