"""Who looks at the index for too long: LMDB uses no page again that the oldest reader may still look at.

Queries of ours give their snapshot up again and again (`lease`, `Answers.unheld`). What stays is what we
cannot ask: a process that was stopped in the middle of a step, or a tool that copies the index.
"""

from __future__ import annotations

import logging
import re
from typing import NamedTuple

log = logging.getLogger(__name__)

OLD_S = 60.0
_ROW = re.compile(r"\s*(\d+) ([0-9a-f]+) (\d+)")  # idle slots have a hyphen for the transaction


class OldReader(NamedTuple):
    """A process that has had one snapshot open for so long, while so many transactions were committed."""

    process: int
    seconds: float
    transactions: int


class Readers:
    """Compares LMDB's table of readers with what it was at the last look."""

    def __init__(self) -> None:
        self._since: dict[tuple[int, str, int], float] = {}
        self._told: set[tuple[int, str, int]] = set()
        self.old: list[OldReader] = []

    def look(self, table: str, last: int, now: float) -> None:
        """Find those that are old; a new one is said in the log. To be called every few seconds.

        table: as LMDB shows it. last: the number of the last transaction. now: monotonic.
        """
        rows = (_ROW.fullmatch(line) for line in table.splitlines())
        found = {(int(row[1]), row[2], int(row[3])) for row in rows if row is not None}
        behind = {reader for reader in found if reader[2] < last}
        self._since = {reader: self._since.get(reader, now) for reader in behind}
        old = {
            reader: OldReader(reader[0], round(now - since), last - reader[2])
            for reader, since in sorted(self._since.items())
            if now - since >= OLD_S
        }
        for reader in old.keys() - self._told:
            log.warning(
                "process %d has read the index for %d s without a pause: as long as it does, "
                "what is changed or deleted makes no room, and the index grows",
                *old[reader][:2],
            )
        self._told = set(old)
        self.old = list(old.values())
