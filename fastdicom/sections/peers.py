"""[access] and [[peers]]: who may ask what of us, and where peers are."""

# ruff: noqa: RUF009 -- `setting` declares a dataclass field, it makes no shared default

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fastdicom.dataset.charset import charset_of
from fastdicom.dataset.terms import EXTENSIONS, Extension
from fastdicom.sections.tls import file_or_none
from fastdicom.sections.transcoding import lossy_targets
from fastdicom.sections.units import COUNT_MAX
from fastdicom.settings import (
    ae_title,
    boolean,
    certificate_name,
    choice,
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


USERNAME_LENGTH_MAX = 64
_title = ae_title  # inside a section the name is the field's


def _host_or_none(value: object) -> str:
    return "" if value == "" else host(value)


def _network(value: object) -> str:
    """`10.0.0.0/8`, `10.0.0.5` or the same of IPv6, as `ipaddress` writes it."""
    from ipaddress import ip_network

    try:
        return str(ip_network(text(value).strip()))
    except ValueError as problem:
        raise ValueError(f"{value!r} is no address or network such as 10.0.0.0/8: {problem}") from None


def username(value: object) -> str:
    """What a user is called in the file of passcodes."""
    name = text(value)
    if not name or len(name.encode()) > USERNAME_LENGTH_MAX or not name.isprintable() or ":" in name:
        raise ValueError(f"{value!r} is no user name: 1 to 64 bytes of UTF-8, printable, without a colon")
    return name


def _username_or_none(value: object) -> str:
    return "" if value == "" else username(value)


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
    """[access]: what a calling AE title that is no peer may do, and whether users have to say who they are.

    unknown_addresses: networks from which it may call; empty: any. unknown_own_ae_titles: which of our AE
    titles it may call; empty: any. user_identity (PS3.7 D.3.3.7): "ignored"; "optional": checked when it is
    given; "required". passcodes: the file that `fastdicom user` writes.
    """

    unknown_peers: tuple[Operation, ...] = setting(("echo", "store"), choices(*OPERATIONS))
    unknown_addresses: tuple[str, ...] = setting((), listing(_network))
    unknown_own_ae_titles: tuple[str, ...] = setting((), listing(ae_title))
    user_identity: Literal["ignored", "optional", "required"] = setting(
        "ignored", choice("ignored", "optional", "required")
    )
    passcodes: Path | None = setting(None, file_or_none)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """[[peers]]: an application entity that we know.

    host: "" for a peer that only calls us and is no C-MOVE destination. allow: what it may ask of us.
    transfer_syntaxes: UIDs to propose to it and no others, best first; empty: what fits the object. lossy:
    lossy targets that may be sent to it beside those of [transcoding]. associations: how many of them one
    C-MOVE to it may use at once; the instances then arrive in no particular order. grants: what extended
    negotiation of queries grants it; None: what [query] says. charset: what its queries are in whatever they
    say, and their answers; "": what they say. tls: we call it over TLS.
    When it calls us: addresses: networks from which it may; own_ae_titles: which of our AE titles;
    tls_required: only over TLS; max_associations: at once, 0 for `limits.associations_per_peer_max`.
    certificates: names or fingerprints of which its certificate has one, both ways; empty: any that an
    authority of ours signed. username, passcode_file: who we say we are when we call it (PS3.7 D.3.3.7).

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
    tls: bool = setting(False, boolean)
    addresses: tuple[str, ...] = setting((), listing(_network))
    own_ae_titles: tuple[str, ...] = setting((), listing(_title))
    tls_required: bool = setting(False, boolean)
    certificates: tuple[str, ...] = setting((), listing(certificate_name))
    max_associations: int = setting(0, number(0, COUNT_MAX))
    username: str = setting("", _username_or_none)
    passcode_file: Path | None = setting(None, file_or_none)
