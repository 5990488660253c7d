"""Memory that is free goes back to the system.

glibc keeps what threads have freed, in a heap for each of several threads: after a crowd of connections, their
receive buffers. It has gone back a few seconds later, for a millisecond of one processor.
"""

from __future__ import annotations

from collections.abc import Callable


def trimmer() -> Callable[[], object]:
    """What to call now and then; it does nothing where the C library has no such call."""
    import ctypes  # slow to import, and only a service needs it

    try:
        trim = ctypes.CDLL(None).malloc_trim
    except AttributeError:  # not glibc
        return lambda: None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return lambda: trim(0)
