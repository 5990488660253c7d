"""Verification: C-ECHO. PS3.4 Annex A, PS3.7 9.3.5."""

from __future__ import annotations

from fastdicom.dimse import messages
from fastdicom.services.ports import Reply
from fastdicom.standard import status


class Answer:
    """An operation whose response is known from the start: C-ECHO, and every refusal.

    A Data Set, if one comes, is read to its end so that the peer gets a status and not a broken line.
    """

    batched = False

    def __init__(self, response: messages.Response) -> None:
        self._reply = Reply(messages.encode(response))

    def data(self, piece: memoryview | bytes) -> None:
        """Nothing is wanted of it."""

    def flush(self) -> None:
        """Nothing was kept."""

    def end(self) -> list[Reply]:
        """The one response."""
        return [self._reply]

    def cancel(self) -> None:
        """There is nothing left to cancel."""

    def abandon(self) -> None:
        """Nothing was begun."""


def echo(request: messages.EchoRequest) -> Answer:
    """Yes, we are here."""
    return Answer(
        messages.Response(messages.C_ECHO_RSP, request.message_id, status.SUCCESS, request.sop_class_uid)
    )
