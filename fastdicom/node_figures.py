"""The figures of a running node, for `Engine.status`, the status file and the metrics; never patient data."""

from __future__ import annotations

from typing import Any

from fastdicom.access import Admission
from fastdicom.keeper import ArchiveKeeper
from fastdicom.services.budget import Budget


def archive_figures(keeper: ArchiveKeeper) -> dict[str, Any]:
    """What the archive holds, has taken and has room for."""
    index, files = keeper.index_for_figures, keeper.files
    counts = index.counts()
    return {
        "counts": {
            "patients": counts.patients,
            "studies": counts.studies,
            "series": counts.series,
            "instances": counts.instances,
            "bytes": counts.bytes,
        },
        "free_bytes": files.free,
        "min_free_bytes": files.min_free,
        "disk": {"low": files.space.low, "fault": files.health.fault},
        "index": index.figures(),
    }


def traffic_figures(
    admission: Admission, keeper: ArchiveKeeper, incoming: Budget, identifiers: Budget
) -> dict[str, Any]:
    """Associations, what came and went, and what waits."""
    return {
        "associations": {
            "open": admission.open,
            "half_open": admission.half_open,
            "accepted": admission.accepted,
            "rejected": admission.rejected,
            "failed": admission.failed,
        },
        "totals": {
            "stored": keeper.committer.commits,
            "commit_batches": keeper.committer.batches,
            "bytes_received": admission.bytes_received,
            "bytes_sent": admission.bytes_sent,
        },
        "queues": {
            "commit": keeper.committer.waiting + keeper.posts.waiting,
            "incoming_bytes": incoming.used,
            "identifier_bytes": identifiers.used,
        },
    }
