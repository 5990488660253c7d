"""The upper layer without sockets: two associations joined in memory, or one fed by hand."""

from __future__ import annotations

import gc
import struct
import weakref

import pytest

from fastdicom.kernels import pdata
from fastdicom.upperlayer import codec
from fastdicom.upperlayer.association import Association, Fault, TimerExpired, TransportClosed
from fastdicom.upperlayer.pdus import (
    REJECT_LOCAL_LIMIT,
    Abort,
    AssociationAccept,
    AssociationReject,
    AssociationRequest,
    ContextResult,
    PresentationContext,
    ReleaseRequest,
    ReleaseResponse,
    UserInformation,
)
from fastdicom.upperlayer.states import IllegalEvent, State
from tests.support.link import acceptor, deliver, exchange, requestor

REQUEST = AssociationRequest(
    "CALLED",
    "CALLING",
    (PresentationContext(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",)),),
    UserInformation(max_length=16384, implementation_class_uid="1.2.3"),
)
ACCEPT = AssociationAccept(
    "CALLED", "CALLING", (ContextResult(1, 0, "1.2.840.10008.1.2"),), UserInformation(max_length=4096)
)


def established(step: int = 0) -> tuple[Association, Association]:
    ours, theirs = acceptor(), requestor()
    theirs.ask(REQUEST, 0.0)
    assert exchange(theirs, ours, step=step) == [REQUEST]
    ours.answer(ACCEPT, 0.0)
    assert exchange(ours, theirs, step=step) == [ACCEPT]
    return ours, theirs


@pytest.mark.parametrize("step", [0, 1, 7])
def test_an_association_is_established_and_released(step: int) -> None:
    ours, theirs = established(step)
    assert ours.established and theirs.established
    assert ours.contexts[1].transfer_syntax == "1.2.840.10008.1.2"
    assert (ours.peer_length_max, theirs.peer_length_max) == (16384, 4096)
    theirs.ask_release(0.0)
    assert exchange(theirs, ours) == [ReleaseRequest()]
    ours.answer_release(0.0)
    assert exchange(ours, theirs) == [ReleaseResponse()]
    assert theirs.closed and ours.state == State.STA13


def test_a_broken_protocol_leaves_nothing_for_the_garbage_collector() -> None:
    """Or the receive buffers of a flood of such peers would stay until it looks at old objects."""
    association = acceptor()
    association.space()[:10] = b"\xee" * 10
    gc.disable()
    try:
        (fault,) = association.received(10, 0.0)
        assert isinstance(fault, Fault)
        gone = weakref.ref(association)
        del association, fault
        assert gone() is None
    finally:
        gc.enable()


def test_fragments_pass_through_both_ways() -> None:
    ours, theirs = established()
    framed = pdata.message(1, b"command", b"data", 100)
    assert deliver(framed, ours) == [(1, 3, b"command"), (1, 2, b"data")]
    assert deliver(framed, theirs) == [(1, 3, b"command"), (1, 2, b"data")]


def test_a_rejection_ends_the_requestor() -> None:
    ours, theirs = acceptor(), requestor()
    theirs.ask(REQUEST, 0.0)
    exchange(theirs, ours)
    ours.answer(REJECT_LOCAL_LIMIT, 0.0)
    assert exchange(ours, theirs) == [AssociationReject(2, 3, 2)]
    assert theirs.closed and ours.state == State.STA13


def test_release_collision_ends_both_sides() -> None:
    ours, theirs = established()
    ours.ask_release(0.0)
    theirs.ask_release(0.0)
    from_ours, from_theirs = ours.take_outgoing(), theirs.take_outgoing()
    assert deliver(b"".join(from_theirs), ours) == [ReleaseRequest()]
    assert deliver(b"".join(from_ours), theirs) == [ReleaseRequest()]
    assert (ours.state, theirs.state) == (State.STA10, State.STA9)
    theirs.answer_release(0.0)
    assert exchange(theirs, ours) == [ReleaseResponse()]
    assert ours.state == State.STA12
    ours.answer_release(0.0)
    assert exchange(ours, theirs) == [ReleaseResponse()]
    assert theirs.closed and ours.state == State.STA13


def test_data_after_our_release_request_still_arrives() -> None:
    ours, _ = established()
    ours.ask_release(0.0)
    assert deliver(pdata.message(1, b"late", None, 100), ours) == [(1, 3, b"late")]


@pytest.mark.parametrize("pdu", [REQUEST, ACCEPT, REJECT_LOCAL_LIMIT, ReleaseResponse()])
def test_an_unexpected_pdu_is_answered_with_an_abort(pdu: object) -> None:
    ours, _ = established()
    events = deliver(codec.encode(pdu), ours)  # type: ignore[arg-type]
    assert isinstance(events[0], Fault) and events[0].error.abort_reason == 2
    assert ours.take_outgoing() == [codec.encode(Abort(2, 2))]
    assert ours.state == State.STA13


def test_data_before_negotiation_is_answered_with_an_abort() -> None:
    ours = acceptor()
    events = deliver(pdata.message(1, b"too early", None, 100), ours)
    assert isinstance(events[0], Fault)
    assert ours.take_outgoing() == [codec.encode(Abort(2, 2))]


def test_an_unknown_pdu_is_answered_with_reason_1() -> None:
    ours, _ = established()
    events = deliver(struct.pack(">BBI", 9, 0, 4) + bytes(4), ours)
    assert isinstance(events[0], Fault)
    assert ours.take_outgoing() == [codec.encode(Abort(2, 1))]


def test_what_comes_after_an_abort_is_not_heard() -> None:
    ours, _ = established()
    events = deliver(codec.encode(Abort(0, 0)) + pdata.message(1, b"x", None, 100), ours)
    assert events == [Abort(0, 0)]
    assert ours.closed


def test_silence_after_connecting_ends_with_artim() -> None:
    ours = acceptor(now=100.0)
    deliver(codec.encode(REQUEST)[:50], ours, now=120.0)
    assert ours.tick(129.9) == []
    assert ours.tick(130.0) == [TimerExpired()]
    assert ours.closed


def test_artim_stops_when_the_association_is_there() -> None:
    ours, _ = established()
    assert ours.deadline is None and ours.tick(1e9) == []


def test_artim_runs_again_while_we_wait_for_the_close() -> None:
    ours, theirs = established()
    theirs.ask_release(5.0)
    exchange(theirs, ours, now=5.0)
    ours.answer_release(5.0)
    assert ours.deadline == 7.0
    assert ours.tick(7.0) == [TimerExpired()] and ours.closed


def test_a_closed_transport_ends_the_association() -> None:
    ours, _ = established()
    assert ours.received(0, 0.0) == [TransportClosed()]
    assert ours.closed


def test_a_request_in_the_wrong_state_changes_nothing() -> None:
    ours, _ = established()
    with pytest.raises(IllegalEvent):
        ours.answer(ACCEPT, 0.0)
    assert ours.established and ours.take_outgoing() == []


def test_a_syntax_that_was_not_proposed_is_no_acceptance() -> None:
    theirs = requestor()
    theirs.ask(REQUEST, 0.0)
    theirs.take_outgoing()
    wrong = AssociationAccept("CALLED", "CALLING", (ContextResult(1, 0, "1.2.840.10008.1.2.1"),))
    events = deliver(codec.encode(wrong), theirs)
    assert isinstance(events[-1], Fault)
    assert theirs.take_outgoing() == [codec.encode(Abort(2, 6))]
