"""TLS under attack (THREATS section 4; classes 6, 16 and 17 on the TLS port)."""

from __future__ import annotations

import re
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import bench.tls
from fastdicom.net.crew import IDLE_MAX
from tests.support import procfs, rawpdu, rawtls
from tests.support.certificates import Authority, Pair
from tests.support.rawcommand import Field, request
from tests.support.rawdicom import IMPLICIT_LE, VERIFICATION, seconds_to_echo
from tests.support.rawpdu import Proposal
from tests.support.tls_node import TlsNode, secure_association, tls_node
from tests.support.waiting import wait_for

HANDSHAKE_S = 3.0


class Setup:
    """A node, and certificates that it should and should not take."""

    def __init__(self, target: TlsNode, good: Pair) -> None:
        self.target = target
        self.good = good

    def said_since(self, mark: int) -> str:
        return self.target.node.log[mark:]

    def echo_seconds(self) -> float:
        started = time.monotonic()
        association = secure_association(self.target.port, self.target.authority, self.good)
        assert association.echo() == 0
        association.release()
        return time.monotonic() - started


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder / "ca")
    good = authority.issue("good")
    tls = {"handshake": f"{HANDSHAKE_S:.0f} s"}
    with tls_node(folder / "node", authority, tls) as target:
        yield Setup(target, good)


def first_answer(port: int, data: bytes) -> bytes:
    """What comes back until the peer closes."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(data)
        answer = b""
        try:
            while piece := sock.recv(4096):
                answer += piece
        except ConnectionResetError:
            pass
    return answer


ATTACKS = {
    "plain DICOM": rawpdu.associate_rq([Proposal(1, VERIFICATION, (IMPLICIT_LE,))]),
    "HTTP": b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
    "SSL 2": rawtls.ssl2_hello(),
    "lying record length": rawtls.record(rawtls.HANDSHAKE, b"\x01\x00\x00\x10" + bytes(16), length=0x4801),
    "lying message length": rawtls.record(rawtls.HANDSHAKE, b"\x01\xff\xff\xff" + bytes(1000)),
    "data before the handshake": rawtls.record(23, bytes(100)),
    "an alert": rawtls.record(rawtls.ALERT, b"\x02\x28"),
    "garbage": bytes(range(255, 0, -1)) * 4,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_is_no_handshake_ends_at_once(setup: Setup, name: str) -> None:
    mark = len(setup.target.node.log)
    started = time.monotonic()
    first_answer(setup.target.port, ATTACKS[name])
    assert time.monotonic() - started < HANDSHAKE_S
    assert setup.echo_seconds() < 2
    wait_for(lambda: "TLS: " in setup.said_since(mark), lambda: "the log does not say why")
    assert "Traceback" not in setup.said_since(mark)


@pytest.mark.parametrize(
    ("name", "cause"),
    [("plain DICOM", "plain DICOM on our TLS port"), ("HTTP", "HTTP"), ("SSL 2", "SSL version 2")],
)
def test_the_log_names_what_the_peer_spoke(setup: Setup, name: str, cause: str) -> None:
    mark = len(setup.target.node.log)
    first_answer(setup.target.port, ATTACKS[name])
    wait_for(lambda: cause in setup.said_since(mark), lambda: setup.said_since(mark))


HELLO = rawtls.client_hello()


@pytest.mark.parametrize(
    "start", [HELLO[: len(HELLO) // 2], HELLO[:3], rawtls.record(rawtls.HANDSHAKE, b""), b""]
)
def test_a_cut_hello_ends_when_the_handshake_has_had_its_time(setup: Setup, start: bytes) -> None:
    started = time.monotonic()
    first_answer(setup.target.port, start)
    assert HANDSHAKE_S / 2 < time.monotonic() - started < HANDSHAKE_S + 3


@pytest.mark.parametrize("version", [rawtls.SSL3, rawtls.TLS1_0, rawtls.TLS1_1])
def test_old_versions_are_refused(setup: Setup, version: int) -> None:
    answer = first_answer(setup.target.port, rawtls.client_hello(version))
    refusals = (rawtls.PROTOCOL_VERSION, rawtls.HANDSHAKE_FAILURE)
    assert answer[0] == rawtls.ALERT and answer[5] == rawtls.FATAL and answer[6] in refusals


@pytest.mark.parametrize("kind", rawtls.REFUSED_SUITES)
def test_weak_suites_are_refused(setup: Setup, kind: str) -> None:
    answer = first_answer(setup.target.port, rawtls.client_hello(suites=rawtls.REFUSED_SUITES[kind]))
    assert answer[:1] == bytes([rawtls.ALERT])
    assert answer[5:7] == bytes((rawtls.FATAL, rawtls.HANDSHAKE_FAILURE))


def test_the_hello_of_these_tests_is_a_good_one(setup: Setup) -> None:
    """With a suite of the profile the node answers with its ServerHello: the refusals were for the suite."""
    with socket.create_connection(("127.0.0.1", setup.target.port), 10) as sock:
        sock.sendall(rawtls.client_hello(suites=(rawtls.ECDHE_RSA_AES128_GCM,)))
        assert sock.recv(6)[:1] == bytes([rawtls.HANDSHAKE])


def test_thirty_stalled_handshakes_stop_nobody(setup: Setup) -> None:
    pid = setup.target.node.pid
    fewest = procfs.thread_count(pid)
    with ExitStack() as stack:  # as many threads as are kept for the next connection are there from here on
        for _ in range(30):
            stack.enter_context(socket.create_connection(("127.0.0.1", setup.target.port), 10))
        wait_for(lambda: procfs.thread_count(pid) >= 30, lambda: "not every connection has a thread")
    wait_for(
        lambda: procfs.thread_count(pid) <= fewest + IDLE_MAX,
        lambda: "threads of connections stay",
        HANDSHAKE_S + 5,
    )
    time.sleep(0.5)  # the last ones end
    threads = procfs.thread_count(pid)
    alone = statistics.median(setup.echo_seconds() for _ in range(5))
    hello = rawtls.client_hello(suites=(rawtls.ECDHE_RSA_AES128_GCM,))
    with ExitStack() as stack:
        for number in range(30):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", setup.target.port), 10))
            sock.sendall((b"", hello[:20], hello)[number % 3])
        crowded = [setup.echo_seconds() for _ in range(5)]
        plain = [seconds_to_echo(setup.target.node.port) for _ in range(5)]
    assert statistics.median(crowded) < alone + 0.1 and max(crowded) < 1, (alone, crowded)
    assert max(plain) < 1
    wait_for(
        lambda: procfs.thread_count(pid) <= threads + 1,
        lambda: "threads of stalled handshakes stay",
        HANDSHAKE_S + 5,
    )


def test_a_flood_of_handshakes_leaves_no_memory_behind(setup: Setup) -> None:
    """OpenSSL keeps sessions by context: without a ceiling each handshake would leave some."""
    pid = setup.target.node.pid
    for _ in range(300):
        setup.echo_seconds()
    before = procfs.resident_mb(pid)
    for _ in range(1200):
        setup.echo_seconds()
    assert procfs.resident_mb(pid) - before < 8


def test_many_requests_in_one_record_are_all_answered(setup: Setup) -> None:
    """The socket is silent while most of them wait in OpenSSL."""
    association = secure_association(setup.target.port, setup.target.authority, setup.good)
    association.send(b"".join(_echo(number) for number in range(200)))
    assert [association.read_message().status for _ in range(200)] == [0] * 200
    association.release()


def _echo(number: int) -> bytes:
    command = request(Field.C_ECHO, VERIFICATION, number + 1, data=False)
    return b"".join(rawpdu.fragments(1, command, command=True))


def test_the_bench_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.tls.main(["--megabytes", "4", "--rounds", "1"]) in (0, 1)  # how fast, a busy machine says
    assert "median: plain" in capsys.readouterr().out


def test_reload_takes_a_new_certificate_and_a_revocation_without_dropping_anybody(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    good, lost = authority.issue("good"), authority.issue("lost")
    crl = authority.revocation_list()
    with tls_node(tmp_path / "node", authority, {"revoked": str(crl)}) as target:
        stays = secure_association(target.port, authority, lost)
        newer = authority.issue("newer", rsa=True)
        authority.revoke(lost)
        authority.revocation_list()
        target.pair.key.write_bytes(newer.key.read_bytes())
        target.pair.certificate.write_bytes(newer.certificate.read_bytes())
        wait_for(lambda: "loaded again" in target.node.log, lambda: target.node.log, 10)
        with pytest.raises(OSError, match="revoked"):
            secure_association(target.port, authority, lost).echo()
        fresh = secure_association(target.port, authority, good)
        assert {"newer"} == set(
            re.findall(r"'commonName', '(\w+)'", str(fresh.sock.getpeercert()["subject"]))
        )  # type: ignore[attr-defined]
        assert stays.echo() == 0
        fresh.release()
        target.pair.key.write_text("no key any more")
        wait_for(lambda: "stays in force" in target.node.log, lambda: target.node.log, 10)
        secure_association(target.port, authority, good).release()
        stays.release()
