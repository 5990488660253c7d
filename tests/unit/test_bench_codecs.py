"""bench/codecs.py runs, and every tool in it agrees with ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_small_mode_measures_every_row_and_finds_no_difference() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.codecs", "--small"],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    for action in ("memcpy", "RLE decode, planes", "RLE encode", "YBR_FULL to RGB", "JPEG predictor 1"):
        assert action in done.stdout
    assert "DIFFERENT" not in done.stdout
