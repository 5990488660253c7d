"""Throughput against associations as SVG, drawn without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from bench.loads import ASSOCIATIONS, LOADS
from bench.report import Results, shown

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 30, 50
COLOURS = ("#d1495b", "#edae49", "#00798c", "#30638e", "#003d5b", "#7a5195", "#6a994e", "#777777")
STEPS = 5

Point = tuple[int, float]


def curves(results: Results) -> dict[str, list[Point]]:
    """(associations, objects of 16 KB a second) of each server that has at least two such points."""
    found: dict[str, list[Point]] = {}
    for associations in ASSOCIATIONS:
        name = f"ingest-16k-{associations}"
        for server, row in results.get(name, {}).items():
            if row.samples:
                found.setdefault(server, []).append((associations, row.value(LOADS[name])))
    return {server: points for server, points in found.items() if len(points) > 1}


@dataclass(frozen=True)
class Axes:
    """From figures to places; associations on a logarithmic axis."""

    top: float
    most: int

    def x(self, associations: int) -> float:
        """Pixels from the left."""
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log2(associations) / math.log2(self.most)

    def y(self, rate: float) -> float:
        """Pixels from above."""
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * rate / self.top


def throughput(results: Results) -> str:
    """The drawing; "" when no server has two points."""
    drawn = curves(results)
    points = [point for line in drawn.values() for point in line]
    if not points:
        return ""
    axes = Axes(_ceiling(max(rate for _, rate in points)), max(associations for associations, _ in points))
    parts = [*_grid(axes, sorted({associations for associations, _ in points}))]
    for number, (server, line) in enumerate(drawn.items()):
        parts += _curve(axes, number, server, line)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
    head += ' font-family="sans-serif" font-size="12">'
    return f'{head}<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'


def _ceiling(value: float) -> float:
    step: float = 10 ** math.floor(math.log10(value))
    return math.ceil(value / step) * step


def _grid(axes: Axes, associations: list[int]) -> Iterator[str]:
    for step in range(STEPS + 1):
        rate = axes.top * step / STEPS
        y = axes.y(rate)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{shown(rate)}</text>'
    for count in associations:
        x = axes.x(count)
        yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{count}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">associations</text>'
    yield f'<text x="{LEFT}" y="{TOP - 12}">objects of 16 KB stored per second</text>'


def _curve(axes: Axes, number: int, server: str, line: list[Point]) -> Iterator[str]:
    colour = COLOURS[number % len(COLOURS)]
    places = [(axes.x(associations), axes.y(rate)) for associations, rate in line]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
    at = TOP + 18 * number
    yield f'<text x="{WIDTH - RIGHT + 20}" y="{at}" fill="{colour}">{escape(server)}</text>'
