"""[tls]: certificates and what we ask of peers."""

# ruff: noqa: RUF009 -- `setting` declares a dataclass field, it makes no shared default

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fastdicom.settings import choice, existing_file, number, read_with, seconds, setting


def file_or_none(value: object) -> Path | None:
    """The path of a file that is there; Python's None for none."""
    return None if value is None else existing_file(value)


def _port_or_none(value: object) -> int | None:
    return None if value is None else number(0, 65535)(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """[tls]: PEM files, and what is asked of who calls us.

    port: where TLS is spoken, beside plain DICOM on [node] port (0: a free one); None: [node] port speaks TLS
    and nothing is plain. certificate: ours, with its chain. authorities: whose certificates we trust.
    client_certificates: whether a peer that calls us must show one. revoked: revocation lists (CRL).
    profile: of PS3.15 Annex B. handshake_s: how long a handshake may take.
    """

    certificate: Path = field(metadata=read_with(existing_file))
    key: Path = field(metadata=read_with(existing_file))
    port: int | None = setting(None, _port_or_none)
    authorities: Path | None = setting(None, file_or_none)
    client_certificates: Literal["required", "optional", "none"] = setting(
        "required", choice("required", "optional", "none")
    )
    revoked: Path | None = setting(None, file_or_none)
    profile: Literal["B.12", "B.13"] = setting("B.12", choice("B.12", "B.13"))
    handshake_s: float = setting(10.0, seconds, "handshake")
