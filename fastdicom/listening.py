"""From the configuration to where we listen and how long we wait."""

from __future__ import annotations

from fastdicom.activation import InheritedSockets
from fastdicom.config import Config
from fastdicom.net.acceptor import Acceptor
from fastdicom.net.connection import Timing

Addresses = list[tuple[str, int]]


def listen(
    acceptor: Acceptor, inherited: InheritedSockets, config: Config
) -> tuple[Addresses, Addresses]:
    """Listen where [node] and [tls] say; all addresses, plain ones first, and those that speak TLS.

    Raises UsageError when a port cannot be had, or `inherited` has one that nobody asks for.
    """
    node, tls = config.node, config.tls
    plain: Addresses = []
    secure: Addresses = []
    wanted = f"{', '.join(node.bind)} port {node.port}"
    if tls is None or tls.port is not None:
        plain = inherited.listen(acceptor, node.bind, node.port)
    if tls is not None:
        port = node.port if tls.port is None else tls.port
        secure = inherited.listen(acceptor, node.bind, port, secure=True)
        wanted += f" and {port}" if plain else ""
    inherited.check_all_claimed(wanted)
    return plain + secure, secure


def timing_of(config: Config) -> Timing:
    """How long connections wait."""
    timeouts, limits = config.timeouts, config.limits
    handshake_s = config.tls.handshake_s if config.tls is not None else timeouts.artim_s
    return Timing(
        artim_s=timeouts.artim_s,
        idle_s=timeouts.idle_s,
        connect_s=timeouts.connect_s,
        response_s=timeouts.response_s,
        message_stall_s=limits.message_stall_s,
        send_stall_s=limits.send_stall_s,
        handshake_s=min(handshake_s, timeouts.artim_s),
        message_s=limits.message_s,
        association_s=limits.association_s,
    )
