"""An empty index in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fastdicom.index.environment import Index


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """Without fsync: what is tested here is not the disk."""
    with Index.open(tmp_path / "index", sync=False) as opened:
        yield opened
