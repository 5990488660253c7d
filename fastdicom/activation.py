"""Socket activation: listening sockets that the service manager holds open while the service restarts.

Each must be one that the configuration asks for: a node that listened elsewhere than its configuration
says would be a surprise, and a socket that nobody accepts on would let peers hang.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager

from fastdicom.errors import UsageError
from fastdicom.notify import inherited_descriptors

_WILDCARDS = {"0.0.0.0", "::"}
_HINT = "make `systemctl edit fastdicom.socket` and the configuration agree"


class InheritedSockets:
    """Listening sockets to be used instead of new ones."""

    def __init__(self, sockets: Iterable[socket.socket] = ()) -> None:
        self._unclaimed = list(sockets)
        self._claimed: list[socket.socket] = []

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> InheritedSockets:
        """What the manager passed. Raises UsageError for anything but a listening TCP socket."""
        return cls([_listening(fd, name) for fd, name in inherited_descriptors(environment).items()])

    def claim(self, address: str, port: int) -> socket.socket | None:
        """The socket for a place, the same again where one wildcard socket serves both families, or None.

        port: 0 takes any.
        """
        for sock in (*self._unclaimed, *self._claimed):
            if _covers(sock, address, port):
                if sock in self._unclaimed:
                    self._unclaimed.remove(sock)
                    self._claimed.append(sock)
                return sock
        return None

    @contextmanager
    def all_claimed(self, wanted: str) -> Iterator[None]:
        """Inside the block, places are claimed. Raises UsageError when a socket is left over then.

        wanted: what the configuration asks for, for the message.
        """
        try:
            yield
        except UsageError as error:
            self._check(wanted, error)  # the likelier reason why a port could not be had
            raise
        self._check(wanted, None)

    def _check(self, wanted: str, cause: Exception | None) -> None:
        if not self._unclaimed:
            return
        places = ", ".join(_place(sock) for sock in self._unclaimed)
        for sock in self._unclaimed:
            sock.close()
        message = f"the service manager listens on {places}, but the configuration says {wanted}: {_HINT}"
        raise UsageError(message) from cause


def _listening(descriptor: int, name: str) -> socket.socket:
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise UsageError(f"inherited descriptor {descriptor} ({name}) is no socket: {error}") from error
    if sock.type != socket.SOCK_STREAM or sock.family not in (socket.AF_INET, socket.AF_INET6):
        raise UsageError(f"inherited socket {descriptor} ({name}) is not for TCP")
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise UsageError(f"inherited socket {descriptor} ({name}) does not listen: Accept= must be no")
    sock.setblocking(False)
    return sock


def _covers(sock: socket.socket, address: str, port: int) -> bool:
    own_address, own_port = sock.getsockname()[:2]
    if port not in (0, own_port):
        return False
    return own_address == address or (own_address == "::" and address in _WILDCARDS and _both_families(sock))


def _both_families(sock: socket.socket) -> bool:
    return not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


def _place(sock: socket.socket) -> str:
    address, port = sock.getsockname()[:2]
    return f"{address} port {port}"
