"""Decompression bombs (5): a megabyte of deflated data that claims a gigabyte, and streams that break off."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from tests.hostile.harness import (
    CANNOT_UNDERSTAND,
    DATA_SET_MISMATCH,
    OUT_OF_RESOURCES,
    Target,
    fresh_uids,
)
from tests.support.rawdicom import CT_IMAGE_STORAGE, DEFLATED_LE
from tests.support.rawelements import (
    PIXEL_DATA,
    deflated,
    explicit,
    instance,
    zeros_deflated,
)

GIB = 1 << 30
REFUSALS = (CANNOT_UNDERSTAND, DATA_SET_MISMATCH, OUT_OF_RESOURCES)
BOMB_SECONDS = 10.0


def bomb(uids: tuple[str, str, str], vr: str, size: int, tag: int = PIXEL_DATA) -> bytes:
    """An instance whose last element is `size` zero bytes, deflated about 1000 to 1."""
    before = instance(uids, CT_IMAGE_STORAGE, [explicit(tag, vr, b"", size)])
    return zeros_deflated(before, size)


@pytest.mark.parametrize(("vr", "tag", "size"), [("OW", PIXEL_DATA, GIB), ("UT", 0x00324000, GIB // 4)])
def test_class_05_gigabyte_out_of_a_megabyte_is_refused(target: Target, vr: str, tag: int, size: int) -> None:
    uids = fresh_uids()
    data = bomb(uids, vr, size, tag)
    assert len(data) < 2 << 20
    start = time.monotonic()
    with target.unharmed():
        assert target.send_data_set(data, uids[2], DEFLATED_LE).status in REFUSALS
    assert time.monotonic() - start < BOMB_SECONDS


def test_class_05_two_million_small_elements_cost_no_memory(target: Target) -> None:
    uids = fresh_uids()
    private = b"".join(explicit(0x00091000 + number, "LO", " " * 64) for number in range(256))
    data = deflated(instance(uids, CT_IMAGE_STORAGE) + private * 10_000)  # 90 to 1: within the ratio
    with target.unharmed() as after:
        outcome = target.send_data_set(data, uids[2], DEFLATED_LE)
        assert outcome.status == 0 or outcome.status in REFUSALS
        after.stored = int(outcome.status == 0)


def test_class_05_refused_bomb_is_no_poison_pill_for_queries(target: Target) -> None:
    uids = fresh_uids()
    with target.unharmed():
        target.send_data_set(bomb(uids, "OW", GIB), uids[2], DEFLATED_LE)
        start = time.monotonic()
        assert target.studies_found(uids[0]) == 0
        assert time.monotonic() - start < 2


def test_class_05_honest_deflated_zeros_are_stored(target: Target) -> None:
    uids = fresh_uids()
    data = bomb(uids, "OW", 512 * 1024)  # an empty CT slice: a high ratio below the first megabyte
    with target.unharmed(stored=1):
        assert target.send_data_set(data + bytes(len(data) % 2), uids[2], DEFLATED_LE).status == 0
        assert target.studies_found(uids[0]) == 1


def _whole(uids: tuple[str, str, str]) -> bytes:
    noise = random.Random(5).randbytes(20_000)
    return instance(uids, CT_IMAGE_STORAGE, [explicit(PIXEL_DATA, "OW", noise)])


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda raw: deflated(raw)[: len(deflated(raw)) // 2],
    "not_deflated": lambda raw: raw,
    "zlib_header_in_front": lambda raw: b"\x78\x9c" + deflated(raw),
    "noise": lambda raw: random.Random(6).randbytes(4096),
    "one_bit_wrong": lambda raw: deflated(raw)[:500] + b"\xff\xff\xff\xff" + deflated(raw)[504:],
    "cut_data_set_inside": lambda raw: deflated(raw[:-1000]),
    "nothing": lambda raw: deflated(b""),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_class_05_broken_deflate_stream_is_refused(target: Target, kind: str) -> None:
    uids = fresh_uids()
    with target.unharmed():
        outcome = target.send_data_set(BROKEN[kind](_whole(uids)), uids[2], DEFLATED_LE)
        assert outcome.status in REFUSALS
        assert target.studies_found(uids[0]) == 0


def test_class_05_data_after_the_stream_does_no_harm(target: Target) -> None:
    uids = fresh_uids()
    with target.unharmed() as after:
        outcome = target.send_data_set(deflated(_whole(uids)) + bytes(100_000), uids[2], DEFLATED_LE)
        assert outcome.status == 0 or outcome.status in REFUSALS
        after.stored = int(outcome.status == 0)
