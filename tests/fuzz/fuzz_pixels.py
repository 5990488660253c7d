"""The pixel and colour functions with any data: a result of the right size, or a named error.

python -m tests.fuzz pixels; see docs/fuzzing.md.
"""

from __future__ import annotations

import random

from fastdicom.errors import CodecError, UsageError
from fastdicom.kernels import colour, pixels

PARAMETERS_SIZE = 6
BITS = (8, 16, 32, 64, 1, 12, 0)
PATHS = ("scalar", "baseline", "ssse3", "best")


def call(data: bytes, function: int, a: int, b: int, c: int, out: bytearray | None = None) -> bytearray | int:
    """The result of one function."""
    allocated, samples = BITS[a % len(BITS)], b % 6
    match function % 10:
        case 0:
            return pixels.swap_bytes(data, allocated, out)
        case 1:
            return pixels.to_interleaved(data, samples, allocated, out)
        case 2:
            return pixels.to_planar(data, samples, allocated, out)
        case 3:
            return pixels.unpack_bits(data, a * 7 + b, c, out=out)
        case 4:
            return pixels.pack_bits(bytes(byte & 1 for byte in data), c, out=out)
        case 5:
            return pixels.align_samples(data, allocated, b % 40, c % 40, a > 127, out)
        case 6:
            return pixels.stray_bits(data, allocated, b % 40, c % 40, a > 127)
        case 7:
            return pixels.overlay_bits(data, allocated, b % 40, out)
        case 8:
            return colour.ybr_full_to_rgb(data, out) if b % 2 else colour.rgb_to_ybr_full(data, out)
        case _:
            if b % 2:
                return colour.ybr_full_422_to_rgb(data, c % 50, out)
            return colour.rgb_to_ybr_full_422(data, c % 50, out)


def size_of(size: int, function: int, a: int, b: int, c: int) -> int:
    """How long the result of that call on `size` bytes must be."""
    width = max(1, BITS[a % len(BITS)] // 8)
    by_function = {
        3: a * 7 + b,
        4: (c + size + 7) // 8,
        7: (size // width + 7) // 8,
        9: size // 2 * 3 if b % 2 else size // 3 * 2,
    }
    return by_function.get(function % 10, size)


def one_input(data: bytes) -> None:
    """The first bytes choose the function, its arguments and the path."""
    if len(data) < PARAMETERS_SIZE:
        return
    function, a, b, c, path, repeat = data[:PARAMETERS_SIZE]
    image = data[PARAMETERS_SIZE:] * (1 + repeat % 40)
    pixels.use_path(PATHS[path % len(PATHS)])
    colour.use_path(PATHS[path % len(PATHS)])
    try:
        result = call(image, function, a, b, c)
    except (CodecError, UsageError):
        return
    if isinstance(result, int):
        return
    size = size_of(len(image), function, a, b, c)
    assert len(result) == size
    out = bytearray(size)
    assert call(image, function, a, b, c, out) is out
    assert out == result


def seeds() -> list[bytes]:
    """Every function with a size that suits most layouts."""
    rng = random.Random(1)
    return [
        bytes([function, a, 3, 11, 3, 0]) + rng.randbytes(96 * 3) for function in range(10) for a in range(7)
    ]
