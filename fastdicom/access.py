"""Who may come in, as whom, and what it may do: from the configuration to answers about requests."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from fastdicom.config import Config, Peer
from fastdicom.dataset.terms import Terms
from fastdicom.net.transport import Transport
from fastdicom.services.ports import Caller
from fastdicom.services.terms import QUERY_CLASSES, grant, with_granted
from fastdicom.standard import sop_classes
from fastdicom.standard.transfer_syntaxes import KNOWN
from fastdicom.upperlayer.negotiation import AcceptorPolicy, negotiate
from fastdicom.upperlayer.pdus import (
    REJECT_LOCAL_LIMIT,
    AssociationAccept,
    AssociationReject,
    AssociationRequest,
    ExtendedNegotiation,
)

log = logging.getLogger(__name__)


class Arrival(Protocol):
    """A connection, as far as admission looks at it."""

    number: int
    address: str
    failed: bool
    transport: Transport


class Admission:
    """Admits connections and associations up to their limits, and counts them.

    previous: what this one replaces at a reload; its associations and counts go on.
    """

    def __init__(self, config: Config, previous: Admission | None = None) -> None:
        node = config.node
        self._peers = {peer.ae_title: peer for peer in config.peers}
        self._query = config.query
        self._unknown = frozenset[str](config.access.unknown_peers)
        self._associations_max = node.max_associations
        self._half_open_max = config.limits.half_open_max
        accept_unknown = config.archive.accept_unknown_sop_classes
        self.policy = AcceptorPolicy(
            ae_title=node.ae_title,
            abstract_syntaxes=frozenset(sop_classes.STORAGE) | QUERY_CLASSES | {sop_classes.VERIFICATION},
            transfer_syntaxes=frozenset(KNOWN),
            preferred=node.preferred_transfer_syntaxes,
            accepts_unknown=may_be_storage if accept_unknown else lambda uid: False,
            check_called_ae_title=node.check_called_ae_title,
            accepts_calling=self._knows,
            scp_role=frozenset(sop_classes.STORAGE),
            max_length=node.max_pdu_length,
            extended=self._grant,
        )
        self._book: _Book = previous._book if previous is not None else _Book()

    def connected(self, address: str) -> bool:
        """A connection was made: may it send its request?"""
        if self._book.add(self._half_open_max):
            return True
        log.warning("%s is turned away: %d connections have no association yet", address, self._half_open_max)
        return False

    def turned_away(self) -> None:
        """The connection could not be served: its place is free again."""
        self._book.forget()

    def decide(self, arrival: Arrival, request: AssociationRequest) -> AssociationAccept | AssociationReject:
        """The answer to an association request."""
        response = negotiate(request, self.policy)
        if isinstance(response, AssociationAccept):
            caller = self._caller(arrival, request, response)
            if not self._book.seat(arrival, caller, self._associations_max):
                response = REJECT_LOCAL_LIMIT
        if isinstance(response, AssociationReject):
            self._book.turn_down()
        return response

    def caller(self, arrival: Arrival) -> Caller:
        """Who an established association belongs to."""
        return self._book.seated[arrival]

    def closed(self, arrival: Arrival) -> None:
        """The connection is closed."""
        self._book.remove(arrival)

    def _knows(self, ae_title: str) -> bool:
        return ae_title in self._peers or bool(self._unknown)

    def _caller(self, arrival: Arrival, request: AssociationRequest, accept: AssociationAccept) -> Caller:
        title = request.calling_ae_title
        peer = self._peers.get(title)
        allowed = self._unknown if peer is None else frozenset[str](peer.allow)
        terms = self._terms(peer, accept)
        return Caller(arrival.number, title, request.called_ae_title, arrival.address, allowed, terms)

    # ------------------------------------------------------------------------------ queries

    def _grant(self, calling_ae_title: str, item: ExtendedNegotiation) -> bytes | None:
        peer = self._peers.get(calling_ae_title)
        grants = self._query.grants if peer is None or peer.grants is None else peer.grants
        return grant(item.sop_class_uid, item.information, grants)

    def _terms(self, peer: Peer | None, accept: AssociationAccept) -> dict[str, Terms]:
        """How this caller queries, by SOP class: as [query] and [[peers]] say, and with what was granted."""
        charset = "" if peer is None else peer.charset
        plain = Terms(accent_folding=self._query.accent_folding, charset=charset)
        found = dict.fromkeys(QUERY_CLASSES, plain)
        for item in accept.user.extended:
            found[item.sop_class_uid] = with_granted(plain, item.information)
        return found

    @property
    def open(self) -> int:
        """Established associations."""
        return len(self._book.seated)

    @property
    def half_open(self) -> int:
        """Connections that have not asked for an association yet, or were rejected and linger."""
        return self._book.connections - len(self._book.seated)

    @property
    def accepted(self) -> int:
        """Associations accepted since the start."""
        return self._book.accepted

    @property
    def rejected(self) -> int:
        """Associations rejected since the start."""
        return self._book.rejected

    @property
    def failed(self) -> int:
        """Connections that ended in another way than by a release."""
        return self._book.failed

    @property
    def bytes_received(self) -> int:
        """From all connections so far."""
        return self._book.traffic()[0]

    @property
    def bytes_sent(self) -> int:
        """To all connections so far."""
        return self._book.traffic()[1]


class _Book:
    """The counts; they survive a reload."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.connections = 0
        self.seated: dict[Arrival, Caller] = {}
        self.accepted = self.rejected = self.failed = 0
        self.bytes_received = self.bytes_sent = 0

    def add(self, half_open_max: int) -> bool:
        with self._lock:
            if self.connections - len(self.seated) >= half_open_max:
                return False
            self.connections += 1
            return True

    def forget(self) -> None:
        with self._lock:
            self.connections -= 1

    def seat(self, arrival: Arrival, caller: Caller, associations_max: int) -> bool:
        with self._lock:
            if len(self.seated) >= associations_max:
                return False
            self.seated[arrival] = caller
            self.accepted += 1
            return True

    def turn_down(self) -> None:
        with self._lock:
            self.rejected += 1

    def traffic(self) -> tuple[int, int]:
        """Bytes (received, sent), with those of associations in progress."""
        with self._lock:
            transports = [arrival.transport for arrival in self.seated]
            received = sum(transport.received for transport in transports)
            sent = sum(transport.sent for transport in transports)
            return self.bytes_received + received, self.bytes_sent + sent

    def remove(self, arrival: Arrival) -> None:
        with self._lock:
            self.connections -= 1
            self.seated.pop(arrival, None)
            self.failed += arrival.failed
            self.bytes_received += arrival.transport.received
            self.bytes_sent += arrival.transport.sent


def may_be_storage(uid: str) -> bool:
    """For `accept_unknown_sop_classes`: any UID but those of the standard that are other services'.

    The standard's Storage classes stand below 1.2.840.10008.5.1.4; a private root may be anything.
    """
    if not uid or len(uid) > 64 or not set(uid) <= set("0123456789."):
        return False
    return not uid.startswith("1.2.840.10008.") or uid.startswith("1.2.840.10008.5.1.4.1.1.")
