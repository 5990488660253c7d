"""What a crowd of large blocks leaves in the process."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from fastdicom import heap

PROGRAM = """
import ctypes, os, sys
from fastdicom.heap import LARGE, keep_large_blocks_out
from tests.support import procfs

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
if sys.argv[1] == "out":
    keep_large_blocks_out()
libc.free(libc.malloc(8 * LARGE))  # from now on glibc would take them from the heap
blocks = [libc.malloc(LARGE) for _ in range(100)]
for block in blocks:
    ctypes.memset(block, 1, LARGE)
held = libc.malloc(LARGE // 2)  # above them
before = procfs.status_field(os.getpid(), "RssAnon")
for block in blocks:
    libc.free(block)
print((before - procfs.status_field(os.getpid(), "RssAnon")) * 1024 // LARGE)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps them")
@pytest.mark.parametrize("where", ["out", "in"])
def test_large_blocks_go_back_to_the_system_at_once(where: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, where], capture_output=True, text=True, check=True)
    given_back = int(done.stdout)
    assert given_back > 90 if where == "out" else given_back < 10


def test_another_c_library_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    heap.keep_large_blocks_out()
