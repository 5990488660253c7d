"""Real peers on free loopback ports with folders of their own: DCMTK, Orthanc, pynetdicom.

Each is a context manager that yields a `Peer` once it answers, and raises PeerMissing (a skip with a
reason) when the program is not installed. `destinations` are (AE title, port) pairs for C-MOVE.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.processes import Peer, free_port, missing, program, running, spawn

Destinations = Sequence[tuple[str, int]]


@contextmanager
def storescp(folder: Path, *options: str, ae_title: str = "STORESCP") -> Iterator[Peer]:
    """DCMTK's storescp; the instances land in `folder`/received. `options` as on its command line."""
    executable = program("storescp")
    received = folder / "received"
    received.mkdir(parents=True, exist_ok=True)
    port = free_port()
    argv: list[str | Path] = [executable, "-aet", ae_title, "-od", received, "-dhl", *options, str(port)]
    peer = Peer("storescp", ae_title, port, folder, spawn(argv, folder), secure="+tls" in options)
    with running(peer):
        yield peer


DCMQRSCP_CONFIG = """\
NetworkTCPPort  = {port}
MaxPDUSize      = 65536
MaxAssociations = 64
HostTable BEGIN
{hosts}
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{ae_title} {storage} RW (500, 1000gb) ANY
AETable END
"""


@contextmanager
def dcmqrscp(
    folder: Path, *options: str, destinations: Destinations = (), ae_title: str = "DCMQRSCP"
) -> Iterator[Peer]:
    """DCMTK's dcmqrscp with one storage area in `folder`/storage."""
    executable = program("dcmqrscp")
    storage = folder / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    port = free_port()
    hosts = "\n".join(f"host{at} = ({title}, 127.0.0.1, {to})" for at, (title, to) in enumerate(destinations))
    config = folder / "dcmqrscp.cfg"
    config.write_text(DCMQRSCP_CONFIG.format(port=port, hosts=hosts, ae_title=ae_title, storage=storage))
    process = spawn([executable, "-c", config, *options], folder)
    with running(Peer("dcmqrscp", ae_title, port, folder, process)) as peer:
        yield peer


def _orthanc_settings(folder: Path, destinations: Destinations) -> dict[str, Any]:
    storage = str(folder / "storage")
    return {
        "Name": "peer",
        "StorageDirectory": storage,
        "IndexDirectory": storage,
        "Plugins": [],
        "HttpPort": free_port(),
        "DicomPort": free_port(),
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "UnknownSopClassAccepted": True,
        "SyncStorageArea": True,
        "DicomModalities": {title.lower(): [title, "127.0.0.1", port] for title, port in destinations},
    }


@contextmanager
def orthanc(
    folder: Path, settings: dict[str, Any] | None = None, *, destinations: Destinations = ()
) -> Iterator[Peer]:
    """Orthanc; modalities carry the lower-case AE title as name. `settings` replace ours in its JSON."""
    executable = program("Orthanc")
    chosen = _orthanc_settings(folder, destinations) | (settings or {})
    Path(chosen["StorageDirectory"]).mkdir(parents=True, exist_ok=True)
    config = folder / "orthanc.json"
    config.write_text(json.dumps(chosen, indent=1))
    process = spawn([executable, config], folder)
    peer = Peer("orthanc", chosen["DicomAet"], chosen["DicomPort"], folder, process, chosen["HttpPort"])
    peer.secure = bool(chosen.get("DicomTlsEnabled"))
    with running(peer) as started:
        yield started


def _require_module(name: str, why: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise missing(f"Python module {name} is not installed ({why})")


@contextmanager
def pynetdicom_storescp(folder: Path, *options: str, ae_title: str = "PYNETDICOM") -> Iterator[Peer]:
    """pynetdicom's storescp application; the instances land in `folder`/received."""
    _require_module("pynetdicom", "its storescp")
    received = folder / "received"
    received.mkdir(parents=True, exist_ok=True)
    port = free_port()
    argv = [sys.executable, "-m", "pynetdicom", "storescp", "-q", "-aet", ae_title, "-ba", "127.0.0.1"]
    process = spawn([*argv, "-od", received, *options, str(port)], folder)
    with running(Peer("pynetdicom-storescp", ae_title, port, folder, process)) as peer:
        yield peer


PYNETDICOM_QRSCP_CONFIG = """\
[DEFAULT]
ae_title: {ae_title}
port: {port}
max_pdu: 16382
acse_timeout: 30
dimse_timeout: 30
network_timeout: 30
bind_address: 127.0.0.1
instance_location: {folder}/instances
database_location: {folder}/instances.sqlite
log_identifier: False
{hosts}
"""


@contextmanager
def pynetdicom_qrscp(
    folder: Path, *, destinations: Destinations = (), ae_title: str = "QRSCP"
) -> Iterator[Peer]:
    """pynetdicom's qrscp application (needs SQLAlchemy)."""
    _require_module("pynetdicom", "its qrscp")
    _require_module("sqlalchemy", "pynetdicom's qrscp")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    hosts = "".join(f"[{title}]\naddress: 127.0.0.1\nport: {to}\n" for title, to in destinations)
    config = folder / "qrscp.ini"
    config.write_text(
        PYNETDICOM_QRSCP_CONFIG.format(ae_title=ae_title, port=port, folder=folder, hosts=hosts)
    )
    os.makedirs(folder / "instances", exist_ok=True)
    process = spawn([sys.executable, "-m", "pynetdicom", "qrscp", "-q", "-c", config], folder)
    with running(Peer("pynetdicom-qrscp", ae_title, port, folder, process)) as peer:
        yield peer
