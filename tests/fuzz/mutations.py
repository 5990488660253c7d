"""Damage to Data Sets: bytes flipped, cut, copied, and tokens that parsers trip over."""

from __future__ import annotations

import random

TOKENS = (
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
    b"\xfe\xff\x00\xe0\x00\x00\x00\x00",
    b"\xfe\xff\x00\xe0\xf0\xff\xff\xff",
    b"\xfe\xff\x0d\xe0\x00\x00\x00\x00",
    b"\xfe\xff\xdd\xe0\x00\x00\x00\x00",
    b"\xff\xfe\xe0\x00\xff\xff\xff\xff",
    b"\xff\xfe\xe0\x0d\x00\x00\x00\x00",
    b"\xff\xfe\xe0\xdd\x00\x00\x00\x00",
    b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff",
    b"\x09\x00\x01\x10UN\x00\x00\xff\xff\xff\xff",
    b"\x08\x00\x16\x00UI\x04\x001.2\x00",
    b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff",
    b"\xe0\x7f\x10\x00\xff\xff\xff\xff",
    b"\x28\x00\x03\x01US\x02\x00\x01\x00",
    b"\xff\xff\xff\xff",
    b"\xfe\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\xff\xff",
    b"\x00\x00\x00\x00",
    b"SQ",
    b"UN",
    b"ZZ",
    b"OB",
    b"UT",
)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """`data` with one to eight injuries."""
    damaged = bytearray(data)
    for _ in range(1 << rng.randrange(4)):
        _injure(damaged, rng)
    return bytes(damaged)


def _injure(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    kind = rng.randrange(6)
    if kind == 0 and data:
        data[at % len(data)] = rng.randrange(256)
    elif kind == 1 and data:
        data[at % len(data)] ^= 1 << rng.randrange(8)
    elif kind == 2:
        token = rng.choice(TOKENS)
        data[at : at + len(token)] = token
    elif kind == 3:
        data[at:at] = rng.choice(TOKENS)
    elif kind == 4:
        del data[at : at + rng.randrange(16)]
    else:
        start = rng.randrange(len(data) + 1)
        data[at:at] = data[start : start + rng.randrange(64)]
