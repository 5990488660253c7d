"""Our own node as a separate process, started the way a user starts it: `python -m fastdicom serve`."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import START_SECONDS, Peer, missing, running, spawn

CHECKOUT = Path(__file__).parents[2]
ALL_OPERATIONS = ["echo", "store", "find", "move", "get"]
LISTENING = re.compile(r"(?::|\bport )\s*(\d{1,5})\b")

Table = Mapping[str, Any]


@dataclass
class Node(Peer):
    """A running fastdicom node and where its archive is."""

    archive: Path = Path()

    def cli(self, *arguments: str | Path) -> list[str]:
        """The argument list of one of our commands, for subprocess."""
        return [sys.executable, "-m", "fastdicom", *(str(argument) for argument in arguments)]


def toml_text(tables: Mapping[str, Table], arrays: Mapping[str, Sequence[Table]]) -> str:
    """A TOML document of tables and arrays of tables; JSON's scalars and lists are TOML's too."""
    headed = [(f"[{name}]", table) for name, table in tables.items()]
    headed += [(f"[[{name}]]", table) for name, entries in arrays.items() for table in entries]
    lines = []
    for head, table in headed:
        lines += [head, *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def node_config(
    archive: Path,
    changes: Mapping[str, Table] | None = None,
    peers: Sequence[Table] = (),
    compress: Sequence[Table] = (),
) -> str:
    """A configuration for tests: free port, everybody may do everything. `changes` by table name."""
    tables: dict[str, dict[str, Any]] = {
        "node": {"ae_title": "FASTDICOM", "bind": "127.0.0.1", "port": 0},
        "archive": {"path": str(archive), "min_free": "1 MiB"},
        "access": {"unknown_peers": ALL_OPERATIONS},
    }
    for name, table in (changes or {}).items():
        tables.setdefault(name, {}).update(table)
    return toml_text(tables, {"peers": peers, "compress": compress})


def peer_table(ae_title: str, port: int, **more: Any) -> dict[str, Any]:
    """A [[peers]] entry on this machine."""
    return {"ae_title": ae_title, "host": "127.0.0.1", "port": port, **more}


def listening_port(text: str) -> int | None:
    """The port named in the line that the node prints when it listens, once that line is whole."""
    line, newline, _ = text.partition("\n")
    found = LISTENING.search(line)
    return int(found.group(1)) if newline and found else None


def require_command_line() -> None:
    """Raises PeerMissing where the package has no command line yet."""
    if importlib.util.find_spec("fastdicom.__main__") is None:
        raise missing("fastdicom has no command line in this checkout")


def _wait_for_port(peer: Node, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and peer.alive:
        port = listening_port((peer.folder / "stdout.txt").read_text())
        if port:
            return port
        time.sleep(0.01)
    state = "printed no port" if peer.alive else f"ended with {peer.process.returncode}"
    peer.stop()
    raise RuntimeError(f"fastdicom serve {state}:\n{peer.log[-4000:]}")


@contextmanager
def fastdicom_node(
    folder: Path,
    changes: Mapping[str, Table] | None = None,
    *,
    peers: Sequence[Table] = (),
    compress: Sequence[Table] = (),
    archive: Path | None = None,
    launcher: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Iterator[Node]:
    """Start a node in `folder`, yield it once it answers, end it with SIGTERM.

    changes: configuration tables to add to or to replace in `node_config`. launcher: a command in
    front of ours (`prlimit`, `unshare` ...) that becomes ours by exec. Restarting on the same
    `archive` is allowed.
    """
    require_command_line()
    archive = archive or folder / "archive"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "node.toml"
    config.write_text(node_config(archive, changes, peers, compress))
    argv = [*launcher, sys.executable, "-m", "fastdicom", "serve", "--config", str(config)]
    process = spawn(argv, folder, {"PYTHONPATH": str(CHECKOUT), **(env or {})})
    node = Node("fastdicom", "FASTDICOM", 0, folder, process, archive=archive)
    node.ae_title = str((changes or {}).get("node", {}).get("ae_title", node.ae_title))
    node.port = _wait_for_port(node, START_SECONDS)
    with running(node):
        yield node
