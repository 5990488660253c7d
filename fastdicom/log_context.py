"""Which association a line of the log is about: known by the context of the thread that writes it.

Each association has a thread of its own, so that no call of the log has to carry the number and the names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from fastdicom.net.server import ServerConnection


class Subject(NamedTuple):
    """The association at hand. The AE titles are "" until it has asked for one."""

    association: int
    address: str
    calling_ae_title: str = ""
    called_ae_title: str = ""


_here: ContextVar[ServerConnection | None] = ContextVar("association", default=None)


@contextmanager
def association(connection: ServerConnection) -> Iterator[None]:
    """What this thread logs is about `connection`."""
    token = _here.set(connection)
    try:
        yield
    finally:
        _here.reset(token)


def subject() -> Subject | None:
    """What this thread logs about, None outside an association."""
    connection = _here.get()
    if connection is None:
        return None
    request = connection.association.request
    if request is None:
        return Subject(connection.number, connection.address)
    return Subject(connection.number, connection.address, request.calling_ae_title, request.called_ae_title)
