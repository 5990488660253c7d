"""The last failures, for the person who asks at 3 a.m. whether an image was lost. Bounded, in memory.

Two lists: what became of images, and everything else, so that a port scan does not push out the failed store.
The same failure again within the list is counted, not listed anew.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 50  # of each list
TEXT_LENGTH_MAX = 200


@dataclass(slots=True)
class Incident:
    """One failure, or the same one several times. first, last: seconds since the epoch."""

    what: str
    peer: str
    address: str
    reason: str
    first: float
    last: float
    count: int = 1


class Incidents:
    """Two bounded lists of failures; any thread may add."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._images: deque[Incident] = deque(maxlen=KEPT)
        self._others: deque[Incident] = deque(maxlen=KEPT)

    def image(self, what: str, peer: str, address: str, reason: str) -> None:
        """An object was not stored, not sent, or is damaged."""
        self._add(self._images, what, peer, address, reason)

    def other(self, what: str, peer: str, address: str, reason: str) -> None:
        """Anything else that went wrong."""
        self._add(self._others, what, peer, address, reason)

    def _add(self, kept: deque[Incident], what: str, peer: str, address: str, reason: str) -> None:
        now = self._clock()
        same = (what, peer, address, reason[:TEXT_LENGTH_MAX])
        with self._lock:
            for incident in reversed(kept):
                if (incident.what, incident.peer, incident.address, incident.reason) == same:
                    incident.count += 1
                    incident.last = now
                    return
            kept.append(Incident(*same, first=now, last=now))

    def restore(self, figures: Mapping[str, Any]) -> None:
        """Go on from what `figures` gave in an earlier process; what makes no sense is left out."""
        for name, kept in (("images", self._images), ("others", self._others)):
            entries = figures.get(name, [])
            for entry in reversed(entries if isinstance(entries, list) else []):
                try:
                    incident = Incident(**entry)
                    sound = incident.last + incident.first + incident.count >= 0
                except TypeError:
                    continue
                if sound:
                    kept.append(incident)

    def figures(self) -> dict[str, list[dict[str, Any]]]:
        """Both lists as JSON has them, the latest first."""
        with self._lock:
            images, others = list(self._images), list(self._others)
        return {"images": _latest_first(images), "others": _latest_first(others)}


def _latest_first(incidents: list[Incident]) -> list[dict[str, Any]]:
    return [asdict(incident) for incident in sorted(incidents, key=lambda one: one.last, reverse=True)]
