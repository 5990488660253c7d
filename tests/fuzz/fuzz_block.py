"""Blocks taken, cut into views and let go of in any order: nobody writes where somebody else looks.

A byte is a step: its low bits choose among those that are there, its high bits what becomes of it.
python -m tests.fuzz block; see docs/fuzzing.md.
"""

from __future__ import annotations

from fastdicom.kernels.block import LENGTH_MAX, Block

STEPS_MAX = 64
_AT = (0, 1 << 16, LENGTH_MAX - 4)


def one_input(data: bytes) -> None:
    views: list[tuple[memoryview, bytes]] = []
    for number, step in enumerate(data[:STEPS_MAX]):
        chosen = step & 0x0F
        if step & 0x80 and views:
            del views[chosen % len(views)]
        elif step & 0x40 and views:
            view, mark = views[chosen % len(views)]
            views[chosen % len(views)] = view[:4], mark  # all that is left of its block
        else:
            mark = number.to_bytes(4, "big")
            at = _AT[chosen % len(_AT)]
            view = memoryview(Block())[at:]
            view[:4] = mark
            views.append((view, mark))
        assert all(view[:4] == mark for view, mark in views)


def seeds() -> list[bytes]:
    return [bytes(12), bytes(20) + b"\x80" * 20 + bytes(20), b"\x00\x40\x00\x81\x02\x41\xc1", b""]
