"""The results as tables in Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.peers.measure import Summary

COLUMNS = (
    "load",
    "server",
    "rate",
    "±",
    "fastdicom is",
    "CPU µs each",
    "CPU s/GB",
    "p50 µs",
    "p99 µs",
    "peak MiB",
)


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _cells(one: Summary) -> list[str]:
    rate = (
        f"{_number(one.rate, 0 if (one.rate or 0) >= 10 else 2)} {one.unit}"
        if one.rate is not None
        else one.error
    )
    return [
        one.load,
        one.server,
        rate + (f" ({one.error})" if one.error and one.rate is not None else ""),
        "" if one.spread is None else f"{one.spread:.0%}",
        "" if one.ratio is None else f"{one.ratio:.2f}x",
        _number(one.cpu_us),
        _number(one.cpu_s_per_gb, 2),
        _number(one.p50_us),
        _number(one.p99_us),
        _number(one.memory_mb),
    ]


def table(summaries: Iterable[Summary]) -> str:
    """A Markdown table; "fastdicom is 2.00x" means twice the rate of that row."""
    rows = [list(COLUMNS), ["---"] * len(COLUMNS), *(_cells(one) for one in summaries)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def write_json(
    path: Path, machine: dict[str, Any], settings: dict[str, Any], summaries: list[Summary]
) -> None:
    """Everything that was measured, each round included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine, "settings": settings, "results": [asdict(one) for one in summaries]}
    path.write_text(json.dumps(document, indent=1) + "\n")
