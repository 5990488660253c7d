"""Sockets that somebody else listens on: used when the configuration asks for them, refused otherwise."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastdicom import Config, Engine, UsageError, connect
from fastdicom.activation import InheritedSockets, _listening
from fastdicom.net.acceptor import Acceptor


@pytest.fixture
def inherited() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def test_the_socket_stays_open_when_the_node_stops(inherited: socket.socket, tmp_path: Path) -> None:
    """Connections that come between two nodes wait, and the second one serves them."""
    config = Config(port=port_of(inherited), archive=tmp_path / "archive")
    engine = Engine(config)
    engine.start(InheritedSockets([inherited.dup()]))
    assert engine.addresses == [("127.0.0.1", port_of(inherited))]
    engine.stop()
    waiting = socket.create_connection(("127.0.0.1", port_of(inherited)), timeout=5)
    second = Engine(config)
    second.start(InheritedSockets([inherited.dup()]))
    with connect("127.0.0.1", port_of(inherited)) as peer:
        peer.echo()
    assert second.connections >= 1
    waiting.close()
    second.stop()


def test_a_socket_elsewhere_than_configured_is_refused(inherited: socket.socket) -> None:
    sockets = InheritedSockets([inherited.dup()])
    acceptor = Acceptor(lambda sock, address: None)
    assert sockets.listen(acceptor, [], 1) == []
    with pytest.raises(
        UsageError, match=rf"127\.0\.0\.1 port {port_of(inherited)}, but \[node\] says 127.0.0.2"
    ):
        sockets.check_all_claimed("127.0.0.2 port 1")


def test_port_0_takes_the_inherited_one(inherited: socket.socket) -> None:
    acceptor = Acceptor(lambda sock, address: None)
    places = InheritedSockets([inherited.dup()]).listen(acceptor, ["127.0.0.1"], 0)
    assert places == [("127.0.0.1", port_of(inherited))]


def test_a_socket_of_both_families_serves_both_wildcards() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as both:
        sockets = InheritedSockets([both.dup()])
        acceptor = Acceptor(lambda sock, address: None)
        assert sockets.listen(acceptor, ["0.0.0.0", "::"], port_of(both)) == [("::", port_of(both))]
        sockets.check_all_claimed("")


def test_what_does_not_listen_for_tcp_is_refused() -> None:
    with socket.socket() as silent, pytest.raises(UsageError, match="Accept= must be no"):
        _listening(silent.dup().detach(), "dicom")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        pytest.raises(UsageError, match="not for TCP"),
    ):
        _listening(udp.dup().detach(), "dicom")
    with open("/dev/null") as file, pytest.raises(UsageError, match="is no socket"):
        _listening(file.fileno(), "dicom")
