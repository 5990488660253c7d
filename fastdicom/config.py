"""The configuration: frozen dataclasses, from TOML or from keywords, checked once.

The sections stand in `fastdicom/sections/`; every ceiling on what a peer can make us hold or loop over has
its name in `Limits`. Sizes are bytes and durations seconds (fields ending in `_s`); in TOML and in tables
both take units ("64 KiB", "30 s"), and a duration's key has no `_s`. Rooms receive the section or the values
that they need, never the whole `Config`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fastdicom.errors import UsageError
from fastdicom.sections.archive import ArchiveConfig, IndexConfig, QueryConfig
from fastdicom.sections.audit import AuditConfig
from fastdicom.sections.compress import CompressRule
from fastdicom.sections.limits import Limits
from fastdicom.sections.log import LogConfig
from fastdicom.sections.metrics import MetricsConfig
from fastdicom.sections.node import NodeConfig, Timeouts
from fastdicom.sections.peers import OPERATIONS, Access, Operation, Peer
from fastdicom.sections.retention import RetentionConfig, VerifyConfig
from fastdicom.sections.tls import TlsConfig
from fastdicom.sections.transcoding import TranscodingConfig
from fastdicom.settings import Mistake, TableReader, as_table, keys_of, nearest
from fastdicom.small_files import read_small

__all__ = [
    "OPERATIONS",
    "Access",
    "ArchiveConfig",
    "AuditConfig",
    "CompressRule",
    "Config",
    "ConfigError",
    "IndexConfig",
    "Limits",
    "LogConfig",
    "MetricsConfig",
    "NodeConfig",
    "Operation",
    "Peer",
    "QueryConfig",
    "RetentionConfig",
    "Timeouts",
    "TlsConfig",
    "TranscodingConfig",
    "VerifyConfig",
]

FILE_LENGTH_MAX = 4 << 20  # of a configuration: some 20,000 peers


class ConfigError(UsageError):
    """A configuration that cannot be used; `mistakes` names everything that is wrong with it.

    source: the file that was read, "" for keywords and tables.
    """

    def __init__(self, mistakes: Iterable[Mistake], source: str = "") -> None:
        self.mistakes = list(mistakes)
        self.source = source
        head = f"{source}: " if source else ""
        super().__init__("; ".join(f"{head}{mistake}" for mistake in self.mistakes))


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
    "retention": RetentionConfig,
    "verify": VerifyConfig,
    "transcoding": TranscodingConfig,
    "audit": AuditConfig,
    "metrics": MetricsConfig,
}
_PATHS = (
    ("archive", "path"),
    ("access", "passcodes"),
    *(("tls", key) for key in ("certificate", "key", "authorities", "revoked")),
    *(("audit", key) for key in ("certificate", "key", "authorities", "file")),
)
_RELOADED = frozenset(
    {"peers", "access", "timeouts", "limits", "tls", "log", "transcoding", "compress", "retention", "verify"}
)


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
    retention: RetentionConfig
    verify: VerifyConfig
    transcoding: TranscodingConfig
    compress: tuple[CompressRule, ...]
    audit: AuditConfig
    metrics: MetricsConfig

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
        retention: RetentionConfig | Mapping[str, Any] | None = None,
        verify: VerifyConfig | Mapping[str, Any] | None = None,
        transcoding: TranscodingConfig | Mapping[str, Any] | None = None,
        compress: Iterable[CompressRule | Mapping[str, Any]] | None = None,
        audit: AuditConfig | Mapping[str, Any] | None = None,
        metrics: MetricsConfig | Mapping[str, Any] | None = None,
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
            "compress": _maybe_tuple(compress),
        }
        tables |= {"timeouts": timeouts, "access": access, "tls": tls, "log": log}
        tables |= {"limits": limits, "query": query, "index": index, "transcoding": transcoding}
        tables |= {"audit": audit, "metrics": metrics}
        tables |= {"retention": retention, "verify": verify}
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
            content = read_small(Path(path), FILE_LENGTH_MAX)
            document = content.decode("utf-8-sig")  # Windows' editors begin with a mark
            tables = tomllib.loads(document)
        except OSError as problem:
            raise ConfigError([Mistake("", None, problem.strerror or str(problem))], source) from problem
        except UnicodeDecodeError as problem:
            raise ConfigError([Mistake("", None, f"is not UTF-8: {problem.reason}")], source) from problem
        except tomllib.TOMLDecodeError as problem:
            raise ConfigError([_syntax_mistake(str(problem), document)], source) from problem
        except (ValueError, RecursionError) as problem:  # thousands of digits, or of lists in lists
            raise ConfigError([Mistake("", None, f"cannot be read: {problem}")], source) from problem
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
        names = [*_SECTIONS, "peers", "compress"]
        for name in tables:
            if name not in names:
                reader.mistake((name,), _unknown_section(name, names))
        for name, kind in _SECTIONS.items():
            found = reader.section(kind, tables[name], (name,)) if name in tables else None
            object.__setattr__(self, name, found or (None if kind is TlsConfig else kind()))
        object.__setattr__(self, "peers", _read_peers(reader, tables.get("peers", ())))
        object.__setattr__(self, "compress", _read_rules(reader, tables.get("compress", ())))
        self._check_security(reader)
        for key, message in self.audit.mistakes().items():
            reader.mistake(("audit", key), message)

    def _check_security(self, reader: TableReader) -> None:
        """Settings that mean something only together."""
        tls, access, node = self.tls, self.access, self.node
        if tls is not None and tls.authorities is None and tls.client_certificates != "none":
            reader.mistake(("tls", "authorities"), "is missing: who signs the certificates of our peers?")
        if tls is not None and tls.port and tls.port == node.port:
            reader.mistake(("tls", "port"), "is [node] port: leave it out to have TLS only")
        if access.user_identity != "ignored" and access.passcodes is None:
            reader.mistake(("access", "passcodes"), "is missing: `fastdicom user` makes the file")
        for place, peer in enumerate(self.peers, 1):
            path = ("peers", str(place))
            if tls is None and (peer.tls or peer.tls_required or peer.certificates):
                reader.mistake((*path, "tls"), "needs the section [tls]")
            if peer.passcode_file is not None and not peer.username:
                reader.mistake((*path, "passcode_file"), "needs a username")
            for title in peer.own_ae_titles:
                self._check_own(reader, (*path, "own_ae_titles"), title)
        for title in access.unknown_own_ae_titles:
            self._check_own(reader, ("access", "unknown_own_ae_titles"), title)

    def _check_own(self, reader: TableReader, path: tuple[str, ...], title: str) -> None:
        if title != self.node.ae_title and title not in self.node.other_ae_titles:
            reader.mistake(path, f"{title!r} is neither [node] ae_title nor one of other_ae_titles")

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
        if (self.tls is None) != (new.tls is None):
            return [*keys, "tls"]
        if self.tls is not None and new.tls is not None and self.tls.port != new.tls.port:
            keys.append("tls.port")
        return keys

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


def _read_rules(reader: TableReader, entries: object) -> tuple[CompressRule, ...]:
    if not isinstance(entries, (list, tuple)):
        reader.mistake(("compress",), "must be a list of tables: write [[compress]] above each")
        return ()
    rules = (
        reader.section(CompressRule, entry, ("compress", str(place)))
        for place, entry in enumerate(entries, 1)
    )
    return tuple(rule for rule in rules if rule is not None)


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
    peers = tables.get("peers")
    places = [(tables.get(section), key) for section, key in _PATHS]
    places += [(peer, "passcode_file") for peer in peers] if isinstance(peers, list) else []
    for table, key in places:
        if isinstance(table, dict) and isinstance(table.get(key), str) and table[key]:
            table[key] = folder / table[key]


def _table(section: object) -> dict[str, Any]:
    if section is None:
        return {}
    return dict(section) if isinstance(section, Mapping) else as_table(section)


def _maybe_tuple(values: Iterable[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)
