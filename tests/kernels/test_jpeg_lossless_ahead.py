"""jpeg_lossless.Decoding: frames decoded by threads of the kernel's own."""

from __future__ import annotations

import gc
import os
import threading

import numpy
import pytest

from fastdicom.errors import CodecError, UsageError
from fastdicom.kernels import jpeg_lossless
from fastdicom.kernels.jpeg_lossless import Decoding
from tests.support import procfs
from tests.support.images import picture

SIZE = (160, 200, 1, 16)
PIXELS = picture(160, 200, 0, 4000, "<u2").tobytes()
CODED = jpeg_lossless.encode_frame(PIXELS, *SIZE, 12)
BROKEN = CODED[: len(CODED) // 2]


@pytest.mark.parametrize("begin", [False, True])
def test_the_frame_is_that_of_decode_frame_as_often_as_it_is_asked_for(begin: bool) -> None:
    out = bytearray(len(PIXELS))
    decoding = Decoding(CODED, *SIZE, out)
    if begin:
        decoding.begin()
        decoding.begin()
    assert decoding.wait() is out
    assert decoding.wait() == PIXELS
    decoding.begin()
    decoding.stop()
    assert decoding.wait() == PIXELS


@pytest.mark.parametrize("begin", [False, True])
def test_damage_is_told_when_the_frame_is_asked_for(begin: bool) -> None:
    decoding = Decoding(BROKEN, *SIZE)
    if begin:
        decoding.begin()
    for _ in range(2):
        with pytest.raises(CodecError, match="end before the image"):
            decoding.wait()


def test_what_cannot_be_is_refused_at_once() -> None:
    with pytest.raises(CodecError, match="too few"):
        Decoding(CODED, 60000, 60000, 1, 16)
    with pytest.raises(UsageError, match="out has 7 bytes"):
        Decoding(CODED, *SIZE, bytearray(7))


@pytest.mark.parametrize("begin", [False, True])
def test_one_that_was_stopped_has_no_frame_and_lends_nothing(begin: bool) -> None:
    out = bytearray(len(PIXELS))
    decoding = Decoding(CODED, *SIZE, out)
    if begin:
        decoding.begin()
    decoding.stop()
    out.append(0)  # a buffer that is lent cannot grow
    with pytest.raises(CodecError, match="given up"):
        decoding.wait()


def alone(codestream: bytes) -> tuple[bytes, str, int]:
    """(the frame, what is wrong with it, where)."""
    try:
        return bytes(jpeg_lossless.decode_frame(codestream, *SIZE)), "", 0
    except CodecError as error:
        return b"", str(error), error.offset or 0


def together(*codestreams: bytes) -> list[tuple[bytes, str, int]]:
    """As `alone`, begun one behind the other."""
    begun = [Decoding(codestream, *SIZE) for codestream in codestreams]
    for decoding in begun:
        decoding.begin()
    found = []
    for decoding in begun:
        try:
            found.append((bytes(decoding.wait()), "", 0))
        except CodecError as error:
            found.append((b"", str(error), error.offset or 0))
    return found


def test_two_side_by_side_are_what_each_is_alone() -> None:
    """Other pixels, another predictor, eight bits, damage anywhere: one has nothing to do with the other."""
    at = CODED.index(b"\xff\xda") + 10
    noise = numpy.random.default_rng(7).integers(0, 65536, 160 * 200, "<u2").tobytes()
    kinds = [
        CODED,
        jpeg_lossless.encode_frame(noise, *SIZE, 16),
        jpeg_lossless.encode_frame(bytes(len(PIXELS)), *SIZE, 12),
        jpeg_lossless.encode_frame(PIXELS, *SIZE, 12, 6),
        BROKEN,
        CODED[:-2],
        *(CODED[: at + cut] + b"\xff\0" * 60 + CODED[at + cut + 120 :] for cut in (0, 3000, 9000)),
        CODED[at:],
    ]
    expected = [alone(kind) for kind in kinds]
    assert sum(not what for _, what, _ in expected) == 5
    for i, one in enumerate(kinds):
        for j, other in enumerate(kinds):
            assert together(one, other) == [expected[i], expected[j]], (i, j)
    assert together(*kinds) == expected


def test_frames_of_other_sizes_are_not_mixed_up() -> None:
    small = jpeg_lossless.encode_frame(PIXELS[: 2 * 30 * 40], 30, 40, 1, 16, 12)
    wide = jpeg_lossless.encode_frame(PIXELS[: 160 * 200], 160, 200, 1, 8, 8)
    begun = [
        Decoding(small, 30, 40, 1, 16),
        Decoding(CODED, *SIZE),
        Decoding(wide, 160, 200, 1, 8),
        Decoding(CODED, *SIZE),
        Decoding(small, 30, 40, 1, 16),
        Decoding(small, 30, 40, 1, 16),
    ]
    for decoding in begun:
        decoding.begin()
    frames = [decoding.wait() for decoding in begun]
    assert frames[0] == frames[4] == frames[5] == PIXELS[:2400]
    assert frames[1] == frames[3] == PIXELS
    assert frames[2] == PIXELS[: 160 * 200]


def test_many_at_once_from_several_threads_in_any_order() -> None:
    wrong: list[str] = []

    def work() -> None:
        begun = []
        for number in range(60):
            begun.append(Decoding(BROKEN if number % 7 == 6 else CODED, *SIZE))
            begun[-1].begin()
        del begun[10:20]  # not wanted any more: queued, under way or done
        for number, decoding in enumerate(reversed(begun)):
            if number % 9 == 8:
                decoding.stop()
                continue
            try:
                if decoding.wait() != PIXELS:
                    wrong.append("other pixels")
            except CodecError as error:
                if "end before the image" not in str(error):
                    wrong.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == [] and not any(thread.is_alive() for thread in threads)


def test_its_threads_are_few_and_stay() -> None:
    for _ in range(3):
        begun = [Decoding(CODED, *SIZE) for _ in range(40)]
        for decoding in begun:
            decoding.begin()
        assert all(decoding.wait() == PIXELS for decoding in begun)
    before = procfs.thread_count(os.getpid())
    begun = [Decoding(CODED, *SIZE) for _ in range(40)]
    for decoding in begun:
        decoding.begin()
    assert procfs.thread_count(os.getpid()) <= before + jpeg_lossless.threads_max()
    assert 0 <= jpeg_lossless.threads_max() <= 8
    del begun, decoding
    gc.collect()


def test_a_forked_process_decodes_what_its_parent_had_begun_with() -> None:
    begun = [Decoding(CODED, *SIZE) for _ in range(20)]
    for decoding in begun:
        decoding.begin()
    child = os.fork()
    if not child:
        fresh = Decoding(CODED, *SIZE)
        fresh.begin()
        good = fresh.wait() == PIXELS and all(one.wait() == PIXELS for one in begun)
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert all(decoding.wait() == PIXELS for decoding in begun)
