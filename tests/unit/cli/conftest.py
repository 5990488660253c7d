"""The command line with stand-ins behind it."""

from __future__ import annotations

import pytest

import fastdicom
from tests.support.fake_api import FakeArchive, FakePeer


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> FakePeer:
    """What `fastdicom.connect` gives."""
    fake = FakePeer()
    monkeypatch.setattr(fastdicom, "connect", fake.connect, raising=False)
    return fake


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> FakeArchive:
    """What `fastdicom.Archive` opens."""
    fake = FakeArchive()
    monkeypatch.setattr(fastdicom, "Archive", fake.open, raising=False)
    return fake
