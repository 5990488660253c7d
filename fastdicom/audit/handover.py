"""How another process on the same archive, such as `fastdicom delete`, reaches the node's audit trail.

A node that writes one leaves a note in the archive that says so. Who deletes or exports beside it writes the
message into the spool next to the note; the node sends it within a second, or at its next start.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fastdicom.audit.message import Source
from fastdicom.audit.spool import Spool
from fastdicom.audit.syslog import Header
from fastdicom.audit.trail import Trail

FOLDER = "audit"
NOTE = "source.json"


class Note(NamedTuple):
    """What messages about this archive say of their source. node: the AE title."""

    node: str
    source_id: str
    enterprise_site_id: str
    spool_length_max: int


def leave_note(archive: Path, note: Note) -> Path:
    """Say that this archive has an audit trail; returns the folder of its spool. Raises OSError."""
    folder = archive / FOLDER
    folder.mkdir(mode=0o750, exist_ok=True)
    fresh = folder / f"{NOTE}.new"
    fresh.write_text(json.dumps(note._asdict()), "utf-8")
    os.replace(fresh, folder / NOTE)
    return folder


def take_note_away(archive: Path) -> None:
    """This archive has no audit trail any more. What is spooled stays until there is one again."""
    (archive / FOLDER / NOTE).unlink(missing_ok=True)


def read_note(archive: Path) -> Note | None:
    """The note, if there is one that makes sense."""
    try:
        return Note(**json.loads((archive / FOLDER / NOTE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


class Visit:
    """An audit trail for a process that is not the node. `close` when done: then the node can see it."""

    def __init__(self, archive: Path, note: Note, patient_of: Callable[[str], bytes]) -> None:
        self._spool = Spool(archive / FOLDER, note.spool_length_max)
        self._header = Header()
        self._lock = threading.Lock()
        source = Source(note.source_id, note.enterprise_site_id)
        self.trail = Trail(source, note.node, self._write, patient_of=patient_of)

    def _write(self, message: bytes, severity: int, at: float) -> None:
        with self._lock:
            self._spool.put([self._header.wrap(message, severity, at)])

    def close(self) -> None:
        """The messages are on disk."""
        with self._lock:
            self._spool.seal()
