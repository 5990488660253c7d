"""TLS over a socket on this machine: the same association as without, and errors that name their cause."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fastdicom.dimse import messages
from fastdicom.dimse.messages import CCancelRequest, CFindRequest, Response
from fastdicom.errors import ConnectionLost, UsageError
from fastdicom.kernels import pdata
from fastdicom.net.certificates import PeerCertificate, end_of_certificate, end_of_revocation_list
from fastdicom.net.server import ServerConnection
from fastdicom.net.tls import SUITES, Tls, TlsError, client_context, plain_cause, server_context
from fastdicom.net.tls_transport import TlsTransport
from fastdicom.net.transport import Transport
from fastdicom.upperlayer import codec
from fastdicom.upperlayer.association import Association
from tests.support.certificates import Authority, Pair
from tests.unit.net.test_server import ACCEPT, QUICK, REQUEST, VERIFICATION, Echoing

BUFFER = 256 * 1024


class Files:
    """What the tests of a module share: making certificates takes a while."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "ca")
        self.node = self.authority.issue("node")
        self.peer = self.authority.issue("peer", names="DNS:peer.example,IP:127.0.0.1")
        self.old = self.authority.issue("old", days=-3)
        self.lost = self.authority.issue("lost")
        self.authority.revoke(self.lost)
        self.revoked = self.authority.revocation_list()
        self.stranger = Authority(folder / "strange", "Strange CA").issue("stranger")

    def tls(self, pair: Pair | None, **more: object) -> Tls:
        """`pair` as ours, and the authority."""
        files = {} if pair is None else {"certificate": pair.certificate, "key": pair.key}
        return Tls(authorities=self.authority.certificate, **files, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
    return ours, theirs


def both(files: Files, ours: Tls, required: str = "required") -> tuple[TlsTransport, TlsTransport]:
    """(client, server), not started."""
    client, server = tcp_pair()
    node = files.tls(files.node, revoked=files.revoked)
    return (
        TlsTransport(client, client_context(ours), server_side=False, server_hostname="127.0.0.1"),
        TlsTransport(server, server_context(node, required), server_side=True),
    )


def start(transport: Transport, timeout_s: float = 10) -> threading.Thread:
    """In the background; what it raises is in `.error` of the thread."""

    def run() -> None:
        try:
            transport.start(timeout_s)
        except ConnectionLost as error:
            thread.error = error  # type: ignore[attr-defined]

    thread = threading.Thread(target=run)
    thread.error = None  # type: ignore[attr-defined]
    thread.start()
    return thread


@contextmanager
def connected(files: Files) -> Iterator[tuple[TlsTransport, TlsTransport]]:
    client, server = both(files, files.tls(files.peer))
    thread = start(server)
    with ExitStack() as stack:
        stack.callback(client.close)
        stack.callback(server.close)
        client.start(10)
        thread.join()
        assert thread.error is None  # type: ignore[attr-defined]
        yield client, server


def refusals(client: TlsTransport, server: TlsTransport) -> tuple[str, str]:
    """What each end says when the handshake fails; TLS 1.3 tells the client with the first read."""
    thread = start(server)
    said = ""
    try:
        client.start(10)
        client.receive(memoryview(bytearray(100)), 10)
    except TlsError as error:
        said = str(error)
    client.close()
    thread.join()
    server.close()
    return said, str(thread.error)  # type: ignore[attr-defined]


def receive_all(transport: Transport, length: int) -> bytes:
    buffer, got = memoryview(bytearray(BUFFER)), bytearray()
    while len(got) < length:
        count = transport.receive(buffer, 10)
        assert count, "closed"
        got += buffer[:count]
    return bytes(got)


def test_both_ends_see_the_same_bytes_and_who_it_is(files: Files) -> None:
    with connected(files) as (client, server):
        data = bytes(range(256)) * 4000
        sender = threading.Thread(
            target=client.send, args=([data[:10], data[10:500_000], data[500_000:]], 10)
        )
        sender.start()
        assert receive_all(server, len(data)) == data
        sender.join()
        server.send([b"answer"], 10)
        assert receive_all(client, 6) == b"answer"
        assert server.peer is not None and {"peer", "peer.example"} <= server.peer.names
        assert client.peer is not None and "node" in client.peer.names
        assert client.description.startswith("TLSv1.3 ")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("profile", ["B.12", "B.13"])
def test_versions_and_suites_of_the_profiles(files: Files, version: ssl.TLSVersion, profile: str) -> None:
    tls = files.tls(files.peer, profile=profile)
    context = client_context(tls)
    context.minimum_version = context.maximum_version = version
    client, server = tcp_pair()
    ours = TlsTransport(client, context, server_side=False)
    theirs = TlsTransport(
        server, server_context(files.tls(files.node, profile=profile), "required"), server_side=True
    )
    thread = start(theirs)
    ours.start(10)
    thread.join()
    suite = ours.description.split()[1]
    assert (
        suite in SUITES[profile] if version == ssl.TLSVersion.TLSv1_2 else suite == "TLS_AES_256_GCM_SHA384"
    )
    ours.close()
    theirs.close()


def test_every_suite_of_the_profiles_has_forward_secrecy_and_authenticated_encryption() -> None:
    for names in SUITES.values():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_ciphers(":".join(names))
        found = [suite for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"]
        offered = {suite["name"] for suite in found}  # an OpenSSL may be built without CAMELLIA
        assert set(SUITES["B.12"]) <= offered <= set(names)
        assert all(suite["aead"] and suite["kea"] == "kx-ecdhe" for suite in found)
        assert all(suite["strength_bits"] >= 128 for suite in found)


@pytest.mark.parametrize(
    ("who", "client_says", "server_says"),
    [
        ("old", "our certificate has expired", "certificate has expired"),
        ("lost", "our certificate is revoked", "certificate revoked"),
        ("stranger", "does not trust the authority of our certificate", "unable to get local issuer"),
        (None, "wants a certificate from us", "showed no certificate"),
    ],
)
def test_a_certificate_that_is_no_good_is_named_on_both_sides(
    files: Files, who: str | None, client_says: str, server_says: str
) -> None:
    pair = None if who is None else getattr(files, who)
    told, logged = refusals(*both(files, files.tls(pair)))
    assert client_says in told and server_says in logged


def test_a_server_of_another_authority_is_refused_by_the_client(files: Files, tmp_path: Path) -> None:
    ours = Tls(authorities=files.stranger.certificate.parent / "ca.crt")
    told, logged = refusals(*both(files, ours))
    assert "the peer's certificate is refused" in told
    assert "does not trust the authority of our certificate" in logged


def test_without_authorities_of_ours_the_host_name_counts() -> None:
    assert client_context(Tls()).check_hostname
    assert not client_context(Tls(identities=("node",))).check_hostname


def test_client_certificates_may_be_optional(files: Files) -> None:
    client, server = both(files, files.tls(None), "optional")
    thread = start(server)
    client.start(10)
    thread.join()
    assert server.peer is None
    client.close()
    server.close()


def test_identities_are_names_and_fingerprints() -> None:
    peer = PeerCertificate(frozenset({"ct1", "ct1.example"}), "ab" * 32)
    assert peer.is_one_of(["CT1"]) and peer.is_one_of(["other", "sha256:" + "AB:" * 31 + "AB"])
    assert not peer.is_one_of(["ct2", "sha256:" + "00" * 32]) and not peer.is_one_of([])


def test_plain_dicom_to_a_tls_port_is_named_and_answered(files: Files) -> None:
    sock, other = tcp_pair()
    server = TlsTransport(other, server_context(files.tls(files.node), "required"), server_side=True)
    thread = start(server)
    sock.sendall(bytes((1, 0, 0, 0, 0, 200)) + bytes(200))
    sock.settimeout(5)
    assert sock.recv(100)[:1] == b"\x15"  # an alert: our own client knows what it met
    sock.close()
    thread.join()
    assert "plain DICOM on our TLS port" in str(thread.error)  # type: ignore[attr-defined]
    server.close()


@pytest.mark.parametrize(
    ("first", "asked", "cause"),
    [
        (b"\x16\x03\x01\x00", False, ""),
        (b"", False, ""),
        (b"\x01\x00\x00\x00", False, "plain DICOM"),
        (b"\x07\x00\x00\x00", True, "plain DICOM on this port"),
        (b"GET / HT", False, "HTTP"),
        (b"\x80\x2e\x01\x00\x02", False, "SSL version 2"),
        (b"\xff\xff", False, "no TLS"),
    ],
)
def test_what_the_first_bytes_say(first: bytes, asked: bool, cause: str) -> None:
    found = plain_cause(first, asked)
    assert cause in found and bool(found) == bool(cause)


def test_a_stalled_handshake_ends_in_time(files: Files) -> None:
    sock, other = tcp_pair()
    server = TlsTransport(other, server_context(files.tls(files.node), "required"), server_side=True)
    started = time.monotonic()
    with pytest.raises(TlsError, match="no handshake within"):
        server.start(0.2)
    assert time.monotonic() - started < 2
    sock.close()
    server.close()


def test_a_handshake_that_drips_ends_in_time_too(files: Files) -> None:
    sock, other = tcp_pair()
    server = TlsTransport(other, server_context(files.tls(files.node), "required"), server_side=True)
    thread = start(server, 0.5)
    started = time.monotonic()
    for byte in b"\x16\x03\x01\x02\x00\x01" + bytes(500):
        if not thread.is_alive():
            break
        sock.send(bytes([byte]))
        time.sleep(0.02)
    thread.join()
    assert time.monotonic() - started < 3 and "no handshake within" in str(thread.error)  # type: ignore[attr-defined]
    sock.close()
    server.close()


def test_bytes_that_were_decrypted_already_do_not_wait_for_the_socket(files: Files) -> None:
    with connected(files) as (client, server):
        client.send([b"x" * 1000], 10)
        small = memoryview(bytearray(300))
        got = []
        for _ in range(3):
            got.append(server.receive(small, 5))
            assert server.buffered() and server.readable()
        got.append(server.receive(small, 5))
        assert got == [300, 300, 300, 100]
        assert not server.buffered() and not server.readable()


def test_what_comes_with_the_end_of_the_handshake_is_not_lost(files: Files) -> None:
    """A client of TLS 1.3 may send at once: its data can be in the same segment as its Finished."""
    client, server = both(files, files.tls(files.peer))
    thread = start(server)
    client.start(10)
    client.send([b"first"], 10)
    thread.join()
    assert receive_all(server, 5) == b"first"
    client.close()
    server.close()


def test_a_record_in_slow_pieces_must_be_whole_within_the_timeout(files: Files) -> None:
    with connected(files) as (client, server):
        wire = client.sock
        client._tls.write(b"y" * 5000)
        ciphertext = client._outgoing.read()
        wire.send(ciphertext[:100])
        assert server.readable()  # the socket says so; there is nothing to be had
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            server.receive(memoryview(bytearray(100)), 0.2)
        assert time.monotonic() - started < 2
        wire.sendall(ciphertext[100:])
        assert receive_all(server, 5000) == b"y" * 5000


def test_a_damaged_record_ends_the_connection(files: Files) -> None:
    with connected(files) as (client, server):
        client._tls.write(b"z" * 100)
        damaged = bytearray(client._outgoing.read())
        damaged[-1] ^= 1
        client.sock.sendall(damaged)
        with pytest.raises(TlsError):
            server.receive(memoryview(bytearray(100)), 5)


def test_the_end_is_told_both_ways(files: Files) -> None:
    with connected(files) as (client, server):
        client.send([b"bye"], 5)
        client.finish_writing()
        assert receive_all(server, 3) == b"bye"
        assert server.receive(memoryview(bytearray(10)), 5) == 0
        server.send([b"bye too"], 5)
        assert receive_all(client, 7) == b"bye too"


def test_another_thread_ends_a_read_that_waits(files: Files) -> None:
    with connected(files) as (_, server):
        timer = threading.Timer(0.1, server.stop_reading)
        timer.start()
        assert server.receive(memoryview(bytearray(10)), 10) == 0
        timer.join()


@contextmanager
def serving(files: Files, log: list[str]) -> Iterator[TlsTransport]:
    """An established association with a server that answers C-FIND for long, under TLS."""
    client, server = both(files, files.tls(files.peer))
    association = Association.accepting(65536, 16384, 1 << 20, artim_s=5, closing_s=0.3, now=time.monotonic())
    connection = ServerConnection(server, association, QUICK)
    connection.decide = lambda connection, request: ACCEPT
    connection.begin = lambda connection, context, request: Echoing(request, log)
    thread = threading.Thread(target=connection.run)
    thread.start()
    client.start(10)
    client.send([codec.encode(REQUEST)], 10)
    assert client.receive(memoryview(bytearray(BUFFER)), 10)
    yield client
    client.close()
    thread.join(10)
    assert not thread.is_alive()


def pieces(message: messages.Message, dataset: bytes | None = None) -> bytes:
    return pdata.message(1, messages.encode(message), dataset, 16384)


def last_status(client: TlsTransport) -> int:
    """Of the final C-FIND response."""
    got = bytearray()
    buffer = memoryview(bytearray(BUFFER))
    while True:
        got += buffer[: client.receive(buffer, 10)]
        for status in (0xFE00, 0):
            if got.endswith(pieces(Response(0x8020, 1, status))):
                return status


FIND, CANCEL = CFindRequest(1, VERIFICATION), CCancelRequest(1)


def test_a_cancel_in_the_record_of_its_request_is_heard(files: Files) -> None:
    log: list[str] = []
    with serving(files, log) as client:
        client.send([pieces(FIND, b"identifier") + pieces(CANCEL)], 10)
        assert last_status(client) == 0xFE00 and "cancel" in log


def test_a_cancel_that_comes_in_pieces_of_a_record_is_heard_and_hurts_nothing(files: Files) -> None:
    """The socket is readable while there is nothing to be read yet: not the end of the association."""
    log: list[str] = []
    with serving(files, log) as client:
        client.send([pieces(FIND, b"identifier")], 10)
        client._tls.write(pieces(CANCEL))
        ciphertext = client._outgoing.read()
        for at in range(0, len(ciphertext), 40):
            client.sock.sendall(ciphertext[at : at + 40])
            time.sleep(0.02)
        assert last_status(client) == 0xFE00 and "cancel" in log


def test_a_client_that_leaves_ends_its_query(files: Files) -> None:
    log: list[str] = []
    with serving(files, log) as client:
        client.send([pieces(FIND, b"identifier")], 10)
        client.receive(memoryview(bytearray(BUFFER)), 10)
    assert log[-1] == "abandon"


def test_the_dates_of_certificates_and_lists(files: Files) -> None:
    now = datetime.now(UTC)
    end = end_of_certificate(files.node.certificate.read_text())
    assert abs(end - now - timedelta(days=365)) < timedelta(minutes=5)
    assert end_of_certificate(files.old.certificate.read_text()) < now
    until = end_of_revocation_list(files.revoked.read_text())
    assert until is not None and abs(until - now - timedelta(days=30)) < timedelta(minutes=5)
    ca = end_of_certificate(files.authority.certificate.read_text())
    assert ca.year == (now + timedelta(days=3650)).year


@pytest.mark.parametrize("pem", ["", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_is_said(pem: str) -> None:
    with pytest.raises(ValueError):
        end_of_certificate(pem)


def test_files_that_cannot_be_used_are_named(files: Files, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    wrong = [
        (Tls(certificate=files.node.certificate, key=files.peer.key), "the key does not belong"),
        (Tls(certificate=empty, key=files.node.key), "tls.certificate: .*empty.pem"),
        (Tls(certificate=files.node.certificate, key=empty), "tls.key: .*empty.pem: cannot be used"),
        (Tls(certificate=files.node.certificate, key=tmp_path / "none"), "tls.key: .*none: No such file"),
        (Tls(certificate=tmp_path / "none", key=files.node.key), "tls.certificate: .*none: No such file"),
        (Tls(authorities=empty), "tls.authorities: .*empty.pem: there is nothing of that kind"),
        (files.tls(files.node, revoked=tmp_path / "none.crl"), "tls.revoked: .*none.crl: No such file"),
    ]
    for tls, message in wrong:
        with pytest.raises(UsageError, match=message):
            server_context(tls, "none")
