"""Everything that watches a node, plugged together: figures, the audit trail, the HTTP port, health, status.

The engine tells it what happens; nothing here decides how the node answers.
"""

from __future__ import annotations

import logging
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastdicom
from fastdicom import status_file
from fastdicom.audit.handover import take_note_away
from fastdicom.config import Config
from fastdicom.errors import UsageError
from fastdicom.events import (
    DAMAGE,
    LIMIT,
    PROTOCOL,
    SILENT,
    UNKNOWN_NODE,
    USER,
    VIOLATED,
    Alert,
    Ending,
    InstanceGroup,
    Observer,
    Observers,
)
from fastdicom.monitoring.figures import Figures, Snapshot
from fastdicom.monitoring.health import Health
from fastdicom.monitoring.recent import Recent
from fastdicom.services.ports import Caller
from fastdicom.upperlayer.pdus import (
    AssociationAccept,
    AssociationReject,
    AssociationRequest,
    describe_reject,
)

if TYPE_CHECKING:
    from fastdicom.audit.recorder import Recorder
    from fastdicom.dataset.record import StoredEntry
    from fastdicom.keeper import ArchiveKeeper
    from fastdicom.monitoring.http import Answer, HttpServer, Request
    from fastdicom.net.server import ServerConnection

log = logging.getLogger(__name__)

_ALERTS = {  # by source and reason of an A-ASSOCIATE-RJ, PS3.8 Table 9-21; others are mistakes, not attacks
    (1, 3): UNKNOWN_NODE,  # calling AE title not recognized
    (1, 7): UNKNOWN_NODE,  # called AE title not recognized
    (2, 1): USER,  # the user identity was refused, PS3.7 D.3.3.7
    (3, 1): LIMIT,  # temporary congestion
    (3, 2): LIMIT,  # local limit exceeded
}


class Monitor:
    """What watches one engine, from its start to its stop.

    read: the engine's own figures, as `Engine.status` gives them. certificate_days: until each of our
    certificates and revocation lists expires, by name. Both are asked about once a second.
    """

    def __init__(self, config: Config, read: Callable[[], dict[str, Any]]) -> None:
        self._config = config
        self._read = read
        self.certificate_days: Callable[[], Mapping[str, float]] = dict
        self.health = Health()
        self.figures = Figures([peer.ae_title for peer in config.peers])
        self.observer: Observer = Observers([self.figures])
        self.address: tuple[str, int] | None = None
        self._recent = Recent()
        self._recorder: Recorder | None = None
        self._server: HttpServer | None = None
        self._keeper: ArchiveKeeper | None = None
        self._callers: dict[ServerConnection, Caller] = {}
        self._lately: dict[str, Any] = {"throughput": {}, "operations": {}}

    # ------------------------------------------------------------------------------ life

    def open(self, archive: Path) -> None:
        """Before anything else of the node: the HTTP port and the audit trail. Raises UsageError."""
        self.figures.incidents.restore(status_file.last_incidents(archive))
        if self._config.metrics.enabled:
            self._serve_http()
        try:
            self._record(archive)
        except BaseException:
            self.close()
            raise

    def watch(self, keeper: ArchiveKeeper) -> None:
        """The archive is open."""
        self._keeper = keeper
        keeper.observer = self.observer
        keeper.files.disk.tell_syncs(self.observer.synced)
        self.health.commits = keeper.committer
        self.health.disk = keeper.files
        if self._recorder is not None:
            self._recorder.trail.patient_of = keeper.patient_of

    def reload(self, config: Config) -> None:
        """Other peers."""
        self.figures.peers = frozenset(peer.ae_title for peer in config.peers)
        if self._recorder is not None:
            self._recorder.trail.addresses = {peer.ae_title: peer.host for peer in config.peers if peer.host}

    def say_goodbye(self, archive: Path) -> None:
        """The node has stopped in order: no status any more, but its last failures."""
        try:
            status_file.withdraw(archive, self.figures.incidents.figures())
        except OSError as error:  # a full disk must not keep the archive from being closed
            log.warning("cannot withdraw the status: %s", error)
        self.observer.ended()
        self.close()

    def close(self) -> None:
        """The last of the node."""
        self.health.commits = self.health.disk = None
        keeper, self._keeper = self._keeper, None
        if keeper is not None and keeper.observer is self.observer:
            keeper.observer = SILENT  # others of this process may go on with the archive
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.stop()
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def _record(self, archive: Path) -> None:
        config = self._config
        try:
            if config.audit.transport == "off":
                take_note_away(archive)
                return
            archive.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the archive {archive}: {error.strerror}") from error
        from fastdicom.audit.recorder import Recorder

        self._recorder = Recorder(config.audit, config.node.ae_title, archive)
        self._recorder.start()
        self.observer = Observers([self.figures, self._recorder.trail])
        self.reload(config)

    # ------------------------------------------------------------------------------ associations

    def turned_away(self, address: str) -> None:
        """A connection was closed at once."""
        self.observer.alerted(Alert(LIMIT, "too many connections without an association", address))

    def decided(
        self,
        connection: ServerConnection,
        request: AssociationRequest,
        response: AssociationAccept | AssociationReject,
        caller: Callable[[ServerConnection], Caller],
    ) -> None:
        """An association request has its answer. caller: who an accepted one belongs to."""
        if isinstance(response, AssociationAccept):
            self._callers[connection] = caller(connection)
            self.observer.associated(self._callers[connection])
            return
        kind = _ALERTS.get((response.source, response.reason))
        if kind is not None:
            text = f"association with {request.called_ae_title} rejected: {describe_reject(response)}"
            self.observer.alerted(Alert(kind, text, connection.address, request.calling_ae_title))

    def ended(self, connection: ServerConnection) -> None:
        """A connection is closed."""
        if connection.how == VIOLATED:
            name = "" if connection.name == "?" else connection.name
            self.observer.alerted(Alert(PROTOCOL, connection.why, connection.address, name))
        if connection.untrusted:
            self.observer.alerted(Alert(UNKNOWN_NODE, connection.untrusted, connection.address))
        caller = self._callers.pop(connection, None)
        if caller is not None:
            transport = connection.transport
            ending = Ending(connection.how, connection.why, transport.received, transport.sent)
            self.observer.dissociated(caller, ending)

    # ------------------------------------------------------------------------------ housekeeping

    def damaged(self, entry: StoredEntry, reason: str) -> None:
        """A stored file is not what was received."""
        self.observer.alerted(Alert(DAMAGE, f"{entry.file.path} {reason}"))

    def removed(self, patient: bytes, entries: Iterable[StoredEntry], whole: bool, reason: str) -> None:
        """Retention has deleted instances of one patient. whole: nothing of their studies is left."""
        groups = Counter(
            InstanceGroup(patient, entry.study_instance_uid, entry.sop_class_uid) for entry in entries
        )
        self.observer.deleted(groups, whole, f"retention: {reason}")

    # ------------------------------------------------------------------------------ figures

    def publish(self, archive: Path) -> None:
        """About once a second: the status file, rates, floods that are over."""
        figures = self._read()
        totals = figures["totals"]
        self._lately = self._recent.note(
            time.monotonic(), self.figures.snapshot(), totals["bytes_received"], totals["bytes_sent"]
        )
        if self._recorder is not None:
            self._recorder.trail.tick()
        status_file.publish(archive, {**figures, **self._lately})

    def extended(self, figures: dict[str, Any]) -> dict[str, Any]:
        """The engine's own figures with everything that is known here."""
        snapshot = self.figures.snapshot()
        audit = self._recorder.figures() if self._recorder is not None else None
        queues = dict(figures["queues"])
        if audit is not None:
            queues["audit"] = audit["queued"]
        return {
            **figures,
            "build": {"version": fastdicom.__version__, "python": platform.python_version()},
            "health": {"reasons": self.health.reasons()},
            "images": snapshot.images,
            **self._lately,
            "flushes": _flushes(snapshot),
            "queues": queues,
            "alerts": snapshot.alerts,
            "audit": audit,
            "certificate_days": dict(self.certificate_days()),
            "incidents": self.figures.incidents.figures(),
        }

    # ------------------------------------------------------------------------------ HTTP

    def _serve_http(self) -> None:
        from fastdicom.monitoring.http import HttpServer

        settings = self._config.metrics
        _require_client_library()
        pages = {"/metrics": self._metrics_page, "/healthz": self._health_page}
        self._server = HttpServer(pages, connections_max=settings.connections_max)
        self.address = self._server.start(settings.bind, settings.port)
        log.info("metrics at http://%s:%d/metrics", *self.address)

    def _health_page(self, request: Request) -> Answer:
        from fastdicom.monitoring.http import text

        reasons = self.health.reasons()
        return text(503, "\n".join(reasons) + "\n") if reasons else text(200, "ok\n")

    def _metrics_page(self, request: Request) -> Answer:
        from fastdicom.monitoring.exposition import Collector, render
        from fastdicom.monitoring.http import Answer, text

        if self.health.disk is None:
            return text(503, f"the node is {self.health.phase}\n")
        collector = Collector(lambda: (self._read(), self.figures.snapshot()))
        content_type, body = render(collector, request.headers.get("accept", ""))
        return Answer(200, content_type, body)


def _require_client_library() -> None:
    from importlib.util import find_spec

    if find_spec("prometheus_client") is None:
        raise UsageError("[metrics] enabled needs the package prometheus-client")


def _flushes(snapshot: Snapshot) -> dict[str, Any]:
    """Batches and flushes since the start: how many, how large, how long."""
    batches = snapshot.commits.count
    found: dict[str, Any] = {
        "batches": batches,
        "mean_batch": round(snapshot.commits.total / batches, 2) if batches else None,
    }
    for name, histogram in (("commit", snapshot.commit_seconds), ("sync", snapshot.syncs)):
        for label, share in (("median", 0.5), ("p95", 0.95)):
            value = histogram.quantile(share)
            found[f"{name}_{label}_ms"] = None if value is None else round(value * 1000, 2)
    return found
