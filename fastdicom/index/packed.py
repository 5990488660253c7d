"""Rows that share an LMDB value, 16 at a time: one cursor step from Python costs as much as matching
several rows in the kernel, so a scan over all studies takes blocks.

A row above FAR bytes stands alone behind its block (the block's key and its slot), so that one bloated
study does not make its neighbours expensive to write.
"""

from __future__ import annotations

import struct
from typing import Any

from fastdicom.index.schema import SERIAL
from fastdicom.kernels.rows import packed

SLOTS = 16
FAR = 4096
_ENDS = struct.Struct(f"<{SLOTS}I")


def block_key(serial: int) -> bytes:
    """The key of the block that holds a serial."""
    return SERIAL.pack(serial // SLOTS)


def far_key(serial: int) -> bytes:
    """The key of a row that stands alone."""
    return block_key(serial) + bytes((serial % SLOTS,))


def pack_block(rows: list[bytes]) -> bytes:
    """16 rows, b"" for an empty slot."""
    ends, end = [], 0
    for row in rows:
        end += len(row)
        ends.append(end)
    return b"".join((_ENDS.pack(*ends), *rows))


def unpack_block(block: bytes) -> list[bytes]:
    """What `pack_block` packed."""
    ends = _ENDS.unpack_from(block)
    starts = (0, *ends)
    return [block[_ENDS.size + starts[i] : _ENDS.size + ends[i]] for i in range(SLOTS)]


def row_of(transaction: Any, database: Any, serial: int) -> bytes | None:
    """One row, or None. `transaction` may give buffers or bytes."""
    block = transaction.get(block_key(serial), db=database)
    if block is not None:
        row = packed(block, serial % SLOTS)
        if row:
            return row
    row = transaction.get(far_key(serial), db=database)
    return None if row is None else bytes(row)


class PackedRows:
    """The rows of one database inside one write transaction; blocks are written once, by `flush`."""

    def __init__(self, transaction: Any, database: Any) -> None:
        self._transaction = transaction
        self._database = database
        self._blocks: dict[bytes, list[bytes]] = {}
        self._changed: set[bytes] = set()

    def get(self, serial: int) -> bytes | None:
        """The row of a serial."""
        row = self._block(block_key(serial))[serial % SLOTS]
        if row:
            return row
        far = self._transaction.get(far_key(serial), db=self._database)
        return None if far is None else bytes(far)

    def put(self, serial: int, row: bytes) -> None:
        """Write or overwrite a row."""
        if len(row) > FAR:
            self._slot(serial, b"")
            self._transaction.put(far_key(serial), row, db=self._database)
        else:
            self._transaction.delete(far_key(serial), db=self._database)
            self._slot(serial, row)

    def delete(self, serial: int) -> None:
        """Forget a row."""
        self._transaction.delete(far_key(serial), db=self._database)
        self._slot(serial, b"")

    def flush(self) -> None:
        """Write the blocks that changed; empty ones go."""
        for key in sorted(self._changed):
            rows = self._blocks[key]
            if any(rows):
                self._transaction.put(key, pack_block(rows), db=self._database)
            else:
                self._transaction.delete(key, db=self._database)
        self._changed.clear()

    def _slot(self, serial: int, row: bytes) -> None:
        key = block_key(serial)
        self._block(key)[serial % SLOTS] = row
        self._changed.add(key)

    def _block(self, key: bytes) -> list[bytes]:
        rows = self._blocks.get(key)
        if rows is None:
            block = self._transaction.get(key, db=self._database)
            rows = [b""] * SLOTS if block is None else unpack_block(bytes(block))
            self._blocks[key] = rows
        return rows
