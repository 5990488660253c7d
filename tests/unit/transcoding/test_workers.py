"""transcoding/workers.py: a poisoned frame fails alone, within its budget, and nobody else waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import imagecodecs
import numpy
import pytest

from fastdicom.errors import CodecError, Unavailable, UsageError
from fastdicom.transcoding import libraries
from fastdicom.transcoding import workers as module
from fastdicom.transcoding.workers import Budget, Job, LibraryRefused, Workers, budget_for
from tests.support.images import picture

ROWS, COLUMNS = 64, 80
PIXELS = picture(ROWS, COLUMNS, 0, 4095, "<u2")
CODESTREAM = imagecodecs.jpeg2k_encode(PIXELS, codecformat="J2K", reversible=True, bitspersample=12)
JOB = Job("decode-jpeg-2000", ROWS, COLUMNS, 1, 16, False, 12)
PLENTY = Budget(30, 1 << 30)
LENGTH = PIXELS.nbytes
OTHER_LIMITS_S = min(module.START_S, PLENTY.seconds) / 2  # sooner than this it was the job's own budget


@pytest.fixture
def pool() -> Iterator[Workers]:
    with Workers(count=1) as found:
        yield found


def decode(pool: Workers, budget: Budget = PLENTY) -> bytearray:
    return pool.run(JOB, CODESTREAM, LENGTH, budget)


def process_of(pool: Workers) -> int:
    (worker,) = pool._idle
    return worker._process.pid


def test_nothing_is_started_before_the_first_job(pool: Workers) -> None:
    assert pool._idle == []
    assert decode(pool) == PIXELS.tobytes()
    first = process_of(pool)
    assert decode(pool) == PIXELS.tobytes()
    assert process_of(pool) == first


def test_a_job_that_takes_too_long_is_killed_and_the_next_one_served(pool: Workers) -> None:
    decode(pool)
    first = process_of(pool)
    os.kill(first, signal.SIGSTOP)
    begin = time.monotonic()
    with pytest.raises(CodecError, match="not done after"):
        decode(pool, Budget(0.2, 1 << 30))
    assert 0.2 <= time.monotonic() - begin < OTHER_LIMITS_S
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert decode(pool) == PIXELS.tobytes()
    assert process_of(pool) != first


def test_a_new_worker_gives_its_first_job_no_more_time_than_the_second(
    pool: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start has a limit of its own: the frame that a fresh worker never answers for takes its budget."""
    real = module._Worker._await_start
    started: list[float] = []

    def await_start_then_freeze(worker: module._Worker) -> None:
        real(worker)
        worker._process.send_signal(signal.SIGSTOP)
        started.append(time.monotonic())

    monkeypatch.setattr(module._Worker, "_await_start", await_start_then_freeze)
    with pytest.raises(CodecError, match="not done after"):
        decode(pool, Budget(0.2, 1 << 30))
    assert 0.2 <= time.monotonic() - started[0] < OTHER_LIMITS_S


def test_the_start_of_a_worker_is_not_on_the_time_of_its_first_job(
    pool: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_start, real_line = module._Worker._await_start, module._Worker._line
    started: list[float] = []
    deadlines: list[float] = []

    def await_start(worker: module._Worker) -> None:
        real_start(worker)
        started.append(time.monotonic())

    def line(worker: module._Worker, deadline: float) -> bytes:
        deadlines.append(deadline)
        return real_line(worker, deadline)

    monkeypatch.setattr(module._Worker, "_await_start", await_start)
    monkeypatch.setattr(module._Worker, "_line", line)
    assert decode(pool) == PIXELS.tobytes()
    _, of_the_job = deadlines
    assert of_the_job >= started[0] + PLENTY.seconds


def test_a_worker_that_does_not_start_blames_no_frame(pool: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START_S", 0.2)
    monkeypatch.setattr(module, "_BOOTSTRAP", "import time; time.sleep(60)")
    with pytest.raises(Unavailable, match="did not start within"):
        decode(pool)
    monkeypatch.setattr(module, "START_S", 30.0)
    monkeypatch.setattr(module, "_BOOTSTRAP", "raise SystemExit(3)")
    with pytest.raises(Unavailable, match="ended with status 3 while it started"):
        decode(pool)
    assert pool._idle == []


def test_a_job_that_takes_too_much_memory_fails(pool: Workers) -> None:
    decode(pool)
    big = numpy.zeros((4096, 4096), dtype="<u2")
    big[::7, ::5] = 4000
    codestream = imagecodecs.jpeg2k_encode(big, codecformat="J2K", reversible=True)
    job = JOB._replace(rows=4096, columns=4096)
    with pytest.raises(CodecError):
        pool.run(job, codestream, big.nbytes, Budget(60, 8 << 20))
    assert decode(pool) == PIXELS.tobytes()


def test_the_budget_grows_with_the_frame() -> None:
    small, large = budget_for(1 << 10), budget_for(512 << 20)
    assert 2 < small.seconds < 10 < large.seconds < 200
    assert small.memory >= 256 << 20
    assert large.memory > 10 * (512 << 20)


def test_a_worker_that_was_killed_while_idle_is_replaced(pool: Workers) -> None:
    decode(pool)
    first = process_of(pool)
    os.kill(first, signal.SIGKILL)
    pool._idle[0]._process.wait()
    assert decode(pool) == PIXELS.tobytes()
    assert process_of(pool) != first


def test_a_worker_that_dies_at_work_fails_its_job_only(
    pool: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode(pool)
    real = module._Worker._line

    def killed_meanwhile(worker: module._Worker, deadline: float) -> bytes:
        worker._process.kill()
        return real(worker, deadline)

    os.kill(process_of(pool), signal.SIGSTOP)  # it has the job and does not answer
    with monkeypatch.context() as patched, pytest.raises(CodecError, match="SIGKILL"):
        patched.setattr(module._Worker, "_line", killed_meanwhile)
        decode(pool)
    assert decode(pool) == PIXELS.tobytes()


def test_a_library_that_refuses_says_why_and_its_worker_goes_on(pool: Workers) -> None:
    decode(pool)
    first = process_of(pool)
    with pytest.raises(LibraryRefused, match="decode-jpeg-2000: "):
        pool.run(JOB, b"\xff\x4f\xff\x51" + bytes(100), LENGTH, PLENTY)
    with pytest.raises(LibraryRefused, match="KeyError"):
        pool.run(JOB._replace(operation="decode-nothing"), CODESTREAM, LENGTH, PLENTY)
    with pytest.raises(LibraryRefused, match="samples"):
        pool.run(JOB._replace(rows=ROWS + 1), CODESTREAM, LENGTH, PLENTY)
    with pytest.raises(LibraryRefused, match="Bits Allocated"):
        pool.run(JOB._replace(bits_allocated=8), CODESTREAM, LENGTH, PLENTY)
    assert decode(pool) == PIXELS.tobytes()
    assert process_of(pool) == first


def test_a_result_longer_than_allowed_is_refused(pool: Workers) -> None:
    with pytest.raises(CodecError, match="allowed"):
        pool.run(JOB, CODESTREAM, LENGTH - 1, PLENTY)


@pytest.mark.parametrize("answer", [{}, {"length": "7"}, {"length": -1}, {"length": 0}, {"length": 1 << 40}])
def test_a_worker_is_not_trusted_with_lengths(answer: dict[str, object]) -> None:
    with module.mmap.mmap(-1, 4096) as memory, pytest.raises(CodecError):
        module._result(memory, answer, 100, "operation")


def test_shared_memory_cannot_shrink() -> None:
    descriptor = module._shared_memory(8192)
    try:
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 10)
    finally:
        os.close(descriptor)


def test_large_frames_are_copied_whole(pool: Workers) -> None:
    pixels = picture(1500, 1500, 0, 65535, "<u2", 3)  # 13.5 MB: several pieces
    codestream = imagecodecs.htj2k_encode(pixels, reversible=True)
    job = Job("decode-htj2k", 1500, 1500, 3, 16, False, 16)
    assert pool.run(job, codestream, pixels.nbytes, PLENTY) == pixels.tobytes()


def test_threads_share_the_pool() -> None:
    results: list[bytes] = []
    with Workers(count=2) as pool:
        threads = [threading.Thread(target=lambda: results.append(bytes(decode(pool)))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(pool._idle) <= 2
    assert results == [PIXELS.tobytes()] * 8


def test_other_threads_hardly_notice_an_encode() -> None:
    """pyjpegls holds the GIL all the while it works; of that, nothing is left in our process."""
    pixels = picture(2200, 2300, 0, 4095, "<u2")
    job = Job("encode-jpeg-ls", 2200, 2300, 1, 16, False, 12)
    begin = time.process_time()
    libraries.run(job, memoryview(pixels).cast("B"))
    here = time.process_time() - begin
    with Workers(count=1) as pool:
        decode(pool)
        begin = time.process_time()  # of the processor: how busy the machine is does not matter
        pool.run(job, pixels, 2 * pixels.nbytes, PLENTY)
        there = time.process_time() - begin
    assert there < here / 4, (there, here)


def test_closing_ends_the_processes() -> None:
    pool = Workers(count=1)
    decode(pool)
    process = process_of(pool)
    pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    with pytest.raises(UsageError):
        decode(pool)
    with pytest.raises(UsageError):
        Workers(count=0)


FORKING = """
import os, sys
from fastdicom.transcoding import codecs
from fastdicom.transcoding.gate import ImageAttributes
image = ImageAttributes(40, 40)
pixels = bytes(range(40)) * 40
def roundtrip():
    codestream = codecs.encode_frame(codecs.JPEG_2000_LOSSLESS, pixels, image)
    assert codecs.decode_frame(codecs.JPEG_2000_LOSSLESS, codestream, image) == pixels
    return codecs.shared_workers()._idle[0]._process.pid
first = roundtrip()
child = os.fork()
if child == 0:
    os._exit(0 if roundtrip() != first else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert roundtrip() == first
print("done", first)
"""


def test_a_fork_gets_workers_of_its_own_and_a_script_needs_no_main_guard() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.count("done") == 1
    worker = int(done.stdout.split()[1])
    for _ in range(200):  # the worker ends when it sees that its parent is gone
        if not alive(worker):
            return
        time.sleep(0.05)
    pytest.fail("the worker outlived its parent")


def alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
