"""The pixel functions with any data and any attributes: a result of the right size, or a named error.

python -m tests.fuzz.fuzz_pixels; see tests/fuzz/driver.py for sanitizers.
"""

from __future__ import annotations

import random

from fastdicom.errors import CodecError, UsageError
from fastdicom.kernels import pixels
from tests.fuzz import driver

PARAMETERS_SIZE = 6
BITS = (8, 16, 32, 64, 1, 12, 0)
PATHS = ("scalar", "baseline", "ssse3", "best")


def call(data: bytes, function: int, a: int, b: int, c: int) -> tuple[bytes | int, int]:
    """The result of one function, and the size that it should have."""
    size, allocated, samples = len(data), BITS[a % len(BITS)], b % 6
    match function % 10:
        case 0:
            return pixels.swap_bytes(data, allocated), size
        case 1:
            return pixels.to_interleaved(data, samples, allocated), size
        case 2:
            return pixels.to_planar(data, samples, allocated), size
        case 3:
            return pixels.unpack_bits(data, a * 7 + b, c), a * 7 + b
        case 4:
            return pixels.pack_bits(bytes(byte & 1 for byte in data), c), (c + size + 7) // 8
        case 5:
            return pixels.align_samples(data, allocated, b % 40, c % 40, a > 127), size
        case 6:
            return pixels.stray_bits(data, allocated, b % 40, c % 40, a > 127), size
        case 7:
            return pixels.overlay_bits(data, allocated, b % 40), (size // max(1, allocated // 8) + 7) // 8
        case 8:
            full = pixels.ybr_full_to_rgb(data) if b % 2 else pixels.rgb_to_ybr_full(data)
            return full, size
        case _:
            if b % 2:
                return pixels.ybr_full_422_to_rgb(data, c % 50), size // 2 * 3
            return pixels.rgb_to_ybr_full_422(data, c % 50), size // 3 * 2


def one_input(data: bytes) -> None:
    """The first bytes choose the function, its arguments and the path."""
    if len(data) < PARAMETERS_SIZE:
        return
    function, a, b, c, path, repeat = data[:PARAMETERS_SIZE]
    pixels.use_path(PATHS[path % len(PATHS)])
    try:
        result, size = call(data[PARAMETERS_SIZE:] * (1 + repeat % 40), function, a, b, c)
    except (CodecError, UsageError):
        return
    assert isinstance(result, int) or len(result) == size


def seeds() -> list[bytes]:
    """Every function with a size that suits most layouts."""
    rng = random.Random(1)
    return [
        bytes([function, a, 3, 11, 3, 0]) + rng.randbytes(96 * 3) for function in range(10) for a in range(7)
    ]


if __name__ == "__main__":
    driver.main(one_input, seeds())
