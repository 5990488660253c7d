"""A node for each module, with every peer that it may send to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node import Node, fastdicom_node, peer_table
from tests.support.rawserver import RawServer, Sink


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is marked `interop`."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.interop)


@pytest.fixture
def sink() -> Sink:
    """A raw Storage SCP that keeps what it gets."""
    return Sink()


@pytest.fixture
def sink_server(sink: Sink) -> Iterator[RawServer]:
    """The sink, listening."""
    with RawServer(sink.serve) as server:
        yield server


@pytest.fixture
def node(tmp_path: Path, sink_server: RawServer) -> Iterator[Node]:
    """An empty node that knows the sink as SINK."""
    with fastdicom_node(tmp_path / "node", peers=[peer_table("SINK", sink_server.port)]) as started:
        yield started
