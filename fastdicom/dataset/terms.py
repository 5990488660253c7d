"""On what terms somebody asks: what SOP Class Extended Negotiation granted, and what the node adds.

PS3.4 C.5.1.1 (C-FIND), C.5.2.1 (C-MOVE), C.5.3.1 (C-GET).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

Extension = Literal["relational", "datetime", "fuzzy", "timezone"]
EXTENSIONS: Final[tuple[Extension, ...]] = ("relational", "datetime", "fuzzy", "timezone")
"""In the order of their bytes in the Service-class-application-information of C-FIND."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How one asker's identifiers are read and matched. The first four are granted by negotiation.

    relational: unique keys of higher levels may be missing. datetime: a date and its time are one moment.
    fuzzy: names that sound alike match. timezone: dates and times of a key are the asker's, those of the
    data the data's. accent_folding: `Muller` finds `Müller`. charset: what the asker's text is in, whatever
    it says itself, several values divided by a backslash; "" believes it.
    """

    relational: bool = False
    datetime: bool = False
    fuzzy: bool = False
    timezone: bool = False
    accent_folding: bool = True
    charset: str = ""


DEFAULT_TERMS: Final = Terms()


def information_of(extensions: Collection[str]) -> bytes:
    """The Service-class-application-information of C-FIND that proposes or grants `extensions`."""
    return bytes(name in extensions for name in EXTENSIONS)


def extensions_in(information: bytes) -> frozenset[Extension]:
    """What Service-class-application-information says; bytes that are not there say no."""
    return frozenset(name for name, byte in zip(EXTENSIONS, information, strict=False) if byte == 1)
