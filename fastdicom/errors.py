"""What can go wrong, sorted by what the caller can do about it.

Each class carries its hint for the peer: an A-ABORT reason, a reject, or a DIMSE status with an
Error Comment. Whoever can answer catches them: `services`, where a request becomes a status, `net`, where
an association ends, and loops over many objects (a retrieve, an import, a scrub), where the one that fails
is reported and the rest goes on.
"""

from __future__ import annotations


class FastdicomError(Exception):
    """The base of everything that fastdicom raises on purpose."""


class UsageError(FastdicomError):
    """The host program, the command line or the configuration asked for something impossible."""


class UnusableFile(UsageError):
    """A file that the configuration names. section, key: where it is named; why: the file and its fault."""

    def __init__(self, section: str, key: str, path: object, reason: object) -> None:
        super().__init__(f"{section}.{key}: {path}: {reason}")
        self.section = section
        self.key = key
        self.why = f"{path}: {reason}"


class ConnectionLost(FastdicomError):
    """The transport closed, was reset or timed out. Nothing can be said to the peer any more."""


class NoResponse(ConnectionLost):
    """The peer did not answer in time: asking it again would take as long again."""


class PeerError(FastdicomError):
    """The peer broke the standard: the association ends with an A-ABORT, PS3.8 9.3.8.

    abort_reason: the Reason/Diag of a service-provider abort (0 not specified, 1 unrecognized PDU,
    2 unexpected PDU, 4 unrecognized parameter, 5 unexpected parameter, 6 invalid parameter value).
    """

    def __init__(self, message: str, abort_reason: int = 0) -> None:
        super().__init__(message)
        self.abort_reason = abort_reason


class AssociationRejected(FastdicomError):
    """The peer answered our request with A-ASSOCIATE-RJ. PS3.8 9.3.4."""

    def __init__(self, message: str, result: int, source: int, reason: int) -> None:
        super().__init__(message)
        self.result = result
        self.source = source
        self.reason = reason


class AssociationAborted(ConnectionLost):
    """The peer ended the association with an A-ABORT. PS3.8 9.3.8."""

    def __init__(self, message: str, source: int = 0, reason: int = 0) -> None:
        super().__init__(message)
        self.source = source
        self.reason = reason


class Refused(FastdicomError):
    """We understood and decline: the peer gets `status` and goes on. PS3.7 Annex C.

    comment: Error Comment (0000,0902), at most 64 characters reach the peer.
    offending: tags for Offending Element (0000,0901).
    """

    def __init__(self, status: int, comment: str, offending: tuple[int, ...] = ()) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment
        self.offending = offending


class Unavailable(Refused):
    """Not now: disk full, a limit reached, a commit failed. The operator hears of it."""

    def __init__(self, comment: str, status: int = 0xA700) -> None:
        super().__init__(status, comment)


class LimitReached(Unavailable):
    """A ceiling of the configuration: the peer asked for more than anybody may. Nobody has to act."""


class MalformedDataset(Refused):
    """A Data Set that breaks PS3.5; `offset` counts bytes from its first element.

    The Data Set is refused with C000H (cannot understand); the association stays up.
    """

    def __init__(self, message: str, offset: int, tag: int | None = None) -> None:
        super().__init__(0xC000, message, () if tag is None else (tag,))
        self.offset = offset
        self.tag = tag


class CodecError(FastdicomError):
    """A pixel codestream that cannot be decoded, or an image that a codec cannot carry.

    offset: bytes from the codestream's start where the fault was seen, or None.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at byte {offset})")
        self.offset = offset
