"""Fragments to messages. PS3.7 6.3.3, PS3.8 Annex E.

Command fragments are collected up to a ceiling; Data Set fragments are handed on as they come, so a
message's size does not matter here.
"""

from __future__ import annotations

from typing import NamedTuple

from fastdicom.dimse import messages
from fastdicom.errors import PeerError

_COMMAND, _LAST = 1, 2
UNEXPECTED_PARAMETER = 5
COMMAND_SET_LENGTH_MAX = 64 * 1024


class Begin(NamedTuple):
    """A whole Command Set came in on `context_id`. A Data Set follows when the message says so."""

    context_id: int
    message: messages.Message


class Data(NamedTuple):
    """The next piece of the open message's Data Set; `last`: it ends the Data Set."""

    piece: memoryview | bytes
    last: bool


class Assembler:
    """Puts the fragments of one direction of an association together, one message at a time."""

    def __init__(self, command_set_length_max: int = COMMAND_SET_LENGTH_MAX) -> None:
        self._length_max = command_set_length_max
        self._command = bytearray()
        self._context_id = 0  # of the open message; 0: none
        self._in_dataset = False

    @property
    def idle(self) -> bool:
        """True between messages."""
        return self._context_id == 0

    def feed(self, context_id: int, control: int, piece: memoryview | bytes) -> Begin | Data | None:
        """Take one fragment (or a piece of one); what it completes, or None.

        Raises PeerError when fragments of two messages mix, or a Command Set is too long or malformed.
        """
        if self._in_dataset:
            return self._data(context_id, control, piece)
        if not control & _COMMAND:
            raise PeerError(
                "a Data Set fragment without a Command Set that announced it", UNEXPECTED_PARAMETER
            )
        if not self._command and control & _LAST:
            return self._begin(context_id, piece)  # the usual case: nothing to put together
        if self._context_id not in (0, context_id):
            raise PeerError("fragments of two presentation contexts mix", UNEXPECTED_PARAMETER)
        self._context_id = context_id
        if len(self._command) + len(piece) > self._length_max:
            raise PeerError(f"a Command Set of more than {self._length_max} bytes", UNEXPECTED_PARAMETER)
        self._command += piece
        if not control & _LAST:
            return None
        whole = bytes(self._command)
        self._command.clear()
        return self._begin(context_id, whole)

    def _begin(self, context_id: int, command_set: memoryview | bytes) -> Begin:
        if len(command_set) > self._length_max:
            raise PeerError(f"a Command Set of more than {self._length_max} bytes", UNEXPECTED_PARAMETER)
        if self._context_id not in (0, context_id):
            raise PeerError("fragments of two presentation contexts mix", UNEXPECTED_PARAMETER)
        message = messages.decode(command_set)
        self._in_dataset = message.has_dataset
        self._context_id = context_id if message.has_dataset else 0
        return Begin(context_id, message)

    def _data(self, context_id: int, control: int, piece: memoryview | bytes) -> Data:
        if control & _COMMAND or context_id != self._context_id:
            raise PeerError("a Data Set is cut by another message", UNEXPECTED_PARAMETER)
        last = bool(control & _LAST)
        if last:
            self._in_dataset = False
            self._context_id = 0
        return Data(piece, last)
