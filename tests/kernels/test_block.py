"""Memory that is used again, never while somebody looks at it."""

from __future__ import annotations

from fastdicom.kernels.block import LENGTH_MAX, Block


def test_a_block_is_writable_and_as_long_as_it_says() -> None:
    view = memoryview(Block())
    assert len(view) == LENGTH_MAX > 1 << 20
    view[-1] = 7
    assert view[-1] == 7


def test_memory_is_used_again_once_nobody_looks_at_it() -> None:
    first = memoryview(Block())
    first[:4] = b"mark"
    del first
    assert bytes(memoryview(Block())[:4]) == b"mark"


def test_a_part_that_somebody_looks_at_keeps_its_memory() -> None:
    whole = memoryview(Block())
    whole[:4] = b"mine"
    part = whole[:4]
    del whole
    others = [memoryview(Block()) for _ in range(20)]
    for other in others:
        other[:4] = b"else"
    assert bytes(part) == b"mine"


def test_more_than_are_kept_can_be_there() -> None:
    for _ in range(3):
        blocks = [memoryview(Block()) for _ in range(12)]
        for number, block in enumerate(blocks):
            block[0] = number
        assert [block[0] for block in blocks] == list(range(12))
