"""An embedded DICOM engine for appliances: receives, keeps, finds and sends.

What a host program needs is here: `Engine`, `Config`, `connect`, `Archive` and the errors. Importing
starts nothing and loads little; each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastdicom.errors import (
    AssociationAborted,
    AssociationRejected,
    CodecError,
    ConnectionLost,
    FastdicomError,
    MalformedDataset,
    PeerError,
    Refused,
    Unavailable,
    UsageError,
)

if TYPE_CHECKING:
    from fastdicom.client import PeerConnection, connect
    from fastdicom.config import Config, ConfigError, Peer
    from fastdicom.converting import transcode, transcode_file, transcode_folder
    from fastdicom.engine import Engine
    from fastdicom.local import Archive
    from fastdicom.net.tls import Tls, TlsError
    from fastdicom.stored_instance import StoredInstance

__version__ = "0.1.0"

_LATER = {
    "Archive": "local",
    "Config": "config",
    "ConfigError": "config",
    "Engine": "engine",
    "Peer": "config",
    "PeerConnection": "client",
    "StoredInstance": "stored_instance",
    "Tls": "net.tls",
    "TlsError": "net.tls",
    "connect": "client",
    "transcode": "converting",
    "transcode_file": "converting",
    "transcode_folder": "converting",
}

__all__ = [
    "Archive",
    "AssociationAborted",
    "AssociationRejected",
    "CodecError",
    "Config",
    "ConfigError",
    "ConnectionLost",
    "Engine",
    "FastdicomError",
    "MalformedDataset",
    "Peer",
    "PeerConnection",
    "PeerError",
    "Refused",
    "StoredInstance",
    "Tls",
    "TlsError",
    "Unavailable",
    "UsageError",
    "connect",
    "transcode",
    "transcode_file",
    "transcode_folder",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value
