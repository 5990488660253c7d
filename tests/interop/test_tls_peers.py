"""TLS with DCMTK, Orthanc and pynetdicom, both directions."""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.studies import Instance, by_uid, data_sets_in, make_study, store_raw
from tests.support import peers
from tests.support.certificates import Authority, Pair
from tests.support.cli import dcmtk, fastdicom, run
from tests.support.node import peer_table
from tests.support.processes import Peer, program
from tests.support.rawdicom import VERIFICATION
from tests.support.tls_node import TlsNode, tls_node

CALLED = ("-aec", "FASTDICOM")


class World:
    """An authority and whom it knows."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "ca")
        self.peer = self.authority.issue("peer", rsa=True)
        self.old = self.authority.issue("old", rsa=True, days=-3)
        self.stranger = Authority(folder / "strange", "Strange CA").issue("stranger", rsa=True)

    def dcmtk(self, pair: Pair | None = None) -> list[str]:
        """DCMTK's options: as `pair`, trusting our authority."""
        own = pair or self.peer
        return ["+tls", str(own.key), str(own.certificate), "+cf", str(self.authority.certificate)]

    def ours(self, pair: Pair | None = None) -> list[str]:
        """The options of our commands for the same."""
        own = pair or self.peer
        files = ["--tls-certificate", str(own.certificate), "--tls-key", str(own.key)]
        return ["--tls-authorities", str(self.authority.certificate), *files]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def target(tmp_path: Path, world: World) -> Iterator[TlsNode]:
    with tls_node(tmp_path / "node", world.authority) as node:
        yield node


@pytest.fixture
def study(tmp_path: Path) -> list[Instance]:
    return make_study(tmp_path / "files", run=6, names=("explicit_le", "implicit_le"))


# ---------------------------------------------------------------------------------------- DCMTK


@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"])
def test_echoscu_by_its_profiles(target: TlsNode, world: World, profile: str) -> None:
    dcmtk("echoscu", *world.dcmtk(), profile, *CALLED, "127.0.0.1", target.port)


def test_storescu(target: TlsNode, world: World, study: list[Instance]) -> None:
    paths = [one.path for one in study]
    dcmtk("storescu", *world.dcmtk(), *CALLED, "127.0.0.1", target.port, *paths)
    told = fastdicom("find", "127.0.0.1", target.port, *world.ours(), "-k", "PatientName=*", "--json")
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("who", ["old", "stranger"])
def test_echoscu_with_a_certificate_that_is_no_good(target: TlsNode, world: World, who: str) -> None:
    options = world.dcmtk(getattr(world, who))
    status, _ = run([program("echoscu"), *options, *CALLED, "127.0.0.1", target.port])
    assert status != 0
    assert "the peer's certificate is refused" in target.node.log


def test_echoscu_plain_on_the_tls_port(target: TlsNode) -> None:
    status, _ = run([program("echoscu"), *CALLED, "127.0.0.1", target.port])
    assert status != 0 and "plain DICOM on our TLS port" in target.node.log


def test_echoscu_with_tls_on_the_plain_port(target: TlsNode, world: World) -> None:
    status, _ = run([program("echoscu"), *world.dcmtk(), *CALLED, "127.0.0.1", target.node.port])
    assert status != 0 and "it speaks TLS and this end plain DICOM" in target.node.log


def test_send_to_storescp(tmp_path: Path, world: World, study: list[Instance]) -> None:
    with peers.storescp(tmp_path / "scp", "+xa", "+B", "--fork", *world.dcmtk()) as scp:
        called = ["--called", scp.ae_title]
        fastdicom("echo", "127.0.0.1", scp.port, *called, *world.ours())
        fastdicom("send", "127.0.0.1", scp.port, study[0].path.parent, *called, *world.ours())
        assert data_sets_in(scp.folder / "received") == by_uid(study)


def test_our_commands_name_the_cause(tmp_path: Path, world: World) -> None:
    with peers.storescp(tmp_path / "scp", "--fork", *world.dcmtk()) as scp:
        told = fastdicom("echo", "127.0.0.1", scp.port, expect=3)
        assert "TLS" in told, told
        told = fastdicom("echo", "127.0.0.1", scp.port, *world.ours(world.stranger), expect=3)
        assert "does not trust the authority of our certificate" in told
        told = fastdicom("echo", "127.0.0.1", scp.port, *world.ours(world.old), expect=3)
        assert "our certificate has expired" in told
        told = fastdicom("echo", "127.0.0.1", scp.port, *world.ours(), "--tls-name", "other", expect=3)
        assert "the peer's certificate is of localhost, peer, not of other" in told
    with peers.storescp(tmp_path / "plain", "--fork") as scp:
        told = fastdicom("echo", "127.0.0.1", scp.port, *world.ours(), expect=3)
        assert "plain DICOM on this port" in told or "does its port speak TLS?" in told


def test_move_over_tls_to_a_storescp_over_tls(tmp_path: Path, world: World, study: list[Instance]) -> None:
    with peers.storescp(tmp_path / "scp", "+B", "+xa", "--fork", *world.dcmtk()) as scp:
        table = peer_table(scp.ae_title, scp.port, tls=True, certificates=["peer"])
        with tls_node(tmp_path / "node", world.authority, peers=[table]) as target:
            store_raw(target.node.port, study)
            keys = ["-k", f"StudyInstanceUID={study[0].study}", "--destination", scp.ae_title]
            fastdicom("move", "127.0.0.1", target.port, *keys, *world.ours())
        assert data_sets_in(scp.folder / "received") == by_uid(study)


def test_a_destination_with_another_certificate_gets_nothing(
    tmp_path: Path, world: World, study: list[Instance]
) -> None:
    with peers.storescp(tmp_path / "scp", "+B", "+xa", "--fork", *world.dcmtk()) as scp:
        table = peer_table(scp.ae_title, scp.port, tls=True, certificates=["somebody"])
        with tls_node(tmp_path / "node", world.authority, peers=[table]) as target:
            store_raw(target.node.port, study)
            keys = ["-k", f"StudyInstanceUID={study[0].study}", "--destination", scp.ae_title]
            fastdicom("move", "127.0.0.1", target.port, *keys, *world.ours(), expect=1)
            assert "is of localhost, peer, not of somebody" in target.node.log
        assert data_sets_in(scp.folder / "received") == {}


# ---------------------------------------------------------------------------------------- Orthanc


@pytest.fixture
def orthanc(tmp_path: Path, world: World) -> Iterator[Peer]:
    settings: dict[str, Any] = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(world.peer.certificate),
        "DicomTlsPrivateKey": str(world.peer.key),
        "DicomTlsTrustedCertificates": str(world.authority.certificate),
        "DicomTlsRemoteCertificateRequired": True,
    }
    with peers.orthanc(tmp_path / "orthanc", settings) as server:
        yield server


def rest(orthanc: Peer, path: str, body: Any, method: str = "POST") -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"http://127.0.0.1:{orthanc.http_port}{path}"
    with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=60) as answer:
        raw = answer.read()
    return json.loads(raw) if raw[:1] in (b"[", b"{") else raw


def test_orthanc_echoes_and_sends_over_tls(target: TlsNode, orthanc: Peer, study: list[Instance]) -> None:
    modality = {"AET": "FASTDICOM", "Host": "127.0.0.1", "Port": target.port, "UseDicomTls": True}
    rest(orthanc, "/modalities/node", modality, "PUT")
    rest(orthanc, "/modalities/node/echo", {})
    identifiers = [rest(orthanc, "/instances", one.path.read_bytes())["ID"] for one in study]
    rest(orthanc, "/modalities/node/store", identifiers)
    told = fastdicom("find", "--archive", target.node.archive, "--level", "IMAGE", "--json")
    assert len(told.splitlines()) == len(study)


def test_send_to_orthanc_over_tls(orthanc: Peer, world: World, study: list[Instance]) -> None:
    called = ["--called", orthanc.ae_title]
    fastdicom("echo", "127.0.0.1", orthanc.port, *called, *world.ours())
    fastdicom("send", "127.0.0.1", orthanc.port, study[0].path.parent, *called, *world.ours())
    with urllib.request.urlopen(f"http://127.0.0.1:{orthanc.http_port}/instances", timeout=60) as answer:
        assert len(json.loads(answer.read())) == len(study)
    fastdicom("echo", "127.0.0.1", orthanc.port, *called, expect=3)


# ---------------------------------------------------------------------------------------- pynetdicom


def context_of(world: World, purpose: int) -> ssl.SSLContext:
    context = ssl.SSLContext(purpose)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(world.peer.certificate, world.peer.key)
    context.load_verify_locations(world.authority.certificate)
    return context


def test_pynetdicom_as_client(target: TlsNode, world: World) -> None:
    pynetdicom = pytest.importorskip("pynetdicom")
    entity = pynetdicom.AE(ae_title="PYNETSCU")
    entity.add_requested_context(VERIFICATION)
    association = entity.associate(
        "127.0.0.1",
        target.port,
        ae_title="FASTDICOM",
        tls_args=(context_of(world, ssl.PROTOCOL_TLS_CLIENT), None),
    )
    assert association.is_established
    assert association.send_c_echo().Status == 0
    association.release()


def test_pynetdicom_as_server(world: World) -> None:
    pynetdicom = pytest.importorskip("pynetdicom")
    entity = pynetdicom.AE(ae_title="PYNETSCP")
    entity.add_supported_context(VERIFICATION)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, ssl_context=context_of(world, ssl.PROTOCOL_TLS_SERVER)
    )
    try:
        fastdicom("echo", "127.0.0.1", server.server_address[1], *world.ours())
        told = fastdicom("echo", "127.0.0.1", server.server_address[1], "--timeout", "5 s", expect=3)
        assert "TLS" in told, told
    finally:
        server.shutdown()
