"""kill -9 during ingest: whatever was acknowledged is there, whole, and found again. 50 rounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.support import check_promise, killed_again_and_again

ROUNDS = 50


@pytest.mark.timeout(600)
def test_what_was_acknowledged_survives_fifty_kills(tmp_path: Path) -> None:
    archive, senders = killed_again_and_again(tmp_path, ROUNDS, seed=20260301)
    check_promise(archive, senders, spare=True)
