"""What the services need from other rooms, as Protocols. The engine plugs in what fits."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from fastdicom.dataset.identifier import Identifier
from fastdicom.dataset.record import Change, Outcome, StoredEntry
from fastdicom.dataset.terms import Terms
from fastdicom.dimse.messages import CStoreRequest, Response
from fastdicom.errors import Refused
from fastdicom.standard.status import PROCESSING_FAILURE

Buffer = bytes | bytearray | memoryview


_NO_TERMS: Mapping[str, Terms] = {}


class Caller(NamedTuple):
    """Who is at the other end of an association, for logs, files and access rules."""

    number: int
    calling_ae_title: str
    called_ae_title: str
    address: str
    operations: frozenset[str]
    """What it may ask for: any of "echo", "store", "find", "move", "get"."""
    terms: Mapping[str, Terms] = _NO_TERMS
    """How it queries, by SOP class."""
    user: str = ""
    """Who it said it is, when that was checked. PS3.7 D.3.3.7."""


class Reply(NamedTuple):
    """One response on its way out: an encoded Command Set and a Data Set or None."""

    command: bytes
    dataset: bytes | None = None


class Operation(Protocol):
    """One request being served. Its Data Set comes in pieces; `end` gives the responses."""

    @property
    def batched(self) -> bool:
        """True when its replies may wait a moment for each other on their way out."""

    def data(self, piece: memoryview | bytes) -> None:
        """A piece of the Data Set, borrowed until `flush`."""

    def flush(self) -> None:
        """The pieces given so far are about to be overwritten."""

    def end(self) -> Iterable[Reply]:
        """The request is whole. Between two replies the caller looks for a C-CANCEL."""

    def cancel(self) -> None:
        """The peer does not want the rest. `end`'s iteration goes on and finishes soon."""

    def abandon(self) -> None:
        """The association ended before the request was whole, or before it was answered."""


class IncomingFile(Protocol):
    """A file of the archive that is being written."""

    size: int

    @property
    def path(self) -> str: ...
    def append(self, pieces: Sequence[memoryview | bytes]) -> None: ...
    def overwrite(self, data: bytes, offset: int) -> None: ...
    def finish(self) -> None: ...
    def discard(self) -> None: ...


class Superseded(Refused):
    """An instance was replaced since it was selected. now: what has taken its place."""

    def __init__(self, now: StoredEntry) -> None:
        super().__init__(PROCESSING_FAILURE, "it was replaced since it was selected: ask again")
        self.now = now


class Keeper(Protocol):
    """Files and their index rows."""

    def incoming(self) -> IncomingFile: ...
    def commit(self, file: Any, change: Change) -> Outcome:
        """`file`: one that `incoming` gave, whole. Returns when both are durable; raises Unavailable."""

    def read(self, entry: StoredEntry) -> memoryview:
        """The whole file. Raises Superseded, Refused, OSError."""


class Matches(Protocol):
    """Encoded identifiers as they are found; None now and then while nothing matches."""

    def __iter__(self) -> Iterator[bytes | None]: ...
    def close(self) -> None:
        """The rest is not wanted: ends the snapshot of the index."""


class Finder(Protocol):
    """The index, as far as queries go."""

    def find(self, identifier: Identifier) -> Matches:
        """The answers to a query. Close them."""

    def instances(self, identifier: Identifier) -> Sequence[StoredEntry]:
        """All instances below the matches."""


class StoreChannel(Protocol):
    """An established association on which we are the SCU of Storage."""

    def transfer_syntaxes(self, sop_class_uid: str) -> dict[str, int]:
        """Accepted transfer syntax -> presentation context ID, for one class."""

    @property
    def window(self) -> int:
        """How many instances may be on their way without a response. PS3.7 D.3.3.3."""

    def send_store(self, context_id: int, request: CStoreRequest, body: Iterable[Buffer]) -> None:
        """Send one instance.

        Raises ConnectionLost when the association is over. What `body` raises goes through, and the
        association is over then too.
        """

    def store_response(self, awaited: Container[int]) -> Response:
        """Wait for the next response; it is to one of the awaited message IDs.

        Raises ConnectionLost, NoResponse.
        """


class Interruption(Protocol):
    """The client of a long operation: does it still want the rest?"""

    def wanted(self) -> bool:
        """False once a C-CANCEL came. Raises ConnectionLost when the client is gone."""

    def moved(self) -> None:
        """Something came or went on its behalf: proof of life for a watchdog."""


class ClientLink(Interruption, Protocol):
    """The association of that client, to be looked at while we wait for somebody else."""

    def fileno(self) -> int:
        """Its socket's descriptor."""

    def buffered(self) -> bool:
        """Bytes are here already that the descriptor does not show any more."""

    def check(self) -> None:
        """The descriptor is readable. Raises ConnectionLost when waiting makes no sense any more."""
