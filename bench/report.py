"""The table and the JSON of a run."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.loads import Load, Sample
from bench.machine import cpu_model, module_version
from bench.servers import OURS

HEAD = f"  {'':<20} {'median':>9} {'spread':>17} {'ratio':>6} {'CPU µs each':>12} {'CPU s/GB':>9}"


@dataclass
class Row:
    """What one server did in one load: a sample a round, or why there are none."""

    server: str
    samples: list[Sample] = field(default_factory=list)
    note: str = ""

    def value(self, load: Load) -> float:
        """The median, or for memory the highest."""
        values = [sample.value for sample in self.samples]
        return max(values) if load.best else statistics.median(values)


Results = dict[str, dict[str, Row]]  # load -> server -> row


def shown(value: float) -> str:
    """Three significant digits, or whole numbers above 100."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def row_text(load: Load, row: Row, ours: float | None) -> str:
    """One line: median, lowest and highest, ratio to our node, CPU time per object and per GB."""
    if not row.samples:
        return f"  {row.server:<20} {row.note}"
    value, values = row.value(load), [sample.value for sample in row.samples]
    spread = f"{shown(min(values))}-{shown(max(values))}"
    ratio = f"{value / ours:.2f}" if ours else ""
    cpu = sum(sample.cpu_seconds for sample in row.samples)  # of all rounds: the clock ticks in 10 ms
    each = cpu / sum(sample.count for sample in row.samples)
    size = sum(sample.size for sample in row.samples)
    per_gb = cpu / size * 1e9 if size else 0
    line = f"  {row.server:<20} {shown(value):>9} {spread:>17} {ratio:>6}"
    line += f" {each * 1e6:>12,.0f}" if each else f" {'':>12}"
    line += f" {per_gb:>9.2f}" if per_gb else f" {'':>9}"
    first = row.samples[0].extra.get("first_ms")
    if first is not None:
        line += f"  first answer {statistics.median(s.extra['first_ms'] for s in row.samples):.1f} ms"
    return f"{line}  {row.note}".rstrip()


def table(loads: Sequence[Load], results: Results) -> str:
    """All loads, each with its servers under each other. ratio: value / our node's."""
    lines = []
    for load in loads:
        rows = results.get(load.name, {})
        if not rows:
            continue
        ours = rows.get(OURS)
        reference = ours.value(load) if ours and ours.samples else None
        lines += [f"{load.title} [{load.unit}]", HEAD]
        lines += [row_text(load, row, reference) for row in rows.values()]
        lines.append("")
    return "\n".join(lines)


def command_version(*argv: str) -> str:
    """The first line that a program says of its version, or that it is not installed."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
        )
    except FileNotFoundError:
        return "not installed"
    return next(iter((done.stdout + done.stderr).splitlines()), "").strip()


def machine(folder: Path) -> dict[str, Any]:
    """Where this ran and against which versions."""
    commit = command_version("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty")
    file_system = subprocess.run(
        ["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=True
    )
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "kernel": platform.release(),
        "file_system": file_system.stdout.strip(),
        "python": platform.python_version(),
        "fastdicom": commit,
        "dcmtk": command_version("storescp", "--version"),
        "orthanc": command_version("Orthanc", "--version"),
        "pynetdicom": module_version("pynetdicom"),
        "lmdb": module_version("lmdb"),
    }


def as_json(loads: Sequence[Load], results: Results, where: dict[str, Any], missing: list[str]) -> str:
    """The run with every sample."""
    measured = [
        {
            "load": load.name,
            "title": load.title,
            "unit": load.unit,
            "rows": [
                {
                    "server": row.server,
                    "value": row.value(load) if row.samples else None,
                    "note": row.note,
                    "samples": [asdict(sample) for sample in row.samples],
                }
                for row in results.get(load.name, {}).values()
            ],
        }
        for load in loads
    ]
    return json.dumps({"machine": where, "missing": missing, "loads": measured}, indent=1) + "\n"
