"""The servers side by side, each as its users start it, and what each can be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import peers
from tests.support.node import fastdicom_node, peer_table
from tests.support.peers import Destinations
from tests.support.processes import Peer

Start = Callable[[Path, Destinations], AbstractContextManager[Peer]]


@dataclass(frozen=True)
class Server:
    """One row of the tables. durable: what its Success promises. associations_max: what it takes at once."""

    name: str
    start: Start
    durable: str
    associations_max: int = 10_000
    queries: bool = True


@contextmanager
def _fastdicom(folder: Path, destinations: Destinations, durability: str) -> Iterator[Peer]:
    changes: dict[str, dict[str, Any]] = {
        "node": {"max_associations": 2000},
        "archive": {"durability": durability},
        "timeouts": {"idle": "600 s"},
        "log": {"level": "WARNING"},
    }
    table = [peer_table(title, port) for title, port in destinations]
    with fastdicom_node(folder, changes, peers=table) as node:
        yield node


def _storescp(folder: Path, destinations: Destinations) -> AbstractContextManager[Peer]:
    return peers.storescp(folder, "+B", "--fork", "-q")


def _dcmqrscp(folder: Path, destinations: Destinations) -> AbstractContextManager[Peer]:
    return peers.dcmqrscp(folder, "-q", destinations=destinations)


def _orthanc(folder: Path, destinations: Destinations) -> AbstractContextManager[Peer]:
    return peers.orthanc(folder, destinations=destinations)


def _pynetdicom(folder: Path, destinations: Destinations) -> AbstractContextManager[Peer]:
    return peers.pynetdicom_storescp(folder)


def _qrscp(folder: Path, destinations: Destinations) -> AbstractContextManager[Peer]:
    return peers.pynetdicom_qrscp(folder, destinations=destinations)


SERVERS = {
    server.name: server
    for server in (
        Server("fastdicom", lambda folder, to: _fastdicom(folder, to, "full"), "file and index"),
        Server("fastdicom-os", lambda folder, to: _fastdicom(folder, to, "os"), "no"),
        Server("storescp", _storescp, "no", queries=False),
        Server("dcmqrscp", _dcmqrscp, "no", associations_max=16),
        Server("orthanc", _orthanc, "file only"),
        Server("pynetdicom", _pynetdicom, "no", associations_max=10, queries=False),
        Server("pynetdicom-qrscp", _qrscp, "no", associations_max=10),
    )
}
DEFAULT = ("fastdicom", "fastdicom-os", "storescp", "dcmqrscp", "orthanc", "pynetdicom")
REFERENCE = "fastdicom"
