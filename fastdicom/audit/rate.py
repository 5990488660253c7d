"""How often an alert of one kind about one node is told: the first few, then now and then with a count."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

FIRST = 5  # of one kind about one node are told one by one
PERIOD_S = 60.0  # then one in this time, which says how many there were
NODES_MAX = 1000  # that are told apart; the one that was quiet longest is forgotten


@dataclass(slots=True)
class _Flood:
    told: int
    last_at: float
    suppressed: int = 0


class RateLimit:
    """Counts what is not told. per_minute: alerts of all kinds together. Not for two threads at once."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._floods: OrderedDict[tuple[str, str], _Flood] = OrderedDict()
        self._minute = 0.0
        self._told = 0
        self.suppressed = 0

    def admit(self, kind: str, node: str, now: float) -> int | None:
        """None when this one is only counted; else how many like it were, since the last that was told."""
        key = (kind, node)
        flood = self._floods.get(key)
        if flood is None:
            flood = self._floods[key] = _Flood(0, now)
            if len(self._floods) > NODES_MAX:
                self._floods.popitem(last=False)
        self._floods.move_to_end(key)
        if now - flood.last_at >= PERIOD_S:
            flood.told = 0
        if flood.told >= FIRST or not self._within_minute(now):
            flood.suppressed += 1
            self.suppressed += 1
            return None
        if flood.suppressed:
            flood.told = FIRST  # it goes on: one in PERIOD_S
        flood.told += 1
        flood.last_at = now
        suppressed, flood.suppressed = flood.suppressed, 0
        return suppressed

    def due(self, now: float) -> list[tuple[str, str, int]]:
        """(kind, node, count) of what was suppressed and has come to rest: to be told once more, as a sum."""
        rested = []
        for (kind, node), flood in self._floods.items():
            if flood.suppressed and now - flood.last_at >= PERIOD_S and self._within_minute(now):
                rested.append((kind, node, flood.suppressed))
                flood.suppressed = 0
                flood.last_at = now
                flood.told = FIRST
        return rested

    def _within_minute(self, now: float) -> bool:
        if now - self._minute >= 60.0:
            self._minute, self._told = now, 0
        self._told += 1
        return self._told <= self._per_minute
