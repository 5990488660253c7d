"""The bench cannot rot: its small mode runs, and the archives that it makes are what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_small_bench_runs() -> None:
    command = [sys.executable, "-m", "bench.find", "--small"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    lines = {line[:30].strip(): line.split() for line in told.splitlines()}
    assert "50 studies, 250 instances" in told
    assert lines["all studies"][2] == "50"
    assert lines["accession number"][2] == "1" and "AccessionNumber" in lines["accession number"]
