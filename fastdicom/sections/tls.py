"""[tls]: certificates and what we ask of peers."""

# ruff: noqa: RUF009 -- `setting` declares a dataclass field, it makes no shared default

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fastdicom.settings import choice, read_with, setting


def _existing_file(value: object) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ValueError(f"must be the path of a file, not {value!r}")
    if not Path(value).is_file():
        raise ValueError(f"there is no file {os.fspath(value)!r}")
    return Path(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """[tls]: PEM files. client_certificates: whether a peer that calls us must show one."""

    certificate: Path = field(metadata=read_with(_existing_file))
    key: Path = field(metadata=read_with(_existing_file))
    authorities: Path | None = setting(None, lambda value: None if value is None else _existing_file(value))
    client_certificates: Literal["required", "optional", "none"] = setting(
        "required", choice("required", "optional", "none")
    )
