"""What `fastdicom status` shows of a running node: lines for a person who was woken at three in the morning.

First whether it works, then what became of images, then how busy it is, then what failed lately. Figures that
an older or newer node does not give are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from fastdicom.cli.terminal import human_size
from fastdicom.status_file import NodeStatus

NAME_WIDTH = 27
FATE_WIDTH = 30
INCIDENTS_SHOWN = 10
_FATES = {
    "stored": "stored, and acknowledged",
    "duplicate": "there already",
    "replaced": "replaced an earlier one",
    "refused": "refused, the sender was told",
    "interrupted": "interrupted, not acknowledged",
    "unsent": "not sent on",
}
_SHOWN_APART = frozenset(
    {"pid", "updated", "started", "counts", "health", "images", "operations", "incidents", "build", "flushes"}
)


def headline(node: NodeStatus) -> str:
    """`node running, process 123, since 2024-01-31 12:00:00`."""
    parts = [f"node {node.state}"]
    if node.state != "not running":
        parts.append(f"process {node.figures['pid']}")
        started = node.figures.get("started")
        if isinstance(started, (int, float)):
            parts.append(f"since {datetime.fromtimestamp(started):%Y-%m-%d %H:%M:%S}")
    elif "pid" in node.figures:
        parts.append("it ended without saying so")
    if node.state == "silent":
        parts.append(f"said nothing for {node.age_s:.0f} s")
    return ", ".join(parts)


def lines(node: NodeStatus) -> Iterator[str]:
    """Everything about a node, the headline first."""
    yield headline(node)
    figures = node.figures
    if node.state == "not running":
        yield from _incidents(figures.get("incidents"))
        return
    if node.state == "silent":
        yield f"NOT HEALTHY: the node hangs, or its disk is full; what follows is {node.age_s:.0f} s old"
    else:
        yield from _health(figures.get("health"))
    yield from _warnings(figures)
    yield from _images(figures.get("images"))
    yield from _operations(figures.get("operations"))
    rest = {key: value for key, value in figures.items() if key not in _SHOWN_APART}
    yield from (line(name, value) for name, value in _flat(rest, ""))
    yield from _flushes(figures.get("flushes"))
    yield from _incidents(figures.get("incidents"))


def line(name: str, value: object) -> str:
    """A figure under its headline."""
    shown = (
        f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)
    )
    return f"  {name.ljust(NAME_WIDTH)} {shown}"


def _health(health: Any) -> Iterator[str]:
    if isinstance(health, Mapping):
        reasons = health.get("reasons", [])
        yield from (f"NOT HEALTHY: {reason}" for reason in reasons)
        if not reasons:
            yield "healthy"


def _warnings(figures: Mapping[str, Any]) -> Iterator[str]:
    """What does not keep the node from working yet."""
    yield from (f"WARNING: {text}" for text in figures.get("tls", {}).get("warnings", []))
    for reader in figures.get("index", {}).get("old_readers", []):
        yield (
            f"WARNING: process {reader['process']} has read the index for {reader['seconds']:,} s without a "
            "pause: it grows meanwhile"
        )


def _images(images: Any) -> Iterator[str]:
    if isinstance(images, Mapping):
        yield "images since the start"
        for name, count in images.items():
            yield f"  {_FATES.get(str(name), str(name)).ljust(FATE_WIDTH)}{count:>12,}"


def _operations(operations: Any) -> Iterator[str]:
    if not operations:
        return
    yield "requests          all   failed   last minute    median       95 %"
    for name, one in operations.items():
        times = "".join(_milliseconds(one.get(key)).rjust(11) for key in ("median_ms", "p95_ms"))
        yield (
            f"  {name.ljust(8)}{one.get('count', 0):>11,}{one.get('failed', 0):>9,}"
            f"{one.get('last_minute', 0):>14,}{times}"
        )


def _flushes(flushes: Any) -> Iterator[str]:
    if isinstance(flushes, Mapping) and flushes.get("batches"):
        yield line("commits", f"{flushes['batches']:,} of {flushes['mean_batch']} changes each")
        for name in ("commit", "sync"):
            times = (_milliseconds(flushes.get(f"{name}_{share}_ms")) for share in ("median", "p95"))
            yield line(f"{name} median, 95 %", ", ".join(times))


def _incidents(incidents: Any) -> Iterator[str]:
    if not isinstance(incidents, Mapping):
        return
    images, others = incidents.get("images", []), incidents.get("others", [])
    yield "images that failed lately" if images else "no image has failed"
    yield from _listed(images)
    if others:
        yield "other failures lately"
        yield from _listed(others)


def _listed(incidents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in incidents[:INCIDENTS_SHOWN]:
        at = datetime.fromtimestamp(one["last"])
        who = " at ".join(part for part in (one["peer"], one["address"]) if part) or "this node"
        times = f", {one['count']} times since {datetime.fromtimestamp(one['first']):%Y-%m-%d %H:%M:%S}"
        yield f"  {at:%Y-%m-%d %H:%M:%S}  {who}: {one['what']}: {one['reason']}" + (
            times if one["count"] > 1 else ""
        )
    if len(incidents) > INCIDENTS_SHOWN:
        yield f"  ... and {len(incidents) - INCIDENTS_SHOWN} more: --json shows them"


def _flat(figures: Mapping[str, Any], before: str) -> Iterator[tuple[str, object]]:
    """Nested figures as (name, value): `associations open`; each entry of a list on its own."""
    for key, value in figures.items():
        name = f"{before}{key.replace('_', ' ')}"
        if value is None or value == "":
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, name + " ")
        elif isinstance(value, list):
            yield from ((name, _told(entry)) for entry in value)
        elif key.endswith("_finished") and isinstance(value, (int, float)):
            yield name, f"{datetime.fromtimestamp(value):%Y-%m-%d %H:%M:%S}"
        elif "bytes" in key and isinstance(value, (int, float)):
            per_second = "/s" if key.endswith("per_s") else ""
            yield name.removesuffix(" per s"), human_size(value) + per_second
        elif key.endswith("_per_s"):
            yield name.removesuffix(" per s"), f"{value}/s"
        else:
            yield name, value


def _told(entry: object) -> str:
    """An entry of a list on one line; an address as `host:port`."""
    if isinstance(entry, dict):
        return ", ".join(f"{key} {value}" for key, value in entry.items())
    return ":".join(map(str, entry)) if isinstance(entry, list) else str(entry)


def _milliseconds(value: Any) -> str:
    return f"{value:,.1f} ms" if isinstance(value, (int, float)) else "-"
