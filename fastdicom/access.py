"""Who may come in, as whom, and what it may do: from the configuration to answers about requests."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import NamedTuple, Protocol

from fastdicom.callers import Callers
from fastdicom.config import Config, Peer
from fastdicom.dataset.terms import Terms
from fastdicom.net.transport import Transport
from fastdicom.services.ports import Caller
from fastdicom.services.terms import QUERY_CLASSES, grant, with_granted
from fastdicom.standard import sop_classes
from fastdicom.standard.transfer_syntaxes import KNOWN
from fastdicom.upperlayer.codec import encode
from fastdicom.upperlayer.negotiation import AcceptorPolicy, Negotiator
from fastdicom.upperlayer.pdus import (
    REJECT_CONGESTION,
    REJECT_LOCAL_LIMIT,
    AssociationAccept,
    AssociationReject,
    AssociationRequest,
    ExtendedNegotiation,
)
from fastdicom.user_identity import Failures, UserCheck

log = logging.getLogger(__name__)

CONGESTION = encode(REJECT_CONGESTION)
"""What a connection beyond the limit is told, before it has said anything."""


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
        limits = config.limits
        self._callers = Callers(config)
        self._book: _Book = previous._book if previous is not None else _Book()
        self._peers = {peer.ae_title: peer for peer in config.peers}
        self._query = config.query
        self._associations_max = node.max_associations
        self._per_address_max = limits.associations_per_address_max
        self._half_open_max = limits.half_open_max
        self._half_open_per_address_max = limits.half_open_per_address_max
        self._users = UserCheck(
            config.access.user_identity,
            config.access.passcodes,
            self._book.failures,
            failures_max=limits.identity_failures_max,
            window_s=limits.identity_failures_window_s,
            wait_s=limits.identity_wait_s,
            clock=time.monotonic,
        )
        accept_unknown = config.archive.accept_unknown_sop_classes
        self.policy = AcceptorPolicy(
            ae_title=node.ae_title,
            abstract_syntaxes=frozenset(sop_classes.STORAGE) | QUERY_CLASSES | {sop_classes.VERIFICATION},
            transfer_syntaxes=frozenset(KNOWN),
            preferred=node.preferred_transfer_syntaxes,
            accepts_unknown=may_be_storage if accept_unknown else lambda uid: False,
            other_ae_titles=frozenset(node.other_ae_titles),
            check_called_ae_title=node.check_called_ae_title,
            accepts_calling=self._callers.knows,
            scp_role=frozenset(sop_classes.STORAGE),
            max_length=node.max_pdu_length,
            extended=self._grant,
        )
        self._negotiator = Negotiator(self.policy)

    def connected(self, address: str) -> bool:
        """A connection was made: may it send its request?"""
        if self._book.add(address, self._half_open_max, self._half_open_per_address_max):
            return True
        log.warning("%s is turned away: too many connections have no association yet", address)
        return False

    def turned_away(self, address: str) -> None:
        """The connection could not be served: its place is free again."""
        self._book.forget(address)

    def decide(self, arrival: Arrival, request: AssociationRequest) -> AssociationAccept | AssociationReject:
        """The answer to an association request."""
        response = self._negotiator.answer(request)
        if isinstance(response, AssociationAccept):
            response = self._welcome(arrival, request, response)
        if isinstance(response, AssociationReject):
            self._book.turn_down()
        return response

    def _welcome(
        self, arrival: Arrival, request: AssociationRequest, accept: AssociationAccept
    ) -> AssociationAccept | AssociationReject:
        """`accept`, completed, unless this caller may not come in or finds no seat."""
        transport, identity = arrival.transport, request.user.user_identity
        objection = self._callers.objection(request, arrival.address, transport.secure, transport.peer)
        if objection is None:
            objection = self._users.objection(identity, arrival.address)
        if objection is None:
            rule = self._callers.rule(request.calling_ae_title)
            caller = self._caller(arrival, request, accept, rule.operations)
            seats = Seats(self._associations_max, rule.associations_max, self._per_address_max)
            full = self._book.seat(arrival, caller, seats)
            objection = (REJECT_LOCAL_LIMIT, full) if full else None
        if objection is not None:
            reject, why = objection
            log.warning("association %d: %s: %s", arrival.number, request.calling_ae_title, why)
            return reject
        response = self._users.response(identity)
        if response is None:
            return accept
        return replace(accept, user=replace(accept.user, user_identity_response=response))

    def caller(self, arrival: Arrival) -> Caller:
        """Who an established association belongs to."""
        return self._book.seated[arrival]

    def closed(self, arrival: Arrival) -> None:
        """The connection is closed."""
        self._book.remove(arrival)

    def _caller(
        self,
        arrival: Arrival,
        request: AssociationRequest,
        accept: AssociationAccept,
        operations: frozenset[str],
    ) -> Caller:
        calling, called = request.calling_ae_title, request.called_ae_title
        terms = self._terms(self._peers.get(calling), accept)
        user = self._users.name(request.user.user_identity)
        return Caller(arrival.number, calling, called, arrival.address, operations, terms, user)

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


class Seats(NamedTuple):
    """How many associations there may be: in all, of one calling AE title, from one address. 0: no limit."""

    in_all: int
    of_peer: int
    from_address: int


class _Book:
    """The counts; they survive a reload."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.connections = 0
        self.seated: dict[Arrival, Caller] = {}
        self.failures = Failures()
        self._connections_from: Counter[str] = Counter()
        self._seated_of: Counter[str] = Counter()  # by calling AE title
        self._seated_from: Counter[str] = Counter()
        self.accepted = self.rejected = self.failed = 0
        self.bytes_received = self.bytes_sent = 0

    def add(self, address: str, half_open_max: int, per_address_max: int) -> bool:
        with self._lock:
            of_address = self._connections_from[address] - self._seated_from[address]
            if self.connections - len(self.seated) >= half_open_max or of_address >= per_address_max:
                return False
            self.connections += 1
            self._connections_from[address] += 1
            return True

    def forget(self, address: str) -> None:
        with self._lock:
            self._forget(address)

    def _forget(self, address: str) -> None:
        self.connections -= 1
        _less(self._connections_from, address)

    def seat(self, arrival: Arrival, caller: Caller, seats: Seats) -> str:
        """Give it a seat; what is full when there is none, "" when there was."""
        with self._lock:
            if len(self.seated) >= seats.in_all:
                return f"all {seats.in_all} associations are taken"
            if 0 < seats.of_peer <= self._seated_of[caller.calling_ae_title]:
                return f"it has {seats.of_peer} associations already"
            if 0 < seats.from_address <= self._seated_from[caller.address]:
                return f"there are {seats.from_address} associations from {caller.address} already"
            self.seated[arrival] = caller
            self._seated_of[caller.calling_ae_title] += 1
            self._seated_from[caller.address] += 1
            self.accepted += 1
            return ""

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
            self._forget(arrival.address)
            caller = self.seated.pop(arrival, None)
            if caller is not None:
                _less(self._seated_of, caller.calling_ae_title)
                _less(self._seated_from, caller.address)
            self.failed += arrival.failed
            self.bytes_received += arrival.transport.received
            self.bytes_sent += arrival.transport.sent


def _less(counts: Counter[str], key: str) -> None:
    """One less; what is 0 is forgotten, so that strangers leave nothing behind."""
    counts[key] -= 1
    if counts[key] <= 0:
        del counts[key]


def may_be_storage(uid: str) -> bool:
    """For `accept_unknown_sop_classes`: any UID but those of the standard that are other services'.

    The standard's Storage classes stand below 1.2.840.10008.5.1.4; a private root may be anything.
    """
    if not uid or len(uid) > 64 or not set(uid) <= set("0123456789."):
        return False
    return not uid.startswith("1.2.840.10008.") or uid.startswith("1.2.840.10008.5.1.4.1.1.")
