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


def acceptor(sockets: InheritedSockets) -> Acceptor:
    return Acceptor(lambda sock, address, secure: None, sockets.claim)


def test_a_socket_elsewhere_than_configured_is_refused(inherited: socket.socket, tmp_path: Path) -> None:
    engine = Engine(Config(port=0, bind="127.0.0.2", archive=tmp_path / "archive"))
    said = (
        rf"listens on 127\.0\.0\.1 port {port_of(inherited)}, but the configuration says 127\.0\.0\.2 port 0"
    )
    with pytest.raises(UsageError, match=said):
        engine.start(InheritedSockets([inherited.dup()]))
    with pytest.raises(UsageError, match="not running"):
        engine.status()


def test_the_mismatch_is_named_also_where_the_other_port_cannot_be_had(inherited: socket.socket) -> None:
    sockets = InheritedSockets([inherited.dup()])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = "the service manager listens on"
        with pytest.raises(UsageError, match=said) as raised, sockets.all_claimed("another one"):
            acceptor(sockets).listen(["127.0.0.1"], port_of(taken))
        assert "cannot listen" in str(raised.value.__cause__)


def test_port_0_takes_the_inherited_one(inherited: socket.socket) -> None:
    places = acceptor(InheritedSockets([inherited.dup()])).listen(["127.0.0.1"], 0)
    assert places == [("127.0.0.1", port_of(inherited))]


def test_a_socket_of_both_families_serves_both_wildcards() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as both:
        sockets = InheritedSockets([both.dup()])
        with sockets.all_claimed("both"):
            places = acceptor(sockets).listen(["0.0.0.0", "::"], port_of(both))
        assert [place[:2] for place in places] == [("::", port_of(both))]


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
