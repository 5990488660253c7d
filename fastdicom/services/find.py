"""Query: C-FIND as SCP. PS3.4 C.4.1, PS3.7 9.3.2."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing

from fastdicom.dataset.identifier import Identifier
from fastdicom.dimse import messages
from fastdicom.errors import Refused, Unavailable
from fastdicom.services.ports import Caller, Finder, Reply
from fastdicom.standard import status

log = logging.getLogger(__name__)


class Collected:
    """The part of an operation that collects an identifier, up to a ceiling."""

    def __init__(self, length_max: int) -> None:
        self._length_max = length_max
        self._identifier = bytearray()
        self._too_long = False
        self._cancelled = False

    def data(self, piece: memoryview | bytes) -> None:
        """Keep a copy; beyond the ceiling only the fact that there was more."""
        if len(self._identifier) + len(piece) > self._length_max:
            self._too_long = True
        else:
            self._identifier += piece

    def flush(self) -> None:
        """`data` copied already."""

    def cancel(self) -> None:
        """The rest is not wanted."""
        self._cancelled = True

    def abandon(self) -> None:
        """Nobody is left to answer to."""
        self._cancelled = True

    def identifier(self) -> bytes:
        """The whole identifier. Raises Unavailable when it was too long."""
        if self._too_long:
            raise Unavailable(f"identifier of more than {self._length_max} bytes")
        return bytes(self._identifier)


class FindOperation(Collected):
    """One C-FIND. `batched`: its answers may wait a moment for each other on their way out.

    decode: the identifier's bytes to an Identifier, raising Refused. answers_max: 0 for no limit.
    """

    batched = True

    def __init__(
        self,
        request: messages.CFindRequest,
        caller: Caller,
        finder: Finder,
        decode: Callable[[bytes], Identifier],
        *,
        length_max: int,
        answers_max: int,
    ) -> None:
        super().__init__(length_max)
        self._request = request
        self._caller = caller
        self._finder = finder
        self._decode = decode
        self._answers_max = answers_max

    def end(self) -> Iterator[Reply]:
        """A Pending response with an identifier for each match, then the final one."""
        try:
            identifier = self._decode(self.identifier())
            yield from self._matches(identifier)
        except Refused as refusal:
            log.warning(
                "association %d: C-FIND from %s answered %s: %s",
                self._caller.number,
                self._caller.calling_ae_title,
                status.describe(refusal.status),
                refusal.comment,
            )
            yield self._final(refusal.status, refusal.comment, refusal.offending)
            return
        yield self._final(status.CANCEL if self._cancelled else status.SUCCESS)

    def _matches(self, identifier: Identifier) -> Iterator[Reply]:
        code = status.PENDING_WARNING if identifier.unsupported else status.PENDING
        pending = messages.encode(
            messages.Response(
                messages.C_FIND_RSP,
                self._request.message_id,
                code,
                self._request.sop_class_uid,
                has_dataset=True,
            )
        )
        count = 0
        nothing_yet = Reply(b"")  # gives the caller the chance to look for a C-CANCEL
        with closing(self._finder.find(identifier)) as matches:
            for match in matches:
                if self._cancelled:
                    return
                if match is None:
                    yield nothing_yet
                    continue
                if self._answers_max and count >= self._answers_max:
                    raise Unavailable(f"more than {self._answers_max} matches: ask more precisely")
                count += 1
                yield Reply(pending, match)

    def _final(self, code: int, comment: str = "", offending: tuple[int, ...] = ()) -> Reply:
        return Reply(
            messages.encode(
                messages.Response(
                    messages.C_FIND_RSP,
                    self._request.message_id,
                    code,
                    self._request.sop_class_uid,
                    comment=comment,
                    offending=offending,
                )
            )
        )
