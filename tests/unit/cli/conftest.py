"""The command line with stand-ins behind it."""

from __future__ import annotations

import pytest

import fastdicom
from tests.support.fake_api import FakeArchive, FakePeer


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> FakePeer:
    """What `fastdicom.PeerConnection` makes."""
    fake = FakePeer()
    monkeypatch.setitem(vars(fastdicom), "PeerConnection", fake.connection)
    return fake


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> FakeArchive:
    """What `fastdicom.Archive` opens."""
    fake = FakeArchive()
    monkeypatch.setitem(vars(fastdicom), "Archive", fake.open)
    return fake
