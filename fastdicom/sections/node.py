"""[node] and [timeouts]: who we are, where we listen, how long we wait."""

from __future__ import annotations

from dataclasses import dataclass

from fastdicom.sections.units import COUNT_MAX, KIB, MIB
from fastdicom.settings import (
    ae_title,
    boolean,
    host,
    listing,
    number,
    seconds,
    setting,
    size,
    transfer_syntax,
)
from fastdicom.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN

_title = ae_title  # inside a section the name is the field's


def _addresses(value: object) -> tuple[str, ...]:
    """`bind`: one address or a list of them."""
    found = (host(value),) if isinstance(value, str) else listing(host)(value)
    if not found:
        raise ValueError("must name at least one address to listen on")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """[node]: who we are and where we listen.

    bind: addresses; "::" listens for both families. port: 0 takes a free one. max_pdu_length: bytes of a PDU
    that we announce, 0 for any. other_ae_titles: by which we may be called too.
    preferred_transfer_syntaxes: UIDs, the order in which the acceptor chooses.
    """

    ae_title: str = setting("FASTDICOM", ae_title)
    bind: tuple[str, ...] = setting(("127.0.0.1",), _addresses)
    port: int = setting(11112, number(0, 65535))
    max_associations: int = setting(200, number(1, COUNT_MAX))
    max_pdu_length: int = setting(256 * KIB, size(4096, 16 * MIB, zero_allowed=True))
    check_called_ae_title: bool = setting(False, boolean)
    other_ae_titles: tuple[str, ...] = setting((), listing(_title))
    preferred_transfer_syntaxes: tuple[str, ...] = setting(
        (IMPLICIT_VR_LITTLE_ENDIAN,), listing(transfer_syntax)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """[timeouts], in seconds.

    artim_s: until an association request is there and whole, and until the peer closes after its end
    (PS3.8 9.1.5). idle_s: an established association that says nothing. connect_s: TCP and TLS as requestor.
    response_s: until a peer answers a request of ours, the association request included. drain_s: how long
    associations at work may go on after the service was asked to stop; stop_s: then, their messages at hand.
    """

    artim_s: float = setting(30.0, seconds, "artim")
    idle_s: float = setting(60.0, seconds, "idle")
    connect_s: float = setting(10.0, seconds, "connect")
    response_s: float = setting(60.0, seconds, "response")
    drain_s: float = setting(15.0, seconds, "drain")
    stop_s: float = setting(20.0, seconds, "stop")
