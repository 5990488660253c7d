"""Runs a harness on mutations of its seeds: a few in the test suite, a million by hand.

A harness is a module with `seeds()` and `one_input(data)`, which returns or raises what it must not.
Every execution is made from the run's seed and its own number, so a finding is repeated by its number.

`python -m tests.fuzz` is the way to run them; see docs/fuzzing.md.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

INTERESTING_BYTES = (0x00, 0x01, 0x7F, 0x80, 0x81, 0xD8, 0xD9, 0xDD, 0xE0, 0xFE, 0xFF)
INTERESTING_WORDS = (0, 1, 2, 15, 16, 63, 64, 65, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF)


def mutate(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """One of the seeds with one to eight mutations."""
    data = bytearray(rng.choice(seeds))
    for _ in range(1 << rng.randrange(4)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(9)
        if kind == 0:
            data[at : at + 1] = bytes([rng.choice(INTERESTING_BYTES)])
        elif kind == 1:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 2:
            at -= at % 4
            data[at : at + 4] = struct.pack("<I", rng.choice(INTERESTING_WORDS))
        elif kind == 3:
            at -= at % 4
            data[at : at + 4] = struct.pack("<I", rng.randrange(2 * len(data) + 1))
        elif kind == 4:
            del data[at:]
        elif kind == 5:
            del data[at : at + rng.randrange(1, 20)]
        elif kind == 6:
            data[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 7:
            data[at:at] = data[at : at + rng.randrange(1, 200)]
        else:
            other = rng.choice(seeds)
            data[at:] = other[rng.randrange(len(other) + 1) :]
    return bytes(data)


def run(
    one_input: Callable[[bytes], None],
    seeds: Sequence[bytes],
    executions: int,
    first: int = 0,
    seed: int = 1,
    started: Callable[[int], None] = lambda number: None,
) -> None:
    """Execute the seeds as they are, then mutations number `first` and on.

    started: called with the number of each execution before it. An AssertionError or any exception that
    one_input lets out is raised with the input as a note.
    """
    for number in range(first, first + executions):
        started(number)
        data = seeds[number] if number < len(seeds) else mutate(seeds, random.Random(seed << 40 | number))
        try:
            one_input(data)
        except Exception as error:
            error.add_note(f"execution {number}, input {data.hex()}")
            raise
