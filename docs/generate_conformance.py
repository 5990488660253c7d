"""Fills the tables of docs/conformance.md from the tables that the code itself uses.

python -m docs.generate_conformance            writes the file (from the root of a checkout)
python -m docs.generate_conformance --check    ends with 1 when it is not up to date
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import MISSING, fields
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread

from docs.generated import Blocks, table, write
from fastdicom.config import (
    Access,
    ArchiveConfig,
    CompressRule,
    Limits,
    LogConfig,
    NodeConfig,
    Peer,
    Timeouts,
    TlsConfig,
    TranscodingConfig,
)
from fastdicom.dataset.attributes import ATTRIBUTES, LEVELS
from fastdicom.dataset.part10 import encode_file_meta
from fastdicom.net.tls import SUITES
from fastdicom.settings import key_of, seconds
from fastdicom.standard import sop_classes, transfer_syntaxes
from fastdicom.standard.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from fastdicom.standard.sop_classes import SopClass
from fastdicom.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, KNOWN, TransferSyntax

DOCUMENT = Path(__file__).with_name("conformance.md")
KINDS = {"U": "unique", "R": "required", "O": "optional"}
_FILE_META = {
    0x00020000: "length of the rest",
    0x00020001: "0001H",
    0x00020002: "of the Data Set",
    0x00020003: "of the Data Set",
    0x00020010: "as received, or what it was converted to",
    0x00020012: "ours, section 3.2.3",
    0x00020013: "ours, section 3.2.3",
    0x00020016: "the AE title that sent it to us; where we only convert or import, the source's",
    0x00020018: "our AE title that received it",
    0x00020100: "our Implementation Class UID (archive only)",
    0x00020102: "archive only; the last 16 bytes: length and XXH3-64 checksum of the Data Set, both 64 bits "
    "little endian, zeros until the file is whole. In front of them, for what `[[compress]]` compressed, a "
    "text with transfer syntax, length and checksum of what was received and the checksum of its pixels",
}
SECTIONS: dict[str, type[Any]] = {
    "node": NodeConfig,
    "timeouts": Timeouts,
    "archive": ArchiveConfig,
    "access": Access,
    "peers": Peer,
    "transcoding": TranscodingConfig,
    "compress": CompressRule,
    "tls": TlsConfig,
    "log": LogConfig,
}


def implementation() -> str:
    """Who we say we are. PS3.7 D.3.3.2."""
    rows = [
        ("Implementation Class UID", f"`{IMPLEMENTATION_CLASS_UID}`"),
        ("Implementation Version Name", f"`{IMPLEMENTATION_VERSION_NAME}`"),
    ]
    return table(("Item", "Value"), rows)


def file_meta() -> str:
    """What precedes the Data Set in every file of ours. PS3.10 7.1."""
    written = encode_file_meta(
        "1.2.3", "1.2.3.4", EXPLICIT_VR_LITTLE_ENDIAN, "A", receiving_ae_title="B", sealable=True
    )
    elements = dcmread(BytesIO(written), force=True).file_meta
    rows = [(str(one.tag).upper(), one.name, _FILE_META[one.tag]) for one in elements]
    return table(("Tag", "Name", "Value"), rows)


def storage_classes() -> str:
    """The Storage SOP classes by name, those of the reference statement first."""
    return _classes(sop_classes.CONFORMANCE)


def further_storage_classes() -> str:
    """The Storage SOP classes that the standard has added since."""
    return _classes(sop_classes.FURTHER)


def _classes(rows: Iterable[SopClass]) -> str:
    ordered = sorted(rows, key=lambda row: row.name.lower())
    return table(("SOP Class", "UID", "Status"), [(row.name, f"`{row.uid}`", row.status) for row in ordered])


def syntaxes() -> str:
    """The transfer syntaxes of the reference statement."""
    return _syntaxes(transfer_syntaxes.CONFORMANCE)


def further_syntaxes() -> str:
    """The transfer syntaxes that the standard has added since."""
    return _syntaxes(transfer_syntaxes.FURTHER)


def _syntaxes(rows: Iterable[TransferSyntax]) -> str:
    return table(
        ("Transfer Syntax", "UID", "Keyword", "Pixel Data", "Converted"),
        [(row.name, f"`{row.uid}`", f"`{row.keyword}`", _pixel_data(row), _converted(row)) for row in rows],
    )


def _pixel_data(row: TransferSyntax) -> str:
    if row.native:
        return "native"
    return "encapsulated" if row.encapsulated else "referenced"


def _converted(row: TransferSyntax) -> str:
    """Whether pixels are converted from and to it."""
    return {
        (True, True): "from and to",
        (True, False): "from",
        (False, False): "no",
    }[row.decode, row.encode]


def query_keys() -> str:
    """The attributes that are matched and returned, by level."""
    text = ""
    for level in LEVELS:
        rows = sorted(row for row in ATTRIBUTES if row.level == level)
        text += f"\n{level} level\n\n" + table(
            ("Attribute", "Tag", "VR", "Key"),
            [
                (row.keyword, f"({row.tag >> 16:04X},{row.tag & 0xFFFF:04X})", row.vr, KINDS[row.kind])
                for row in rows
            ],
        )
    return text.lstrip("\n")


def settings() -> str:
    """The configuration's keys and defaults."""
    rows = [row for name, section in SECTIONS.items() for row in _settings(name, section)]
    return table(("Key", "Default"), rows)


def limits() -> str:
    """The ceilings on what a peer can make the node hold or loop over."""
    return table(("Key", "Default"), _settings("limits", Limits))


def _settings(name: str, section: type[Any]) -> list[tuple[str, str]]:
    place = f"[[{name}]]" if section in (Peer, CompressRule) else f"[{name}]"
    return [(f"`{place} {key_of(declared)}`", _default(declared)) for declared in fields(section)]


def _default(declared: Any) -> str:
    value = declared.default
    if declared.metadata["read"] is seconds:
        return f"{value:g} s"
    if declared.metadata["read"].__qualname__.startswith("size."):
        return _size(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(KNOWN[item].keyword if item in KNOWN else item for item in value) or "none"
    if value is MISSING:
        return "required"
    return "none" if value is None else str(value) or "none"


def _size(count: int) -> str:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count and count % factor == 0:
            return f"{count // factor} {unit}"
    return f"{count} bytes" if count else "0"


def tls_suites() -> str:
    """The TLS 1.2 cipher suites of each profile; TLS 1.3 has only authenticated encryption."""
    return table(
        ("Profile", "TLS 1.2 cipher suites"), [(name, ", ".join(rows)) for name, rows in SUITES.items()]
    )


BLOCKS: Blocks = {
    "implementation": implementation,
    "file-meta": file_meta,
    "storage-classes": storage_classes,
    "further-storage-classes": further_storage_classes,
    "transfer-syntaxes": syntaxes,
    "further-transfer-syntaxes": further_syntaxes,
    "query-keys": query_keys,
    "settings": settings,
    "limits": limits,
    "tls-suites": tls_suites,
}


if __name__ == "__main__":
    sys.exit(write(DOCUMENT, BLOCKS))
