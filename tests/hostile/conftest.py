"""One server for each module; a module that needs another configuration sets CHANGES."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.harness import Keeper, Target

LENIENT_TIMES = {"timeouts": {"artim": "60 s", "idle": "60 s"}}  # so that an end at once is not a timeout


@pytest.fixture(scope="module")
def keeper(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    """The module's server."""
    changes = getattr(request.module, "CHANGES", LENIENT_TIMES)
    kept = Keeper(lambda: tmp_path_factory.mktemp("hostile"), changes)
    yield kept
    kept.close()


@pytest.fixture
def target(keeper: Keeper) -> Target:
    """A living server, shared with the other tests of the module."""
    return keeper.target()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is marked `hostile`."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.hostile)
