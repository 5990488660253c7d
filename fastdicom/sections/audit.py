"""[audit]: where DICOM audit messages go. PS3.15 A.5."""

# ruff: noqa: RUF009 -- `setting` declares a dataclass field, it makes no shared default

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fastdicom.sections.units import COUNT_MAX, GIB, KIB, MIB
from fastdicom.settings import boolean, choice, existing_file, host, number, path_of, setting, size, text

TransportName = Literal["off", "tls", "tcp", "udp", "file"]


def _host_or_none(value: object) -> str:
    return "" if value == "" else host(value)


def _file_or_none(value: object) -> Path | None:
    return None if value is None else existing_file(value)


def _path_or_none(value: object) -> Path | None:
    return None if value is None or value == "" else path_of(value, "a file")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditConfig:
    """[audit]. transport: "tls" (RFC 5425), "tcp", "udp" (RFC 5426) to `host`, or a "file"; "off": none.

    port: 0 takes the transport's own, 6514 for TLS and 514 else. authorities, certificate, key: PEM files for
    TLS; without authorities those of the system. file_length_max, file_count: a full file is renamed, and so
    many are kept. source_id: who reports, by default our AE title. queue_length_max: bytes in memory,
    spool_length_max: on disk while the receiver is away; what is above is lost, counted and said.
    alerts_per_minute: security alerts of all kinds together. queries: whether queries are told.
    """

    transport: TransportName = setting("off", choice("off", "tls", "tcp", "udp", "file"))
    host: str = setting("", _host_or_none)
    port: int = setting(0, number(0, 65535))
    authorities: Path | None = setting(None, _file_or_none)
    certificate: Path | None = setting(None, _file_or_none)
    key: Path | None = setting(None, _file_or_none)
    file: Path | None = setting(None, _path_or_none)
    file_length_max: int = setting(64 * MIB, size(64 * KIB))
    file_count: int = setting(8, number(1, 1000))
    source_id: str = setting("", text)
    enterprise_site_id: str = setting("", text)
    queue_length_max: int = setting(8 * MIB, size(64 * KIB, GIB))
    spool_length_max: int = setting(64 * MIB, size(MIB))
    alerts_per_minute: int = setting(60, number(1, COUNT_MAX))
    queries: bool = setting(True, boolean)

    def mistakes(self) -> dict[str, str]:
        """What is wrong with the section as a whole, by key."""
        found = {}
        if self.transport in ("tls", "tcp", "udp") and not self.host:
            found["host"] = f'is missing: transport = "{self.transport}" needs a receiver'
        if self.transport == "file" and self.file is None:
            found["file"] = 'is missing: transport = "file" needs one'
        if (self.certificate is None) != (self.key is None):
            found["key"] = "certificate and key go together"
        return found

    @property
    def port_in_use(self) -> int:
        """`port`, or what RFC 5425 and RFC 5426 register."""
        return self.port or (6514 if self.transport == "tls" else 514)
