"""Memory that is free goes back to the system.

glibc keeps what threads have freed, in several heaps: after a crowd of connections, their receive buffers. To
give that back costs a millisecond of one processor.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache


def trim() -> None:
    """Give back what is free now; nothing happens where the C library cannot."""
    _trimmer()()


@cache
def _trimmer() -> Callable[[], object]:
    import ctypes  # slow to import, and only a service needs it

    try:
        call = ctypes.CDLL(None).malloc_trim
    except AttributeError:  # not glibc
        return lambda: None
    call.argtypes, call.restype = [ctypes.c_size_t], ctypes.c_int
    return lambda: call(0)
