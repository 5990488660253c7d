"""bench/kernels.py runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_small_bench_of_the_data_set_kernels_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.kernels", "--small"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert "fastdicom scan" in done.stdout
    assert "16-bit image, explicit LE to explicit BE" in done.stdout
