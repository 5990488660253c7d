"""Tells the service manager how the service fares: the datagram protocol of sd_notify(3).

A datagram of `KEY=value` lines to the socket that NOTIFY_SOCKET names. Nothing here fails when there is
no manager: the node runs the same in a terminal.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping, MutableMapping

log = logging.getLogger(__name__)

_SEND_TIMEOUT_S = 1.0
_MICROSECONDS = 1_000_000
_FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START


class Notifier:
    """The manager's ear. address: a path, or an abstract name that begins with "@"; "" for nobody.

    watchdog_s: how often the manager wants to hear `alive` at least; 0 when it does not.
    """

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self.watchdog_s = watchdog_s
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.settimeout(_SEND_TIMEOUT_S)

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> Notifier:
        """The manager that started this process. Takes its variables away: no child is to speak for us."""
        address = environment.pop("NOTIFY_SOCKET", "")
        if address and address[0] not in "/@":
            log.warning("NOTIFY_SOCKET=%s is no address that we can reach; nobody is told", address)
            address = ""
        return cls(address, _watchdog_s(environment))

    @property
    def heard(self) -> bool:
        """True when there is somebody to tell."""
        return self._socket is not None

    def ready(self, status: str) -> None:
        """The service works: after its start, and again after a reload."""
        self._send(READY="1", STATUS=status)

    def reloading(self) -> None:
        """The configuration is being read again; `ready` ends it, whatever came of it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(RELOADING="1", MONOTONIC_USEC=str(now))

    def stopping(self, status: str) -> None:
        """The service ends."""
        self._send(STOPPING="1", STATUS=status)

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(STATUS=text)

    def alive(self, status: str) -> None:
        """Feed the watchdog."""
        self._send(WATCHDOG="1", STATUS=status)

    def extend(self, seconds: float, status: str) -> None:
        """Starting or stopping goes on for up to `seconds` more, before the manager may lose patience."""
        self._send(EXTEND_TIMEOUT_USEC=str(int(seconds * _MICROSECONDS)), STATUS=status)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, **fields: str) -> None:
        if self._socket is None:
            return
        lines = [f"{key}={' '.join(value.splitlines())}" for key, value in fields.items()]
        try:
            self._socket.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)
        except OSError as error:
            log.warning("the service manager cannot be told %s: %s", ", ".join(fields), error)


def _watchdog_s(environment: MutableMapping[str, str]) -> float:
    """WATCHDOG_USEC, when it is meant for this process. sd_watchdog_enabled(3)."""
    wanted, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
    if not wanted.isdigit() or not _is_ours(pid):
        return 0.0
    return int(wanted) / _MICROSECONDS


def _is_ours(pid: str) -> bool:
    return pid in ("", str(os.getpid()))


def inherited_descriptors(environment: MutableMapping[str, str] = os.environ) -> Mapping[int, str]:
    """Descriptors that the manager passed to this process, with their names. sd_listen_fds(3).

    They are closed in children from now on; the variables are taken away.
    """
    count, pid = environment.pop("LISTEN_FDS", ""), environment.pop("LISTEN_PID", "-")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    if not count.isdigit() or pid != str(os.getpid()):
        return {}
    found = {}
    for number in range(int(count)):
        descriptor = _FIRST_DESCRIPTOR + number
        os.set_inheritable(descriptor, False)
        found[descriptor] = names[number] if number < len(names) and names[number] else "unknown"
    return found
