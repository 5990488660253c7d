"""Flushes handed in, waited for and forgotten in any order: each descriptor is closed, each error is its own.

A byte is a step: its low bits say what is handed in and with which length, its high bits what becomes of the
flushes that are under way. python -m tests.fuzz flusher; see docs/fuzzing.md.
"""

from __future__ import annotations

import errno
import os

from fastdicom.kernels.flusher import Flush

LENGTHS = (0, 1, 64 * 1024 - 1, 64 * 1024, 1 << 62)
STEPS_MAX = 64


def one_input(data: bytes) -> None:
    under_way: list[tuple[Flush, int, int]] = []
    for step in data[:STEPS_MAX]:
        fd, expected = descriptor(step & 3)
        under_way.append((Flush(fd, LENGTHS[(step >> 2) % len(LENGTHS)]), fd, expected))
        if step & 0x40:
            settle(*under_way.pop())
        if step & 0x80:
            settle(*under_way.pop(0)) if under_way else None
        if step & 0x20 and under_way:
            under_way.pop(len(under_way) // 2)  # forgotten
    for flush in under_way:
        settle(*flush)


def descriptor(kind: int) -> tuple[int, int]:
    """A descriptor and the error that its flush ends with."""
    if kind == 0:
        return -1, errno.EBADF
    if kind == 1:
        return os.open(os.devnull, os.O_WRONLY), errno.EINVAL
    return os.memfd_create("flushed"), 0


def settle(flush: Flush, fd: int, expected: int) -> None:
    for _ in range(2):
        try:
            assert flush.wait() >= 0 and not expected
        except OSError as error:
            assert error.errno == expected


def seeds() -> list[bytes]:
    return [b"\x02\x42\x82\x22", bytes(range(0, 256, 7)), b"\x0e" * 32, b"\x00\x41\x81\xe1", b""]
