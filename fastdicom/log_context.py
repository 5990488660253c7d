"""Which association a line of the log is about: known by the thread that writes it.

Each association has a thread of its own, so that no call of the log has to carry the number and the names.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from fastdicom.net.server import ServerConnection


class Subject(NamedTuple):
    """The association at hand. The AE titles are "" until it has asked for one."""

    association: int
    address: str
    calling_ae_title: str = ""
    called_ae_title: str = ""


class _Here(threading.local):
    connection: ServerConnection | None = None


_here = _Here()


@contextmanager
def association(connection: ServerConnection) -> Iterator[None]:
    """What this thread logs is about `connection`."""
    _here.connection = connection
    try:
        yield
    finally:
        _here.connection = None


def subject() -> Subject | None:
    """What this thread logs about, None outside an association."""
    connection = _here.connection
    if connection is None:
        return None
    request = connection.association.request
    if request is None:
        return Subject(connection.number, connection.address)
    return Subject(connection.number, connection.address, request.calling_ae_title, request.called_ae_title)
