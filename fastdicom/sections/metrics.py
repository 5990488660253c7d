"""[metrics]: the HTTP port for Prometheus and health checks."""

from __future__ import annotations

from dataclasses import dataclass

from fastdicom.settings import boolean, host, number, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """[metrics]. enabled: serve /metrics and /healthz over plain HTTP, without authentication.

    bind: keep it on loopback unless the network is yours. port: 0 takes a free one. connections_max: HTTP
    connections at once; one more ends the one that has kept us waiting longest.
    """

    enabled: bool = setting(False, boolean)
    bind: str = setting("127.0.0.1", host)
    port: int = setting(9104, number(0, 65535))
    connections_max: int = setting(8, number(1, 1000))
