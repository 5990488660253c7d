"""Everything that is counted while the node runs, by service and peer: what metrics and status show.

Each association has figures of its own that only its thread writes, without a lock: an event costs a few
hundred nanoseconds. They are added to the totals when it ends, and to a copy of them when somebody asks.
Peers are those of the configuration; all others are "unknown", so that nobody outside can make series.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from fastdicom.events import CREATED, READ, UPDATED, Alert, Ending, InstanceGroup, Observer
from fastdicom.monitoring.histogram import BATCH_BOUNDS, Histogram
from fastdicom.monitoring.incidents import Incidents
from fastdicom.standard import status

if TYPE_CHECKING:
    from fastdicom.dataset.record import Put, StoredEntry
    from fastdicom.services.ports import Caller

UNKNOWN = "unknown"
SERVICES = ("echo", "store", "find", "move", "get", "send")
"""What a request asked of us; "send" is a C-STORE of ours, in a retrieve."""
OUTCOMES = ("success", "warning", "refused", "failed", "cancelled")


class ServiceFigures:
    """One service for one peer. statuses: how many answers had each status."""

    __slots__ = ("bytes", "latency", "statuses")

    def __init__(self) -> None:
        self.latency = Histogram()
        self.statuses: dict[int, int] = {}
        self.bytes = 0

    def add(self, code: int, length: int, seconds: float) -> None:
        """One request that was answered."""
        latency = self.latency  # as Histogram.add, for the busiest event without the call
        latency.counts[bisect_left(latency.bounds, seconds)] += 1
        latency.total += seconds
        self.statuses[code] = self.statuses.get(code, 0) + 1
        self.bytes += length

    def merge(self, other: ServiceFigures) -> None:
        """All of another's."""
        self.latency.merge(other.latency)
        for code, count in list(other.statuses.items()):
            self.statuses[code] = self.statuses.get(code, 0) + count
        self.bytes += other.bytes


class Key(NamedTuple):
    """What figures are kept by."""

    service: str
    peer: str


class _Line:
    """One association. store: its figures for C-STORE, at hand for the busiest event."""

    __slots__ = ("images", "peer", "services", "store")

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.store = ServiceFigures()
        self.services: dict[Key, ServiceFigures] = {Key("store", peer): self.store}
        self.images: dict[str, int] = {}

    def figures(self, service: str, peer: str) -> ServiceFigures:
        key = Key(service, peer)
        found = self.services.get(key)
        if found is None:
            found = self.services[key] = ServiceFigures()
        return found


class Figures(Observer):
    """Counts; `snapshot` reads them.

    peers: the AE titles of the configuration; replaced at a reload.
    """

    def __init__(self, peers: Collection[str] = (), incidents: Incidents | None = None) -> None:
        self.peers = frozenset(peers)
        self.incidents = incidents or Incidents()
        self._lock = threading.Lock()
        self._lines: dict[int, _Line] = {}
        self._totals: dict[Key, ServiceFigures] = {}
        self._images: Counter[str] = Counter()
        self._endings: Counter[tuple[str, str]] = Counter()
        self._alerts: Counter[str] = Counter()
        self._housekeeping: Counter[str] = Counter()
        self.commits = Histogram(BATCH_BOUNDS)  # only the committing thread adds: one at a time
        self.commit_seconds = Histogram()
        self._syncs = Histogram()

    def label(self, ae_title: str) -> str:
        """The peer as figures name it."""
        return ae_title if ae_title in self.peers else UNKNOWN

    # ------------------------------------------------------------------------------ events

    def associated(self, caller: Caller) -> None:
        self._lines[caller.number] = _Line(self.label(caller.calling_ae_title))

    def dissociated(self, caller: Caller, ending: Ending) -> None:
        line = self._line(caller)
        with self._lock:
            self._lines.pop(caller.number, None)
            _add_line(line, self._totals, self._images)
            self._endings[line.peer, ending.how] += 1
        if ending.how not in ("released", "stopped"):
            self.incidents.other(
                f"association {ending.how}", caller.calling_ae_title, caller.address, ending.reason
            )

    def stored(
        self,
        caller: Caller,
        sop_class_uid: str,
        code: int,
        put: Put | None,
        action: str,
        length: int,
        seconds: float,
        comment: str,
    ) -> None:
        line = self._lines.get(caller.number) or self._line(caller)
        line.store.add(code, length, seconds)
        name = _IMAGES.get(action, "refused")
        line.images[name] = line.images.get(name, 0) + 1
        if not action:
            self.incidents.image(
                "C-STORE refused",
                caller.calling_ae_title,
                caller.address,
                f"{status.describe(code)}: {comment}; the sender was told",
            )

    def interrupted(self, caller: Caller, sop_class_uid: str, length: int) -> None:
        line = self._line(caller)
        line.images["interrupted"] = line.images.get("interrupted", 0) + 1
        self.incidents.image(
            "C-STORE interrupted",
            caller.calling_ae_title,
            caller.address,
            "the association ended inside the Data Set; nothing was acknowledged, it must be sent again",
        )

    def served(self, caller: Caller, operation: str, code: int, seconds: float, comment: str) -> None:
        line = self._line(caller)
        line.figures(operation, line.peer).add(code, 0, seconds)
        if outcome_of(code) in ("refused", "failed"):
            self.incidents.other(
                f"C-{operation.upper()} refused",
                caller.calling_ae_title,
                caller.address,
                f"{status.describe(code)}: {comment}",
            )

    def sent(self, caller: Caller, destination: str, code: int, length: int, seconds: float) -> None:
        known = code if code in status.MEANING else code & 0xF000  # a peer may make up any
        self._line(caller).figures("send", self.label(destination)).add(known, length, seconds)

    def retrieved(
        self, caller: Caller, destination: str, delivered: Mapping[tuple[str, str], int],
        failed: Iterable[StoredEntry], comment: str,
    ) -> None:  # fmt: skip
        count = sum(1 for _ in failed)
        if count:
            line = self._line(caller)
            line.images["unsent"] = line.images.get("unsent", 0) + count
            self.incidents.image(f"{count} not sent", destination, "", comment)

    def alerted(self, alert: Alert) -> None:
        with self._lock:
            self._alerts[alert.kind] += 1
        add = self.incidents.image if alert.kind == "damaged-object" else self.incidents.other
        add(alert.kind.replace("-", " "), alert.ae_title, alert.address, alert.text)

    def authenticated(self, user: str, address: str, accepted: bool, reason: str = "") -> None:
        with self._lock:
            self._housekeeping["users accepted" if accepted else "users refused"] += 1

    def committed(self, count: int, seconds: float) -> None:
        self.commits.add(count)
        self.commit_seconds.add(seconds)

    def synced(self, seconds: float) -> None:
        with self._lock:
            self._syncs.add(seconds)

    def deleted(self, groups: Mapping[InstanceGroup, int], whole: bool, reason: str) -> None:
        with self._lock:
            self._housekeeping["deleted"] += sum(groups.values())

    def exported(self, groups: Mapping[InstanceGroup, int], reason: str) -> None:
        with self._lock:
            self._housekeeping["exported"] += sum(groups.values())

    def _line(self, caller: Caller) -> _Line:
        line = self._lines.get(caller.number)
        if line is None:
            line = self._lines[caller.number] = _Line(self.label(caller.calling_ae_title))
        return line

    # ------------------------------------------------------------------------------ reading

    def snapshot(self) -> Snapshot:
        """The figures now, associations in progress included."""
        services: dict[Key, ServiceFigures] = {}
        with self._lock:
            images = Counter(self._images)
            for key, figures in self._totals.items():
                services[key] = _copy(figures)
            for line in list(self._lines.values()):
                _add_line(line, services, images)
            return Snapshot(
                services,
                {name: images[name] for name in IMAGES},
                dict(self._endings),
                dict(self._alerts),
                dict(self._housekeeping),
                self.commits.copy(),
                self.commit_seconds.copy(),
                self._syncs.copy(),
            )


class Snapshot(NamedTuple):
    """Figures at one moment. images: what became of objects. endings: by (peer, how it ended)."""

    services: dict[Key, ServiceFigures]
    images: dict[str, int]
    endings: dict[tuple[str, str], int]
    alerts: dict[str, int]
    housekeeping: dict[str, int]
    commits: Histogram
    commit_seconds: Histogram
    syncs: Histogram

    def by_service(self, service: str) -> ServiceFigures:
        """All peers together."""
        total = ServiceFigures()
        for key, figures in self.services.items():
            if key.service == service:
                total.merge(figures)
        return total


_IMAGES = {CREATED: "stored", READ: "duplicate", UPDATED: "replaced"}
IMAGES = (*_IMAGES.values(), "refused", "interrupted", "unsent")


def outcome_of(code: int) -> str:
    """One of OUTCOMES for a status. PS3.7 Annex C."""
    if code == status.SUCCESS:
        return "success"
    if code == status.CANCEL:
        return "cancelled"
    if status.is_warning(code):
        return "warning"
    return "refused" if code >> 8 == 0xA7 or code < 0x0200 else "failed"


def _copy(figures: ServiceFigures) -> ServiceFigures:
    copy = ServiceFigures()
    copy.merge(figures)
    return copy


def _add_line(line: _Line, services: dict[Key, ServiceFigures], images: Counter[str]) -> None:
    for key, figures in list(line.services.items()):
        if not figures.statuses:  # nothing was answered
            continue
        known = services.get(key)
        if known is None:
            known = services[key] = ServiceFigures()
        known.merge(figures)
    if line.images:
        images.update(line.images)
