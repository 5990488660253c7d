"""python -m bench --small runs with every installed peer and gives plausible figures. Nothing is timed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.interop, pytest.mark.slow]

INGEST = {"ingest-512k-1", "ingest-16k-1", "ingest-16k-4"}
BESIDE = {"ingest-16k-8-chatty"}  # without a limit of bare files
QUERY = {"find-study", "find-studies", "find-images", "move-512k", "move-16k"}
OTHER = {"echo-1", "assoc-1", "idle"}
OURS_ONLY = {"huge-1g-10", "start", "import"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON of one small run."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler for the load generator")
    folder = tmp_path_factory.mktemp("bench")
    output = folder / "small.json"
    argv = [sys.executable, "-m", "bench", "--small", "--folder", str(folder), "--output", str(output)]
    done = subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(output.read_text())
    return result | {"drawing": output.with_suffix(".svg").read_text()}


def rows_of(run: dict[str, Any], server: str) -> dict[str, dict[str, Any]]:
    """The rows of one server by load."""
    return {load["load"]: row for load in run["loads"] for row in load["rows"] if row["server"] == server}


def test_our_node_has_a_figure_in_every_row_and_loses_nothing(run: dict[str, Any]) -> None:
    rows = rows_of(run, "fastdicom")
    assert set(rows) == INGEST | BESIDE | QUERY | OTHER | OURS_ONLY
    for load, row in rows.items():
        assert row["note"] == "" or load == "huge-1g-10", f"{load}: {row['note']}"
        assert len(row["samples"]) == 1


@pytest.mark.parametrize(
    ("server", "loads"),
    [
        ("fastdicom-os", INGEST | BESIDE),
        ("storescp", INGEST | BESIDE | OTHER),
        ("orthanc", INGEST | BESIDE | QUERY | OTHER),
        ("pynetdicom-storescp", INGEST | BESIDE | OTHER),
    ],
)
def test_a_peer_has_a_figure_in_every_load_that_it_can_take(
    run: dict[str, Any], server: str, loads: set[str]
) -> None:
    for reason in run["missing"]:
        if reason.startswith(f"{server}:"):
            pytest.skip(reason)
    assert {load for load, row in rows_of(run, server).items() if row["samples"]} == loads


def test_a_row_without_a_figure_says_why(run: dict[str, Any]) -> None:
    """dcmqrscp and pynetdicom's qrscp answer failures now and then under several associations."""
    rows = [row for load in run["loads"] for row in load["rows"]]
    assert all(row["samples"] or row["note"] for row in rows)


def test_figures_are_positive_counts_per_second_and_no_server_beats_the_machine(run: dict[str, Any]) -> None:
    for load in run["loads"]:
        for row in load["rows"]:
            for sample in row["samples"]:
                assert 0 <= sample["cpu_seconds"] < 60
                if load["load"] not in {"idle", "loopback"} | OURS_ONLY:
                    assert sample["value"] == pytest.approx(sample["count"] / sample["seconds"])
                    assert 0.5 < sample["value"] < 1_000_000
                    assert sample["size"] / sample["seconds"] < 20e9


def test_the_bare_limits_are_in_the_same_run(run: dict[str, Any]) -> None:
    assert set(rows_of(run, "limit")) == INGEST | {"loopback"}


def test_the_run_names_machine_and_versions(run: dict[str, Any]) -> None:
    assert {"cpu", "cores", "kernel", "python", "fastdicom", "dcmtk", "orthanc", "pynetdicom"} <= set(
        run["machine"]
    )


def test_memory_does_not_follow_the_object(run: dict[str, Any]) -> None:
    (sample,) = rows_of(run, "fastdicom")["huge-1g-10"]["samples"]
    assert 0 < sample["extra"]["peak_mib"] < 150


def test_the_curve_is_drawn(run: dict[str, Any]) -> None:
    drawn = run["drawing"]
    assert drawn.startswith("<svg") and drawn.count("<polyline") >= 3
    assert ">fastdicom<" in drawn and ">limit<" in drawn
