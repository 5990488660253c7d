"""The bench cannot rot: its small mode runs, and the archives that it makes are what it says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler for the load generator")
def test_the_small_bench_runs(tmp_path: Path) -> None:
    out = tmp_path / "find.json"
    command = [sys.executable, "-m", "bench.find", "--small", "--out", str(out)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told.stderr
    assert "50 studies, node" in told.stdout
    (size,) = json.loads(out.read_text())["sizes"]
    inside = {row["query"]: row for row in size["inside"]["rows"]}
    assert inside["all studies"]["answers"] == 50
    assert (inside["accession number"]["answers"], inside["accession number"]["key"]) == (
        1,
        "AccessionNumber",
    )
    served = {row["query"]: row for row in size["node"]["rows"]}
    assert {name: row["answers"] for name, row in served.items()} == {
        name: inside[name]["answers"] for name in served
    }
