"""Fills the tables of docs/conformance.md from the tables that the code itself uses.

    python -m docs.generate_conformance            writes the file (from the root of a checkout)
    python -m docs.generate_conformance --check    ends with 1 when it is not up to date

What stands between `<!-- generated: NAME -->` and `<!-- end -->` is replaced; the rest is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

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
from fastdicom.net.tls import SUITES
from fastdicom.settings import key_of, seconds
from fastdicom.standard import sop_classes, transfer_syntaxes
from fastdicom.standard.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from fastdicom.standard.sop_classes import SopClass
from fastdicom.standard.transfer_syntaxes import KNOWN, TransferSyntax

DOCUMENT = Path(__file__).with_name("conformance.md")
BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
KINDS = {"U": "unique", "R": "required", "O": "optional"}
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


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def implementation() -> str:
    """Who we say we are. PS3.7 D.3.3.2."""
    rows = [
        ("Implementation Class UID", f"`{IMPLEMENTATION_CLASS_UID}`"),
        ("Implementation Version Name", f"`{IMPLEMENTATION_VERSION_NAME}`"),
    ]
    return table(("Item", "Value"), rows)


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


BLOCKS: dict[str, Callable[[], str]] = {
    "implementation": implementation,
    "storage-classes": storage_classes,
    "further-storage-classes": further_storage_classes,
    "transfer-syntaxes": syntaxes,
    "further-transfer-syntaxes": further_syntaxes,
    "query-keys": query_keys,
    "settings": settings,
    "limits": limits,
    "tls-suites": tls_suites,
}


def filled(document: str) -> str:
    """`document` with every generated block as it has to be. Raises KeyError for an unknown block."""
    return BLOCK.sub(lambda block: f"{block[1]}\n{BLOCKS[block[2]]()}\n{block[3]}", document)


def main() -> int:
    """Write the document, or with --check compare it."""
    before = DOCUMENT.read_text("utf-8")
    after = filled(before)
    if "--check" in sys.argv[1:]:
        return int(before != after)
    DOCUMENT.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
