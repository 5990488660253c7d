"""What happened lately, from figures that only grow: rates of seconds, latencies of the last minute."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from fastdicom.monitoring.figures import SERVICES, ServiceFigures, Snapshot, outcome_of

KEPT_S = 60.0
RATE_S = 10.0


class _Moment(NamedTuple):
    at: float
    stored: int
    received: int
    sent: int
    services: dict[str, ServiceFigures]


class Recent:
    """Moments of the last minute. `note` about once a second; used by one thread at a time."""

    def __init__(self) -> None:
        self._moments: deque[_Moment] = deque()

    def note(self, now: float, snapshot: Snapshot, received: int, sent: int) -> dict[str, Any]:
        """Take a moment down; the rates and latencies until it. now: of a monotonic clock."""
        services = {service: snapshot.by_service(service) for service in SERVICES}
        images = snapshot.images
        stored = images["stored"] + images["replaced"] + images["duplicate"]
        moment = _Moment(now, stored, received, sent, services)
        self._moments.append(moment)
        while self._moments[0].at < now - KEPT_S:
            self._moments.popleft()
        before = next(one for one in self._moments if one.at >= now - RATE_S)
        return {
            "throughput": _rates(before, moment),
            "operations": {
                service: _summary(figures, self._moments[0].services[service])
                for service, figures in services.items()
                if figures.statuses
            },
        }


def _rates(before: _Moment, now: _Moment) -> dict[str, float]:
    seconds = max(1.0, now.at - before.at)
    return {
        "objects_per_s": round((now.stored - before.stored) / seconds, 1),
        "received_bytes_per_s": round((now.received - before.received) / seconds),
        "sent_bytes_per_s": round((now.sent - before.sent) / seconds),
    }


def _summary(figures: ServiceFigures, minute_ago: ServiceFigures) -> dict[str, Any]:
    """Since the start: count and failed; in the last minute: median and 95th percentile, in milliseconds."""
    lately = figures.latency.since(minute_ago.latency)
    failed = sum(n for code, n in figures.statuses.items() if outcome_of(code) in ("refused", "failed"))
    return {
        "count": figures.latency.count,
        "failed": failed,
        "last_minute": lately.count,
        "median_ms": _milliseconds(lately.quantile(0.5)),
        "p95_ms": _milliseconds(lately.quantile(0.95)),
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
