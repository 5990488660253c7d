"""What happens in a node, told to whoever wants to know: figures for operators, the audit trail.

Whoever serves calls an `Observer` on the thread that serves. So a method returns within microseconds,
never waits and never raises; what takes longer is put aside for a thread of the observer's own. Nothing here
decides anything: a node without observers answers in the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fastdicom.dataset.record import Put, StoredEntry
    from fastdicom.services.ports import Caller

log = logging.getLogger(__name__)

CREATED, READ, UPDATED = "C", "R", "U"
"""What a stored instance was to the archive: new, there already, put in another's place. PS3.15 A.5.3.7."""

UNKNOWN_NODE = "unknown-node"  # an AE title, address or certificate that may not come in
RESTRICTED = "restricted-function"  # a known node asked for what it may not do
PROTOCOL = "protocol-violation"
LIMIT = "limit-reached"
DAMAGE = "damaged-object"
USER = "user-refused"
ALERT_KINDS = (UNKNOWN_NODE, RESTRICTED, PROTOCOL, LIMIT, DAMAGE, USER)

RELEASED, ABORTED, VIOLATED, LOST, STOPPED, FAILED = (
    "released", "aborted", "violated", "lost", "stopped", "failed",
)  # fmt: skip
"""How an association ended: in order, by the peer's A-ABORT, by its breach of the protocol, by silence or
a broken connection, by us (idle, stopping), by a fault of ours."""
ENDINGS = (RELEASED, ABORTED, VIOLATED, LOST, STOPPED, FAILED)


class Alert(NamedTuple):
    """Something that a security officer may want to know. kind: one of ALERT_KINDS."""

    kind: str
    text: str
    address: str = ""
    ae_title: str = ""


class Ending(NamedTuple):
    """How an association ended. how: one of ENDINGS. received, sent: bytes."""

    how: str
    reason: str
    received: int
    sent: int


class Query(NamedTuple):
    """The request part of a C-FIND, C-MOVE or C-GET. identifier: as it came, in its transfer syntax."""

    operation: str
    sop_class_uid: str
    transfer_syntax_uid: str
    identifier: bytes


class InstanceGroup(NamedTuple):
    """Instances of one patient, study and SOP class. patient: its attributes, Explicit VR Little Endian."""

    patient: bytes
    study_instance_uid: str
    sop_class_uid: str


class Observer:
    """Hears of everything; each method here does nothing, a subclass has those that it needs.

    code: a DIMSE status. length: bytes of a Data Set. seconds: from the request's Command Set to our answer.
    """

    def began(self) -> None:
        """The node listens."""

    def ended(self) -> None:
        """The node has stopped."""

    def associated(self, caller: Caller) -> None:
        """An association was accepted."""

    def dissociated(self, caller: Caller, ending: Ending) -> None:
        """It is over. The last event of this caller."""

    def alerted(self, alert: Alert) -> None:
        """Somebody was turned away or misbehaved, a limit was reached, or an object is damaged."""

    def authenticated(self, user: str, address: str, accepted: bool, reason: str = "") -> None:
        """A user's identity was checked (PS3.7 D.3.3.7)."""

    def stored(
        self,
        caller: Caller,
        sop_class_uid: str,
        code: int,
        put: Put | None,
        action: str,
        length: int,
        seconds: float,
        comment: str,
    ) -> None:
        """A C-STORE is answered. put: what was indexed or would have been; None when no record came about.

        action: CREATED, READ or UPDATED; "" when nothing was stored.
        """

    def interrupted(self, caller: Caller, sop_class_uid: str, length: int) -> None:
        """The association ended inside a Data Set: nothing was stored and nothing acknowledged."""

    def served(self, caller: Caller, operation: str, code: int, seconds: float, comment: str) -> None:
        """Another request is answered: "echo", "find", "move", "get", or a refusal of any."""

    def queried(self, caller: Caller, query: Query, code: int) -> None:
        """A C-FIND, C-MOVE or C-GET had this identifier. code: of its final response."""

    def sending(self, caller: Caller, destination: str, entries: Sequence[StoredEntry]) -> None:
        """A retrieve begins. destination: an AE title."""

    def sent(self, caller: Caller, destination: str, code: int, length: int, seconds: float) -> None:
        """One C-STORE sub-operation was answered. On any thread, but never two at once for one caller."""

    def retrieved(
        self, caller: Caller, destination: str, delivered: Mapping[tuple[str, str], int],
        failed: Iterable[StoredEntry], comment: str,
    ) -> None:  # fmt: skip
        """A retrieve is over. delivered: how many of each (Study Instance UID, SOP Class UID)."""

    def committed(self, count: int, seconds: float) -> None:
        """One index transaction for `count` changes."""

    def synced(self, seconds: float) -> None:
        """One fsync or fdatasync of a file or folder of objects."""

    def deleted(self, groups: Mapping[InstanceGroup, int], whole: bool, reason: str) -> None:
        """Instances are gone. whole: whole studies or patients. reason: who or what deleted them."""

    def exported(self, groups: Mapping[InstanceGroup, int], reason: str) -> None:
        """Instances were copied out of the archive by somebody on this machine."""


class Observers(Observer):
    """Passes every event on to several. One that raises is our fault: logged, and the others still hear."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        for name in _METHODS:
            setattr(self, name, _fan_out([getattr(one, name) for one in observers if _hears(one, name)]))


def _hears(observer: Observer, name: str) -> bool:
    return getattr(type(observer), name) is not getattr(Observer, name)


def _fan_out(methods: Sequence[Callable[..., None]]) -> Callable[..., None]:
    """One call for all who hear it; an event that nobody hears costs one empty call."""

    def nobody(*_: object) -> None:
        return

    def everybody(*event: object) -> None:
        for method in methods:
            try:
                method(*event)
            except Exception:
                log.exception("an observer failed")

    return everybody if methods else nobody


_METHODS = tuple(name for name in vars(Observer) if not name.startswith("_"))
SILENT = Observer()
