"""What the audit trail and the status hear of TLS and users."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from fastdicom import AssociationRejected, Config, Engine, Tls, connect
from fastdicom.events import UNKNOWN_NODE, USER
from fastdicom.passcodes import set_passcode
from tests.support.certificates import Authority


def alerts_of(engine: Engine, kind: str) -> int:
    for _ in range(300):
        count = int(engine.status()["alerts"].get(kind, 0))
        if count:
            return count
        time.sleep(0.01)
    return 0


def test_refused_handshakes_and_users_are_alerts(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    pair, ours = authority.issue("node"), authority.issue("ours")
    set_passcode(tmp_path / "passcodes", "ct1", "right")
    section = {"certificate": pair.certificate, "key": pair.key, "authorities": authority.certificate}
    access = {"user_identity": "required", "passcodes": tmp_path / "passcodes"}
    with Engine(Config(port=0, archive=tmp_path / "archive", tls=section, access=access)) as engine:
        host, port = engine.addresses[0]
        with socket.create_connection((host, port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            sock.recv(10)
        assert alerts_of(engine, UNKNOWN_NODE) == 1
        tls = Tls(authorities=authority.certificate, certificate=ours.certificate, key=ours.key)
        with pytest.raises(AssociationRejected):
            connect(host, port, tls=tls, username="ct1", passcode="wrong")
        assert alerts_of(engine, USER) == 1
        with connect(host, port, tls=tls, username="ct1", passcode="right") as peer:
            peer.echo()
        days = engine.status()["certificate_days"]
        assert 364 < days["certificate"] < 366
