"""bench/transcode.py runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_small_mode_moves_a_series() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "transcode.py"), "--small"],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "ms CPU an object" in done.stdout
