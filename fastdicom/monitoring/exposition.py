"""The metrics as Prometheus reads them: a table of names, and how each is filled from the node's figures.

The hot path never meets the client library: its counters cost a lock and a look-up an event. It counts in
`Figures`; a collector of ours gives the library the totals when they are scraped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from fastdicom.monitoring.figures import OUTCOMES, Snapshot, outcome_of
from fastdicom.monitoring.histogram import Histogram

Family = Any
"""A metric family of the client library, which is imported when the first scrape comes."""


class Metric(NamedTuple):
    """One metric. kind: "counter", "gauge" or "histogram"; labels: their names."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


METRICS = (
    Metric("fastdicom_build_info", "gauge", ("version", "python"), "Always 1; what runs."),
    Metric("fastdicom_start_time_seconds", "gauge", (), "When the node began, seconds since the epoch."),
    Metric("fastdicom_healthy", "gauge", (), "1 when /healthz says so."),
    Metric("fastdicom_operation_seconds", "histogram", ("service", "peer"),
           "From a request's Command Set to our answer; send: to the peer's answer."),
    Metric("fastdicom_operations_total", "counter", ("service", "peer", "outcome"),
           "Requests answered, and C-STORE sub-operations (send)."),
    Metric("fastdicom_statuses_total", "counter", ("service", "status"), "Answers by DIMSE status."),
    Metric("fastdicom_operation_bytes_total", "counter", ("service", "peer"),
           "Bytes of Data Sets stored (store) and sent (send)."),
    Metric("fastdicom_images_total", "counter", ("fate",),
           "Objects by what became of them: stored, duplicate, replaced, refused, interrupted, unsent."),
    Metric("fastdicom_associations_open", "gauge", (), "Established associations."),
    Metric("fastdicom_associations_half_open", "gauge", (), "Connections without an association."),
    Metric("fastdicom_associations_accepted_total", "counter", (), "Associations accepted."),
    Metric("fastdicom_associations_rejected_total", "counter", (), "Associations rejected."),
    Metric("fastdicom_associations_ended_total", "counter", ("peer", "how"),
           "Associations by how they ended: released, aborted, violated, lost, stopped, failed."),
    Metric("fastdicom_network_bytes_total", "counter", ("direction",), "Bytes received and sent."),
    Metric("fastdicom_entities", "gauge", ("level",), "Patients, studies, series and instances held."),
    Metric("fastdicom_archive_bytes", "gauge", (), "Bytes of the files held."),
    Metric("fastdicom_free_bytes", "gauge", (), "Free bytes of the archive's disk."),
    Metric("fastdicom_min_free_bytes", "gauge", (), "Below this, C-STORE is refused."),
    Metric("fastdicom_queue_depth", "gauge", ("queue",), "What waits: commit, audit."),
    Metric("fastdicom_commit_batch_size", "histogram", (), "Changes in one index transaction."),
    Metric("fastdicom_commit_seconds", "histogram", (), "Duration of one index transaction."),
    Metric("fastdicom_sync_seconds", "histogram", (), "Duration of one fsync of a file or folder."),
    Metric("fastdicom_index_bytes", "gauge", (), "Bytes of the index in use."),
    Metric("fastdicom_index_map_bytes", "gauge", (), "Bytes of the index's map; it grows by itself."),
    Metric("fastdicom_alerts_total", "counter", ("kind",), "Security alerts, suppressed ones too."),
    Metric("fastdicom_housekeeping_total", "counter", ("what",),
           "Instances deleted and exported, users accepted and refused."),
    Metric("fastdicom_audit_messages_total", "counter", ("fate",),
           "Audit messages: sent, spooled, dropped, suppressed."),
    Metric("fastdicom_audit_spool_bytes", "gauge", (), "Bytes of audit messages that wait on disk."),
    Metric("fastdicom_certificate_days", "gauge", ("what",), "Days until our certificate or a list expires."),
)  # fmt: skip
_NAMED = {metric.name: metric for metric in METRICS}

Sample = tuple[tuple[str, ...], float]
Figures = Mapping[str, Any]
"""What `Engine.status()` gives."""


class Collector:
    """What the client library asks at each scrape. read: the node's figures and counts of this moment."""

    def __init__(self, read: Callable[[], tuple[Figures, Snapshot]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Family]:
        """Every metric of METRICS that has a value."""
        figures, snapshot = self._read()
        for name, samples in {**_gauges(figures), **_counters(figures, snapshot)}.items():
            yield _plain(_NAMED[name], samples)
        for name, histograms in _histograms(snapshot).items():
            yield _family(_NAMED[name], histograms)


def render(collector: Collector, accept: str) -> tuple[str, bytes]:
    """(content type, body) in the exposition format that `accept`, the request's header, asks for.

    Raises UsageError where prometheus-client is not installed.
    """
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    registry: Any = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    encoder, content_type = choose_encoder(accept)
    return content_type, encoder(registry)


def _plain(metric: Metric, samples: list[Sample]) -> Family:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _family(metric: Metric, histograms: list[tuple[tuple[str, ...], Histogram]]) -> Family:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, histogram in histograms:
        ends = [*(repr(bound) for bound in histogram.bounds), "+Inf"]
        counts = zip(ends, histogram.cumulative(), strict=True)
        family.add_metric(labels, [(end, float(count)) for end, count in counts], histogram.total)
    return family


def _gauges(figures: Figures) -> dict[str, list[Sample]]:
    counts, associations = figures["counts"], figures["associations"]
    levels = ("patients", "studies", "series", "instances")
    build = figures["build"]
    found: dict[str, list[Sample]] = {
        "fastdicom_build_info": [((build["version"], build["python"]), 1)],
        "fastdicom_start_time_seconds": [((), figures["started"])],
        "fastdicom_healthy": [((), 0 if figures["health"]["reasons"] else 1)],
        "fastdicom_associations_open": [((), associations["open"])],
        "fastdicom_associations_half_open": [((), associations["half_open"])],
        "fastdicom_entities": [((level,), counts[level]) for level in levels],
        "fastdicom_archive_bytes": [((), counts["bytes"])],
        "fastdicom_free_bytes": [((), figures["free_bytes"])],
        "fastdicom_min_free_bytes": [((), figures["min_free_bytes"])],
        "fastdicom_queue_depth": [
            ((name,), depth) for name, depth in figures["queues"].items() if not name.endswith("_bytes")
        ],
        "fastdicom_index_bytes": [((), figures["index"]["bytes"])],
        "fastdicom_index_map_bytes": [((), figures["index"]["map_bytes"])],
    }
    if figures.get("audit"):
        found["fastdicom_audit_spool_bytes"] = [((), figures["audit"]["spool_bytes"])]
    if figures["certificate_days"]:
        found["fastdicom_certificate_days"] = _by_name(figures["certificate_days"])
    return found


def _counters(figures: Figures, snapshot: Snapshot) -> dict[str, list[Sample]]:
    associations, totals = figures["associations"], figures["totals"]
    found: dict[str, list[Sample]] = {
        "fastdicom_operations_total": list(_outcomes(snapshot)),
        "fastdicom_statuses_total": list(_statuses(snapshot)),
        "fastdicom_operation_bytes_total": [
            (key, one.bytes) for key, one in snapshot.services.items() if key.service in ("store", "send")
        ],
        "fastdicom_images_total": _by_name(snapshot.images),
        "fastdicom_associations_accepted_total": [((), associations["accepted"])],
        "fastdicom_associations_rejected_total": [((), associations["rejected"])],
        "fastdicom_associations_ended_total": list(snapshot.endings.items()),
        "fastdicom_network_bytes_total": [
            (("received",), totals["bytes_received"]),
            (("sent",), totals["bytes_sent"]),
        ],
        "fastdicom_alerts_total": _by_name(snapshot.alerts),
        "fastdicom_housekeeping_total": _by_name(snapshot.housekeeping),
    }
    if figures.get("audit"):
        fates = ("sent", "spooled", "dropped", "suppressed")
        found["fastdicom_audit_messages_total"] = [((fate,), figures["audit"][fate]) for fate in fates]
    return found


def _histograms(snapshot: Snapshot) -> dict[str, list[tuple[tuple[str, ...], Histogram]]]:
    return {
        "fastdicom_operation_seconds": [(key, one.latency) for key, one in snapshot.services.items()],
        "fastdicom_commit_batch_size": [((), snapshot.commits)],
        "fastdicom_commit_seconds": [((), snapshot.commit_seconds)],
        "fastdicom_sync_seconds": [((), snapshot.syncs)],
    }


def _by_name(counts: Mapping[str, float]) -> list[Sample]:
    return [((name,), count) for name, count in counts.items()]


def _outcomes(snapshot: Snapshot) -> Iterator[Sample]:
    for key, figures in snapshot.services.items():
        counts = dict.fromkeys(OUTCOMES, 0)
        for code, count in figures.statuses.items():
            counts[outcome_of(code)] += count
        yield from (((*key, outcome), count) for outcome, count in counts.items())


def _statuses(snapshot: Snapshot) -> Iterator[Sample]:
    counts: dict[tuple[str, str], int] = {}
    for key, figures in snapshot.services.items():
        for code, count in figures.statuses.items():
            labels = (key.service, f"{code:04X}")
            counts[labels] = counts.get(labels, 0) + count
    yield from counts.items()
