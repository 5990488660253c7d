"""Throughput against associations as SVG, drawn without a plotting library."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from html import escape

from bench.peers.measure import Summary

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 420, 70, 50, 30, 170
COLOURS = ("#d1495b", "#edae49", "#00798c", "#30638e", "#003d5b", "#7a5195", "#6a994e")
LOAD = re.compile(r"ingest-16k-(\d+)$")


def curves(summaries: Iterable[Summary]) -> dict[str, list[tuple[int, float]]]:
    """Points (associations, objects a second) of each server."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for one in summaries:
        match = LOAD.match(one.load)
        if match and one.rate:
            found[one.server].append((int(match.group(1)), one.rate))
    return {server: sorted(points) for server, points in found.items()}


def _ceiling(value: float) -> float:
    step: float = 10 ** math.floor(math.log10(value))
    return math.ceil(value / step) * step


def throughput(summaries: Iterable[Summary]) -> str:
    """The drawing; 16 KB objects, a logarithmic axis for the associations."""
    drawn = curves(summaries)
    points = [point for line in drawn.values() for point in line]
    if not points:
        raise ValueError("no ingest-16k-* load was measured")
    top, most = _ceiling(max(rate for _, rate in points)), max(max(count for count, _ in points), 2)

    def x(count: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log2(count) / math.log2(most)

    def y(rate: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * rate / top

    parts = [*_grid(top, sorted({count for count, _ in points}), x, y)]
    for at, (server, line) in enumerate(drawn.items()):
        colour = COLOURS[at % len(COLOURS)]
        path = " ".join(f"{x(count):.1f},{y(rate):.1f}" for count, rate in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(c):.1f}" cy="{y(r):.1f}" r="3" fill="{colour}"/>' for c, r in line]
        label_y = TOP + 18 * at
        parts.append(f'<text x="{WIDTH - RIGHT + 20}" y="{label_y}" fill="{colour}">{escape(server)}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
    return (
        head + 'font-size="12"><rect width="100%" height="100%" fill="white"/>' + "".join(parts) + "</svg>\n"
    )


def _grid(top: float, counts: list[int], x, y) -> Iterable[str]:  # type: ignore[no-untyped-def]
    for step in range(6):
        rate = top * step / 5
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(rate):.1f}" y2="{y(rate):.1f}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y(rate) + 4:.1f}" text-anchor="end">{rate:,.0f}</text>'
    for count in counts:
        yield f'<text x="{x(count):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{count}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">associations</text>'
    yield f'<text x="{LEFT}" y="{TOP - 12}">16 KB objects stored per second</text>'
