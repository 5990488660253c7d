"""The ways to a receiver, against a receiver."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from fastdicom.audit.recorder import transport_of
from fastdicom.audit.transports import FileTransport, StreamTransport
from fastdicom.sections.audit import AuditConfig
from tests.support.syslog_receiver import Certificates, Receiver

MESSAGES = [b"<85>1 first", b"<85>1 \xef\xbb\xbf" + b"x" * 30_000, b"<85>1 third"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("name", ["udp", "tcp", "tls"])
def test_messages_arrive_whole(name: str, certificates: Certificates) -> None:
    with Receiver(name, certificates) as receiver:
        config = AuditConfig(
            transport=name, host="127.0.0.1", port=receiver.port, authorities=certificates.certificate
        )  # type: ignore[arg-type]
        transport = transport_of(config)
        transport.open()
        transport.send(MESSAGES[:2])
        transport.send(MESSAGES[2:])
        assert receiver.wait(3) == MESSAGES
        transport.close()


def test_a_receiver_with_another_certificate_is_not_trusted(
    certificates: Certificates, tmp_path: Path
) -> None:
    other = Certificates(tmp_path)
    with Receiver("tls", certificates) as receiver:
        config = AuditConfig(
            transport="tls", host="127.0.0.1", port=receiver.port, authorities=other.certificate
        )
        with pytest.raises(ssl.SSLCertVerificationError):
            transport_of(config).open()


@pytest.mark.parametrize("name", ["tcp", "tls"])
def test_a_connection_that_the_receiver_closed_is_noticed_before_anything_is_lost(
    name: str, certificates: Certificates
) -> None:
    receiver = Receiver(name, certificates)
    context = ssl.create_default_context(cafile=certificates.certificate) if name == "tls" else None
    transport = StreamTransport("127.0.0.1", receiver.port, context)
    transport.open()
    transport.send([b"arrives"])
    receiver.wait(1)
    receiver.stop()
    with pytest.raises(OSError):
        for _ in range(100):
            transport.send([b"does not"])
    assert b"arrives" not in transport.unconfirmed()


def test_what_was_sent_and_not_acknowledged_is_given_back(certificates: Certificates) -> None:
    with Receiver("tcp") as receiver:
        transport = StreamTransport("127.0.0.1", receiver.port)
        transport.open()
        transport.send([b"one", b"two", b"three"])
        transport._forget_arrived(len(b"three") + 1)
        assert transport.unconfirmed() == [b"two", b"three"]
        assert transport.unconfirmed() == []
        transport.close()


def test_a_full_file_makes_room(tmp_path: Path) -> None:
    transport = FileTransport(tmp_path / "audit.log", 100, 3)
    transport.open()
    for number in range(10):
        transport.send([b"%02d" % number + b"." * 47])
    transport.close()
    kept = {path.name: path.read_text().split(".")[0] for path in tmp_path.iterdir()}
    assert kept == {"audit.log": "08", "audit.log.1": "06", "audit.log.2": "04"}
    assert len((tmp_path / "audit.log").read_bytes()) == 100


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    for message in (b"one", b"two"):
        transport = FileTransport(tmp_path / "audit.log", 1000, 1)
        transport.open()
        transport.send([message])
        transport.close()
    assert (tmp_path / "audit.log").read_bytes() == b"one\ntwo\n"
