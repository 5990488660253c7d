"""Everything in this folder is of the crash suite."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/crash/" in item.path.as_posix():
            item.add_marker(pytest.mark.crash)
