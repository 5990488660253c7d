"""One container for all tests of this folder: booting and installing take longer than most of them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.systemd.container import ENVIRONMENT, Container, Unavailable, booted
from tests.systemd.node import Node


@pytest.fixture(scope="session")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A booted container with fastdicom in an environment of its own, and no service yet."""
    try:
        with booted(tmp_path_factory.mktemp("container")) as found:
            yield found
    except Unavailable as reason:
        if os.environ.get("FASTDICOM_REQUIRE_SYSTEMD") == "1":
            raise
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def installed(container: Container) -> Node:
    """The service installed by its own command, not started."""
    container.run(f"{ENVIRONMENT}/bin/fastdicom", "install-service")
    return Node(container)


@pytest.fixture
def node(installed: Node) -> Iterator[Node]:
    """The service, running with its own configuration; afterwards nothing of the test is left."""
    installed.reset()
    installed.start()
    yield installed
    installed.reset()
