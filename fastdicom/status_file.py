"""The status of a running node, told to other processes through a small file in its archive.

The engine publishes it about once a second; `fastdicom status` reads it. It carries figures, never patient
data. Its content is a JSON object: `pid`, `started` and `updated` (seconds since the epoch), then whatever
`Engine.status()` gives.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE_NAME = "status.json"
INCIDENTS_NAME = "incidents.json"
STALE_AFTER_S = 10.0


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What a node said last. state: "running", "silent" (its process lives but does not report) or
    "not running"; age_s: how long ago it spoke."""

    state: str
    age_s: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)


def publish(archive: Path, figures: Mapping[str, Any], now: float | None = None) -> None:
    """Replace the status of `archive` in one step, so that a reader never sees half of it."""
    content = {"pid": os.getpid(), "updated": time.time() if now is None else now, **figures}
    fresh = archive / f"{FILE_NAME}.new"
    fresh.write_text(json.dumps(content), "utf-8")
    os.replace(fresh, archive / FILE_NAME)


def withdraw(archive: Path, incidents: Mapping[str, Any] | None = None) -> None:
    """Take the status away: the node has stopped in order. incidents: its last failures, which stay."""
    if incidents and any(incidents.values()):
        fresh = archive / f"{INCIDENTS_NAME}.new"
        fresh.write_text(json.dumps(incidents), "utf-8")
        os.replace(fresh, archive / INCIDENTS_NAME)
    (archive / FILE_NAME).unlink(missing_ok=True)


def last_incidents(archive: Path) -> dict[str, Any]:
    """The last failures of the node that ran here before, however it ended; {} when there were none."""
    for name in (FILE_NAME, INCIDENTS_NAME):
        try:
            told = json.loads((archive / name).read_text("utf-8"))
        except (OSError, ValueError):
            continue
        incidents = told.get("incidents") if name == FILE_NAME and isinstance(told, dict) else told
        if isinstance(incidents, dict):
            return incidents
    return {}


def read(archive: Path, now: float | None = None) -> NodeStatus:
    """What the node of `archive` said last; "not running" when there is none or its process has gone."""
    try:
        figures = json.loads((archive / FILE_NAME).read_text("utf-8"))
        pid, updated = int(figures["pid"]), float(figures["updated"])
    except (OSError, ValueError, KeyError, TypeError):
        incidents = last_incidents(archive)
        return NodeStatus("not running", figures={"incidents": incidents} if incidents else {})
    age = max(0.0, (time.time() if now is None else now) - updated)
    if not _lives(pid):
        return NodeStatus("not running", age, figures)
    return NodeStatus("running" if age <= STALE_AFTER_S else "silent", age, figures)


def _lives(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """It has ended, and whoever started it has not asked how."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return False
    return said.rpartition(")")[2].split()[:1] == ["Z"]
