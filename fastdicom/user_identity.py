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
from fastdicom.upperlayer.pdus import (
    REJECT_CONGESTION,
    REJECT_USER_IDENTITY,
    AssociationReject,
    UserIdentity,
)

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
    wait_s: how long a caller stands in the queue of passcodes to be compared.
    """

    def __init__(
        self,
        mode: str,
        passcodes: Path | None,
        failures: Failures,
        *,
        failures_max: int,
        window_s: float,
        wait_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._mode = mode
        self._passcodes = Passcodes.load(passcodes) if passcodes is not None else Passcodes({})
        self._failures = failures
        self._failures_max = failures_max
        self._window_s = window_s
        self._wait_s = wait_s
        self._clock = clock

    def objection(self, identity: UserIdentity | None, address: str) -> tuple[AssociationReject, str] | None:
        """What to reject the association with, and why (for our log); None: welcome."""
        if self._mode == "ignored":
            return None
        if identity is None:
            return (REJECT_USER_IDENTITY, "no user identity") if self._mode == "required" else None
        if identity.kind not in (USERNAME, USERNAME_AND_PASSCODE):
            kind = KINDS.get(identity.kind, f"user identity type {identity.kind}")
            why = f"{kind} is not supported, only a username with or without a passcode"
            return REJECT_USER_IDENTITY, why
        try:
            why = self._refusal(identity, address)
        except _Crowded:
            return REJECT_CONGESTION, f"too many passcodes to compare: it has waited for {self._wait_s:g} s"
        return (REJECT_USER_IDENTITY, why) if why else None

    def _refusal(self, identity: UserIdentity, address: str) -> str:
        """Why a user is refused, "" when he is not. Raises _Crowded."""
        users, name, passcode = self._passcodes, _name_of(identity), identity.secondary
        shown = repr(name[:_SHOWN_LENGTH])  # the field holds up to 65,535 bytes, which the log need not
        if identity.kind == USERNAME:
            wrong = f"the user {shown} has to give a passcode, or does not exist"
            return self._judged(address, lambda: users.names_only(name), wrong)

        def right() -> bool:  # another association may have asked the same a moment ago
            return users.matched_lately(name, passcode) or users.matches(name, passcode)

        wrong = f"wrong passcode of the user {shown}, or no such user"
        if users.matched_lately(name, passcode):
            return self._judged(address, right, wrong)
        job = _clerk.submit(self._judged, address, right, wrong)
        try:
            return job.result(self._wait_s)
        except TimeoutError:
            if job.cancel():
                raise _Crowded from None
            return job.result()  # it is being compared just now

    def _judged(self, address: str, right: Callable[[], bool], wrong: str) -> str:
        """`wrong` unless it is `right`, which is not asked after too many failures."""
        if self._failures.too_many(address, self._clock(), self._failures_max, self._window_s):
            return f"too many wrong passcodes from {address}"
        if right():
            return ""
        self._failures.note(address, self._clock())
        return wrong

    def name(self, identity: UserIdentity | None) -> str:
        """Of an accepted identity; "" when nobody looked at it."""
        if self._mode == "ignored" or identity is None:
            return ""
        return _name_of(identity)

    def response(self, identity: UserIdentity | None) -> bytes | None:
        """The server response of an accepted identity when it asked for one: empty. PS3.7 D.3.3.7.2."""
        asked = self._mode != "ignored" and identity is not None and identity.response_requested
        return b"" if asked else None


class _Crowded(Exception):
    """It was not his turn in time."""


def _name_of(identity: UserIdentity) -> str:
    return identity.primary.decode("utf-8", "replace")


# An attempt takes a processor for 40 ms: peers wait for each other, but not for long, and
# who was right lately does not. It takes 16 MiB, too, which the allocator keeps for each
# thread that makes one: one makes all.
_clerk = ThreadPoolExecutor(1, "fastdicom-passcodes")
