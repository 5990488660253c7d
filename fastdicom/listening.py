"""From the configuration to where we listen and how long we wait."""

from __future__ import annotations

from fastdicom.config import Config
from fastdicom.net.acceptor import Acceptor
from fastdicom.net.connection import Timing

Addresses = list[tuple[str, int]]
CUT_S = 4.0  # for the threads of associations that were cut


def listen(acceptor: Acceptor, config: Config) -> tuple[Addresses, Addresses]:
    """Listen where [node] and [tls] say; all addresses, plain ones first, and those that speak TLS.

    Raises UsageError when a port cannot be had.
    """
    node, tls = config.node, config.tls
    plain: Addresses = []
    secure: Addresses = []
    if tls is None or tls.port is not None:
        plain = acceptor.listen(node.bind, node.port)
    if tls is not None:
        secure = acceptor.listen(node.bind, node.port if tls.port is None else tls.port, secure=True)
    return plain + secure, secure


def places_of(config: Config) -> str:
    """Where that is, for messages."""
    node, tls = config.node, config.tls
    more = f" and {tls.port}" if tls is not None and tls.port is not None else ""
    return f"{', '.join(node.bind)} port {node.port}{more}"


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


def stop_s_of(config: Config) -> float:
    """How long the stop of a node may take."""
    return config.timeouts.drain_s + config.timeouts.stop_s + CUT_S
