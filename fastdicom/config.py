"""The configuration: frozen dataclasses, from TOML or from keywords, checked once.

Every ceiling on what a peer can make us hold or loop over has its name here, in `Limits`. Sizes are bytes and
durations seconds (fields ending in `_s`); in TOML and in tables both take units ("64 KiB", "30 s"), and a
duration's key has no `_s`. Rooms receive the section or the values that they need, never the whole `Config`.
"""

# ruff: noqa: RUF009 -- `setting` declares a dataclass field, it makes no shared default

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from fastdicom.dataset.attributes import LEVELS, Attribute
from fastdicom.errors import UsageError
from fastdicom.settings import (
    Mistake,
    TableReader,
    ae_title,
    as_table,
    boolean,
    choice,
    choices,
    host,
    keys_of,
    listing,
    nearest,
    number,
    read_with,
    seconds,
    setting,
    size,
    text,
    transfer_syntax,
)
from fastdicom.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN

Operation = Literal["echo", "store", "find", "move", "get"]
OPERATIONS: tuple[Operation, ...] = ("echo", "store", "find", "move", "get")
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
COUNT_MAX = 1 << 31


class ConfigError(UsageError):
    """A configuration that cannot be used; `mistakes` names everything that is wrong with it.

    source: the file that was read, "" for keywords and tables.
    """

    def __init__(self, mistakes: Iterable[Mistake], source: str = "") -> None:
        self.mistakes = list(mistakes)
        self.source = source
        head = f"{source}: " if source else ""
        super().__init__("; ".join(f"{head}{mistake}" for mistake in self.mistakes))


def _addresses(value: object) -> tuple[str, ...]:
    """`bind`: one address or a list of them."""
    found = (host(value),) if isinstance(value, str) else listing(host)(value)
    if not found:
        raise ValueError("must name at least one address to listen on")
    return found


def _folder(value: object) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ValueError(f"must be the path of a folder, not {value!r}")
    return Path(value)


def _existing_file(value: object) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ValueError(f"must be the path of a file, not {value!r}")
    if not Path(value).is_file():
        raise ValueError(f"there is no file {os.fspath(value)!r}")
    return Path(value)


def _host_or_none(value: object) -> str:
    return "" if value == "" else host(value)


def _attribute(value: object) -> Attribute:
    """`"ScanOptions"` (kept of every instance) or `"SERIES/ScanOptions"`; the VR comes from PS3.6."""
    if isinstance(value, Attribute):
        return value
    level, _, keyword = text(value).rpartition("/")
    level = level or "IMAGE"
    if level not in LEVELS:
        raise ValueError(f"{value!r} has no level that we know; {nearest(level, LEVELS)}")
    from pydicom.datadict import dictionary_VR, keyword_dict  # heavy: only for who adds attributes

    if not keyword or keyword not in keyword_dict:  # it has nameless retired rows under ""
        raise ValueError(f"{keyword!r} is no attribute of PS3.6; {nearest(keyword, keyword_dict)}")
    tag = keyword_dict[keyword]
    return Attribute(tag, dictionary_VR(tag)[:2], keyword, level)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """[node]: who we are and where we listen.

    bind: addresses; "::" listens for both families. port: 0 takes a free one. max_pdu_length: bytes of a PDU
    that we announce, 0 for any. preferred_transfer_syntaxes: UIDs, the order in which the acceptor chooses.
    """

    ae_title: str = setting("FASTDICOM", ae_title)
    bind: tuple[str, ...] = setting(("127.0.0.1",), _addresses)
    port: int = setting(11112, number(0, 65535))
    max_associations: int = setting(200, number(1, COUNT_MAX))
    max_pdu_length: int = setting(256 * KIB, size(4096, 16 * MIB, zero_allowed=True))
    check_called_ae_title: bool = setting(False, boolean)
    preferred_transfer_syntaxes: tuple[str, ...] = setting(
        (IMPLICIT_VR_LITTLE_ENDIAN,), listing(transfer_syntax)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """[timeouts], in seconds.

    artim_s: until an association request is there and whole, and until the peer closes after its end
    (PS3.8 9.1.5). idle_s: an established association that says nothing. connect_s: TCP and TLS as requestor.
    response_s: until a peer answers a request of ours, the association request included.
    """

    artim_s: float = setting(30.0, seconds, "artim")
    idle_s: float = setting(60.0, seconds, "idle")
    connect_s: float = setting(10.0, seconds, "connect")
    response_s: float = setting(60.0, seconds, "response")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveConfig:
    """[archive]: where and how instances are kept.

    durability: "full": Success means that file and index row survive a power cut; "os": that they survive a
    crash of the process. duplicates: the same SOP Instance again "keep"s the first or "replace"s it.
    min_free: bytes; below it C-STORE is answered A700H before the Data Set is taken.
    accept_unknown_sop_classes: take Storage SOP classes that are private or newer than our table.
    """

    path: Path = setting(Path("fastdicom-archive"), _folder)
    durability: Literal["full", "os"] = setting("full", choice("full", "os"))
    duplicates: Literal["keep", "replace"] = setting("keep", choice("keep", "replace"))
    min_free: int = setting(GIB, size(0))
    accept_unknown_sop_classes: bool = setting(False, boolean)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """[access]: what a calling AE title that is no peer may do."""

    unknown_peers: tuple[Operation, ...] = setting(("echo", "store"), choices(*OPERATIONS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """[[peers]]: an application entity that we know.

    host: "" for a peer that only calls us and is no C-MOVE destination. allow: what it may ask of us.
    transfer_syntaxes: UIDs to propose to it; empty: what fits the object.

    >>> Config(peers=[Peer(ae_title="PACS", host="10.0.0.5", port=11112)]).peer("PACS").host
    '10.0.0.5'
    """

    ae_title: str = field(metadata=read_with(ae_title))
    host: str = setting("", _host_or_none)
    port: int = setting(104, number(1, 65535))
    allow: tuple[Operation, ...] = setting(OPERATIONS, choices(*OPERATIONS))
    transfer_syntaxes: tuple[str, ...] = setting((), listing(transfer_syntax))


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """[tls]: PEM files. client_certificates: whether a peer that calls us must show one."""

    certificate: Path = field(metadata=read_with(_existing_file))
    key: Path = field(metadata=read_with(_existing_file))
    authorities: Path | None = setting(None, lambda value: None if value is None else _existing_file(value))
    client_certificates: Literal["required", "optional", "none"] = setting(
        "required", choice("required", "optional", "none")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """[log]. patient_data: whether DEBUG lines may carry what identifies a patient."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        "INFO", choice("DEBUG", "INFO", "WARNING", "ERROR")
    )
    format: Literal["text", "json"] = setting("text", choice("text", "json"))
    patient_data: bool = setting(False, boolean)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """[limits]: everything that a peer can make us hold or loop over. Lengths are bytes.

    half_open_max: connections without an association. association_request_length_max: an A-ASSOCIATE-RQ.
    identifier_*: of C-FIND, C-MOVE and C-GET. nesting_depth_max, element_count_max: of any Data Set.
    inflated_length_max, inflate_ratio_max: of a deflated Data Set, the ratio once inflate_ratio_after bytes
    came out. dataset_length_max: of a C-STORE as it arrives (0: no limit). indexed_value_length_max: longer
    values are stored but not indexed. answers_max: of one C-FIND, then A700H (0: no limit).
    frame_length_max: of a decoded frame. message_stall_s: silence inside a message. send_stall_s: a peer
    that does not read.
    """

    half_open_max: int = setting(512, number(1, COUNT_MAX))
    association_request_length_max: int = setting(MIB, size(4 * KIB, GIB))
    command_set_length_max: int = setting(64 * KIB, size(4 * KIB, GIB))
    identifier_length_max: int = setting(MIB, size(4 * KIB, GIB))
    identifier_keys_max: int = setting(512, number(1, COUNT_MAX))
    identifier_uids_max: int = setting(10_000, number(1, COUNT_MAX))
    nesting_depth_max: int = setting(64, number(1, 10_000))
    element_count_max: int = setting(10_000_000, number(1_000, COUNT_MAX))
    inflated_length_max: int = setting(2 * GIB, size(MIB))
    inflate_ratio_max: int = setting(200, number(2, 1100))
    inflate_ratio_after: int = setting(MIB, size(0))
    dataset_length_max: int = setting(0, size(64 * KIB, zero_allowed=True))
    indexed_value_length_max: int = setting(64 * KIB, size(64, 16 * MIB))
    answers_max: int = setting(100_000, number(0, COUNT_MAX))
    frame_length_max: int = setting(512 * MIB, size(MIB))
    message_stall_s: float = setting(30.0, seconds, "message_stall")
    send_stall_s: float = setting(30.0, seconds, "send_stall")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryConfig:
    """[query]. The first four are granted by SOP Class Extended Negotiation only (PS3.4 C.5.1.1).

    accent_folding: `Muller` finds `Müller`. patient_level_in_study_root: answer a Study Root query at PATIENT
    level instead of refusing it.
    """

    relational: bool = setting(False, boolean)
    datetime: bool = setting(False, boolean)
    fuzzy: bool = setting(False, boolean)
    timezone: bool = setting(False, boolean)
    accent_folding: bool = setting(True, boolean)
    patient_level_in_study_root: bool = setting(False, boolean)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexConfig:
    """[index]. extra: attributes to index beyond `dataset.attributes.ATTRIBUTES`."""

    extra: tuple[Attribute, ...] = setting((), listing(_attribute))


_SECTIONS: dict[str, type[Any]] = {
    "node": NodeConfig,
    "timeouts": Timeouts,
    "archive": ArchiveConfig,
    "access": Access,
    "tls": TlsConfig,
    "log": LogConfig,
    "limits": Limits,
    "query": QueryConfig,
    "index": IndexConfig,
}
# Settings that this version cannot honour yet: better refused than taken without effect.
_NOT_YET = {
    "relational": False,
    "datetime": False,
    "fuzzy": False,
    "timezone": False,
    "accent_folding": True,
}
_RELOADED = frozenset({"peers", "access", "timeouts", "limits", "tls", "log"})


@dataclass(frozen=True, init=False)
class Config:
    """The whole configuration. Keys of [node] and the archive's path may be given directly:

    >>> config = Config(ae_title="GATEWAY", port=0, peers=[{"ae_title": "PACS", "host": "10.0.0.5"}])
    >>> config.node.ae_title, config.peers[0].port, config.timeouts.idle_s
    ('GATEWAY', 104, 60.0)

    Raises ConfigError with every mistake.
    """

    node: NodeConfig
    timeouts: Timeouts
    archive: ArchiveConfig
    access: Access
    peers: tuple[Peer, ...]
    tls: TlsConfig | None
    log: LogConfig
    limits: Limits
    query: QueryConfig
    index: IndexConfig

    def __init__(
        self,
        *,
        node: NodeConfig | Mapping[str, Any] | None = None,
        timeouts: Timeouts | Mapping[str, Any] | None = None,
        archive: ArchiveConfig | Mapping[str, Any] | str | os.PathLike[str] | None = None,
        access: Access | Mapping[str, Any] | None = None,
        peers: Iterable[Peer | Mapping[str, Any]] | None = None,
        tls: TlsConfig | Mapping[str, Any] | None = None,
        log: LogConfig | Mapping[str, Any] | None = None,
        limits: Limits | Mapping[str, Any] | None = None,
        query: QueryConfig | Mapping[str, Any] | None = None,
        index: IndexConfig | Mapping[str, Any] | None = None,
        ae_title: str | None = None,
        bind: str | Iterable[str] | None = None,
        port: int | None = None,
        max_associations: int | None = None,
        max_pdu_length: int | str | None = None,
        check_called_ae_title: bool | None = None,
        preferred_transfer_syntaxes: Iterable[str] | None = None,
    ) -> None:
        shortcuts = {
            "ae_title": ae_title,
            "bind": bind if bind is None or isinstance(bind, str) else tuple(bind),
            "port": port,
            "max_associations": max_associations,
            "max_pdu_length": max_pdu_length,
            "check_called_ae_title": check_called_ae_title,
            "preferred_transfer_syntaxes": _maybe_tuple(preferred_transfer_syntaxes),
        }
        tables: dict[str, Any] = {
            "node": _table(node) | {key: value for key, value in shortcuts.items() if value is not None},
            "archive": {"path": archive} if isinstance(archive, (str, os.PathLike)) else archive,
            "peers": _maybe_tuple(peers),
        }
        tables |= {"timeouts": timeouts, "access": access, "tls": tls, "log": log}
        tables |= {"limits": limits, "query": query, "index": index}
        reader = TableReader()
        self._fill(reader, {name: table for name, table in tables.items() if table is not None})
        if reader.mistakes:
            raise ConfigError(reader.mistakes)

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any]) -> Config:
        """A configuration from tables as TOML has them. Raises ConfigError with every mistake."""
        return cls._read(tables, TableReader(), "")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Config:
        """A configuration from a TOML file; relative paths in it count from the file's own folder.

        Raises ConfigError with every mistake, its key and its line.
        """
        import tomllib

        from fastdicom.toml_lines import TomlLines

        source = os.fspath(path)
        try:
            document = Path(path).read_text("utf-8")
            tables = tomllib.loads(document)
        except OSError as problem:
            raise ConfigError([Mistake("", None, problem.strerror or str(problem))], source) from problem
        except UnicodeDecodeError as problem:
            raise ConfigError([Mistake("", None, f"is not UTF-8: {problem.reason}")], source) from problem
        except tomllib.TOMLDecodeError as problem:
            raise ConfigError([_syntax_mistake(str(problem), document)], source) from problem
        _resolve_paths(tables, Path(path).absolute().parent)
        return cls._read(tables, TableReader(TomlLines(document).line_of), source)

    @classmethod
    def _read(cls, tables: Mapping[str, Any], reader: TableReader, source: str) -> Config:
        config = cls.__new__(cls)
        config._fill(reader, tables)
        if reader.mistakes:
            reader.mistakes.sort(key=lambda mistake: mistake.line or 0)
            raise ConfigError(reader.mistakes, source)
        return config

    def _fill(self, reader: TableReader, tables: Mapping[str, Any]) -> None:
        """Set every section from `tables`; what is wrong is in `reader.mistakes` afterwards."""
        names = [*_SECTIONS, "peers"]
        for name in tables:
            if name not in names:
                reader.mistake((name,), _unknown_section(name, names))
        for name, kind in _SECTIONS.items():
            found = reader.section(kind, tables[name], (name,)) if name in tables else None
            object.__setattr__(self, name, found or (None if kind is TlsConfig else kind()))
        object.__setattr__(self, "peers", _read_peers(reader, tables.get("peers", ())))
        self._check_available(reader)

    def _check_available(self, reader: TableReader) -> None:
        if self.tls is not None:
            reader.mistake(("tls",), "is not available yet: everything would travel in the clear")
        for key, only in _NOT_YET.items():
            if getattr(self.query, key) != only:
                reader.mistake(("query", key), f"is not available yet: it can only be {str(only).lower()}")

    def with_changes(self, **sections: Any) -> Config:
        """A copy in which the named sections' given keys differ, checked like a new one.

        >>> Config().with_changes(node={"port": 104}).node.port
        104
        """
        tables: dict[str, Any] = {declared.name: getattr(self, declared.name) for declared in fields(self)}
        for name, changes in sections.items():
            tables[name] = {**_table(tables.get(name)), **changes}
        return Config.from_dict({name: table for name, table in tables.items() if table is not None})

    def needs_restart(self, new: Config) -> list[str]:
        """The dotted keys in which `new` differs and that a running engine cannot take over."""
        keys = []
        for name in _SECTIONS:
            if name not in _RELOADED:
                old_table, new_table = as_table(getattr(self, name)), as_table(getattr(new, name))
                keys += [f"{name}.{key}" for key in old_table if old_table[key] != new_table[key]]
        return keys + (["tls"] if (self.tls is None) != (new.tls is None) else [])

    def peer(self, title: str) -> Peer | None:
        """The peer with this AE title, or None."""
        return next((peer for peer in self.peers if peer.ae_title == title), None)


def _read_peers(reader: TableReader, entries: object) -> tuple[Peer, ...]:
    if not isinstance(entries, (list, tuple)):
        reader.mistake(("peers",), "must be a list of tables: write [[peers]] above each")
        return ()
    peers: dict[str, Peer] = {}
    for place, entry in enumerate(entries, 1):
        path = ("peers", str(place))
        peer = reader.section(Peer, entry, path)
        if peer is not None and peer.ae_title in peers:
            reader.mistake((*path, "ae_title"), f"there is another peer {peer.ae_title!r} above")
        elif peer is not None:
            peers[peer.ae_title] = peer
    return tuple(peers.values())


def _unknown_section(name: str, names: list[str]) -> str:
    """A hint for a name at the top level: a key that lost its section, or a misspelled section."""
    for section, kind in _SECTIONS.items():
        if name in keys_of(kind):
            return f"unknown key; `{name}` belongs into [{section}]"
    return f"unknown section; {nearest(name, names)}"


def _syntax_mistake(message: str, document: str) -> Mistake:
    """A TOML syntax error, whose message ends in `(at line 3, column 7)` or `(at end of document)`."""
    place = re.search(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$", message)
    if place is None:
        return Mistake("", None, message)
    line = int(place[1]) if place[1] else max(1, len(document.splitlines()))
    return Mistake("", line, message[: place.start()])


def _resolve_paths(tables: dict[str, Any], folder: Path) -> None:
    """Make the relative paths of a file count from `folder`."""
    for section, key in (("archive", "path"), ("tls", "certificate"), ("tls", "key"), ("tls", "authorities")):
        table = tables.get(section)
        if isinstance(table, dict) and isinstance(table.get(key), str) and table[key]:
            table[key] = folder / table[key]


def _table(section: object) -> dict[str, Any]:
    if section is None:
        return {}
    return dict(section) if isinstance(section, Mapping) else as_table(section)


def _maybe_tuple(values: Iterable[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)
