"""Who is measured: our node with both durabilities and the peers, each in a fresh folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.node import Table, fastdicom_node, peer_table
from tests.support.peers import dcmqrscp, orthanc, pynetdicom_qrscp, pynetdicom_storescp, storescp
from tests.support.processes import Peer, PeerMissing

SINK = "SINK"
OURS = "fastdicom"
STORE, ARCHIVE, OTHER = "store", "archive", "other"  # ingest; find and move; echo, associations, idle
OURS_ONLY = "ours"  # huge objects, starting
EVERYTHING = frozenset({STORE, ARCHIVE, OTHER})

Starter = Callable[[Path, int], AbstractContextManager[Peer]]


@dataclass(frozen=True)
class Entry:
    """A row of the table: how it is started, what it takes part in, and the part of a load it is given."""

    start: Starter
    roles: frozenset[str] = EVERYTHING
    share: float = 1.0  # a slow peer gets fewer objects, so that it does not take the run's time


@dataclass(frozen=True)
class Server:
    """A running server under its row's name."""

    name: str
    peer: Peer
    roles: frozenset[str]
    share: float
    failed: dict[str, str] = field(default_factory=dict)  # load -> why it is not asked again


def _node(durability: str) -> Starter:
    def start(folder: Path, sink: int) -> AbstractContextManager[Peer]:
        changes: dict[str, Table] = {
            "node": {"max_associations": 2000},
            "archive": {"durability": durability},
        }
        return fastdicom_node(folder, changes, peers=[peer_table(SINK, sink)])

    return start


ENTRIES = {
    OURS: Entry(_node("full"), EVERYTHING | {OURS_ONLY}),
    "fastdicom-os": Entry(_node("os"), frozenset({STORE})),
    "storescp": Entry(lambda folder, _: storescp(folder, "+B", "--fork", "+xa"), frozenset({STORE, OTHER})),
    "dcmqrscp": Entry(lambda folder, sink: dcmqrscp(folder, destinations=[(SINK, sink)]), share=0.25),
    "orthanc": Entry(lambda folder, sink: orthanc(folder, destinations=[(SINK, sink)])),
    "pynetdicom-storescp": Entry(
        lambda folder, _: pynetdicom_storescp(folder), frozenset({STORE, OTHER}), 0.1
    ),
    "pynetdicom-qrscp": Entry(
        lambda folder, sink: pynetdicom_qrscp(folder, destinations=[(SINK, sink)]), share=0.05
    ),
}


def start_all(names: list[str], folder: Path, sink: int, stack: ExitStack) -> tuple[list[Server], list[str]]:
    """Every named server that is installed, stopped with `stack`; and what is missing, with the reason."""
    started, missing = [], []
    for name in names:
        entry = ENTRIES[name]
        try:
            peer = stack.enter_context(entry.start(folder / name, sink))
        except PeerMissing as reason:
            missing.append(f"{name}: {reason}")
            continue
        started.append(Server(name, peer, entry.roles, entry.share))
    return started, missing
