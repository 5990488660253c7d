"""What the C library keeps after a crowd goes back to the system."""

from __future__ import annotations

import ctypes
import os
import platform

import pytest

from fastdicom import heap
from tests.support import procfs

COUNT, LENGTH = 300, 100_000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps it")
def test_freed_memory_goes_back_to_the_system() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    blocks = [libc.malloc(LENGTH) for _ in range(COUNT)]
    for block in blocks:
        ctypes.memset(block, 1, LENGTH)
    keeper = libc.malloc(LENGTH)  # above them: the heap cannot shrink
    for block in blocks:
        libc.free(block)
    before = procfs.status_field(os.getpid(), "RssAnon")
    heap.trim()
    libc.free(keeper)
    assert before - procfs.status_field(os.getpid(), "RssAnon") > COUNT * LENGTH / 1024 / 2


def test_another_c_library_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert heap._trimmer.__wrapped__()() is None
