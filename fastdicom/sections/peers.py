"""[access] and [[peers]]: who may ask what of us, and where peers are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fastdicom.dataset.charset import charset_of
from fastdicom.dataset.terms import EXTENSIONS, Extension
from fastdicom.sections.transcoding import lossy_targets
from fastdicom.settings import (
    ae_title,
    choices,
    host,
    listing,
    number,
    read_with,
    setting,
    text,
    transfer_syntax,
)

Operation = Literal["echo", "store", "find", "move", "get"]
OPERATIONS: tuple[Operation, ...] = ("echo", "store", "find", "move", "get")


def _host_or_none(value: object) -> str:
    return "" if value == "" else host(value)


def _grants_or_none(value: object) -> tuple[Extension, ...] | None:
    return None if value is None else choices(*EXTENSIONS)(value)


def _charset(value: object) -> str:
    """Defined terms of Specific Character Set, several divided by a backslash. PS3.3 C.12.1.1.2."""
    name = text(value).strip()
    if not charset_of(name).known:
        raise ValueError(f'{name!r} is no Specific Character Set, such as "ISO_IR 100"')
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """[access]: what a calling AE title that is no peer may do."""

    unknown_peers: tuple[Operation, ...] = setting(("echo", "store"), choices(*OPERATIONS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """[[peers]]: an application entity that we know.

    host: "" for a peer that only calls us and is no C-MOVE destination. allow: what it may ask of us.
    transfer_syntaxes: UIDs to propose to it and no others, best first; empty: what fits the object. lossy:
    lossy targets that may be sent to it beside those of [transcoding]. associations: how many of them one
    C-MOVE to it may use at once; the instances then arrive in no particular order. grants: what extended
    negotiation of queries grants it; None: what [query] says. charset: what its queries are in whatever they
    say, and their answers; "": what they say.

    >>> Config(peers=[Peer(ae_title="PACS", host="10.0.0.5", port=11112)]).peer("PACS").host
    '10.0.0.5'
    """

    ae_title: str = field(metadata=read_with(ae_title))
    host: str = setting("", _host_or_none)
    port: int = setting(104, number(1, 65535))
    allow: tuple[Operation, ...] = setting(OPERATIONS, choices(*OPERATIONS))
    transfer_syntaxes: tuple[str, ...] = setting((), listing(transfer_syntax))
    lossy: tuple[str, ...] = setting((), lossy_targets)
    grants: tuple[Extension, ...] | None = setting(None, _grants_or_none)
    charset: str = setting("", _charset)
    associations: int = setting(1, number(1, 64))
