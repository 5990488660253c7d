"""Flushing on threads that never touch the interpreter: results, errors, many at once, a forked process."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from fastdicom.kernels.flusher import Flush
from tests.support import procfs

LONG = 1 << 20


def opened(path: Path, content: bytes = b"content") -> int:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.write(fd, content)
    return fd


def test_the_file_is_flushed_and_closed(tmp_path: Path) -> None:
    fd = opened(tmp_path / "a")
    flush = Flush(fd, 7)
    assert 0 < flush.wait() < 60
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(fd)
    assert flush.wait() == flush.wait()


def test_what_fails_says_why_as_often_as_it_is_asked() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    flush = Flush(write_end, 0)  # a pipe cannot be flushed
    for _ in range(2):
        with pytest.raises(OSError) as caught:
            flush.wait()
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError) as caught:
        Flush(-1, 0).wait()
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("length", [7, LONG])
def test_many_at_once_from_several_threads(tmp_path: Path, length: int) -> None:
    done: list[float] = []

    def flush_some(number: int) -> None:
        flushes = [Flush(opened(tmp_path / f"{number}-{one}"), length) for one in range(40)]
        done.extend(flush.wait() for flush in reversed(flushes))

    threads = [threading.Thread(target=flush_some, args=(number,)) for number in range(6)]
    before = procfs.descriptor_count(os.getpid())
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 240
    assert procfs.descriptor_count(os.getpid()) == before


def test_one_that_nobody_waits_for_is_finished(tmp_path: Path) -> None:
    fd = opened(tmp_path / "a")
    Flush(fd, 7)
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(fd)


def test_the_threads_are_few_and_stay(tmp_path: Path) -> None:
    before = procfs.thread_count(os.getpid())
    flushes = [Flush(opened(tmp_path / str(number)), LONG) for number in range(60)]
    assert procfs.thread_count(os.getpid()) <= before + 8
    for flush in flushes:
        flush.wait()
    threads = procfs.thread_count(os.getpid())
    for number in range(20):
        Flush(opened(tmp_path / str(number)), 7).wait()
    assert procfs.thread_count(os.getpid()) == threads


def test_a_forked_process_has_threads_of_its_own(tmp_path: Path) -> None:
    Flush(opened(tmp_path / "a"), 7).wait()
    child = os.fork()
    if not child:
        os._exit(0 if Flush(opened(tmp_path / "b"), 7).wait() > 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
