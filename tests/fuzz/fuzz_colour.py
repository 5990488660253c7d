"""Colour conversions of every path and length: the right size, the same on every path.

python -m tests.fuzz colour; see docs/fuzzing.md.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from fastdicom.errors import CodecError, UsageError
from fastdicom.kernels import colour
from tests.fuzz.fuzz_pixels import PATHS

PARAMETERS_SIZE = 4


def conversion(
    function: int, columns: int, data: bytes
) -> tuple[Callable[[bytearray | None], bytearray], int]:
    """(the conversion, bytes of its result)."""
    match function % 4:
        case 0:
            return lambda out: colour.ybr_full_to_rgb(data, out), len(data)
        case 1:
            return lambda out: colour.rgb_to_ybr_full(data, out), len(data)
        case 2:
            return lambda out: colour.ybr_full_422_to_rgb(data, columns, out), len(data) // 2 * 3
        case _:
            return lambda out: colour.rgb_to_ybr_full_422(data, columns, out), len(data) // 3 * 2


def one_input(data: bytes) -> None:
    """The first bytes choose the function, the columns, the path and how often the rest is repeated."""
    if len(data) < PARAMETERS_SIZE:
        return
    function, columns, path, repeat = data[:PARAMETERS_SIZE]
    pixels = data[PARAMETERS_SIZE:] * (1 + repeat % 20)
    convert, size = conversion(function, columns % 50, pixels)
    colour.use_path(PATHS[path % len(PATHS)])
    try:
        result = convert(None)
    except (CodecError, UsageError):
        return
    assert len(result) == size
    colour.use_path("scalar")
    out = bytearray(size)
    assert convert(out) is out
    assert out == result


def seeds() -> list[bytes]:
    rng = random.Random(1)
    return [
        bytes([function, columns, path, 0]) + rng.randbytes(48 * 6)
        for function in range(4)
        for columns in (2, 16)
        for path in range(len(PATHS))
    ]
