"""Inflation in bounded pieces, and bombs. PS3.5 A.5; class 5 of the threat list."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest

from fastdicom.dataset.inflate import INFLATED_PIECE, Inflater
from fastdicom.errors import MalformedDataset, Refused

TEXT = b"".join(str(number).encode() for number in range(200_000))


def deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data) + deflater.flush()


def inflated(data: bytes, step: int, inflater: Inflater | None = None) -> bytes:
    inflater = inflater or Inflater()
    found = [piece for at in range(0, len(data), step) for piece in inflater.feed(data[at : at + step])]
    inflater.finish()
    assert all(0 < len(piece) <= INFLATED_PIECE for piece in found)
    return b"".join(found)


@pytest.mark.parametrize("step", [1, 7, 4096, 1 << 30])
def test_it_gives_what_was_deflated(step: int) -> None:
    assert (
        inflated(deflated(TEXT[:30_000] if step == 1 else TEXT), step)
        == TEXT[: 30_000 if step == 1 else None]
    )


def test_incompressible_data_passes() -> None:
    noise = random.Random(1).randbytes(1_000_000)
    assert inflated(deflated(noise), 65536) == noise


@pytest.mark.parametrize(
    "trailer", [b"\0", b"\0" * 5000, b"\x12\x34\x56\x78\x9a\xbc\xde\xf0", b"\x12" * 8 + b"\0" * 9]
)
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_padding_and_a_gzip_trailer_are_passed_over(trailer: bytes, step: int) -> None:
    assert inflated(deflated(b"data") + trailer, step) == b"data"


@pytest.mark.parametrize("step", [1, 1 << 20])
def test_more_behind_the_end_is_refused(step: int) -> None:
    with pytest.raises(MalformedDataset, match="after the end"):
        inflated(deflated(b"data") + b"123456789", step)


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x78\x9c" + zlib.compress(TEXT)[2:], TEXT[:100]])
def test_what_is_no_deflate_stream_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedDataset):
        inflated(data, 100)


def test_a_cut_stream_is_refused_at_the_end() -> None:
    with pytest.raises(MalformedDataset, match="cut short"):
        inflated(deflated(TEXT)[:-1], 4096)
    with pytest.raises(MalformedDataset, match="cut short"):
        Inflater().finish()


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    bomb = deflated(bytes(200 * 1024 * 1024))
    inflater = Inflater()
    tracemalloc.start()
    with pytest.raises(Refused, match="more than 200 times") as caught:
        inflated(bomb, 65536, inflater)
    assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    tracemalloc.stop()
    assert caught.value.status == 0xA700
    assert inflater.given < 2 * 1024 * 1024 + 200 * 65536


def test_a_small_data_set_may_inflate_as_much_as_it_likes() -> None:
    assert len(inflated(deflated(bytes(1024 * 1024)), 4096)) == 1024 * 1024


def test_the_absolute_ceiling_holds_below_the_ratio() -> None:
    with pytest.raises(Refused, match="more than 100000 bytes") as caught:
        inflated(deflated(TEXT), 4096, Inflater(inflated_length_max=100_000))
    assert caught.value.status == 0xA700
