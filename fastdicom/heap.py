"""Large blocks are kept out of the C library's heap, so that they go back to the system when they are freed.

glibc takes blocks of a size from its heap as soon as one of that size was freed. Receive buffers and files
read whole, made by one thread and freed by another, then leave holes that small blocks keep from ever going
back: a node under mixed load grew by a megabyte a minute. But the pages of a fresh block have to be zeroed,
one fault at a time: so `kernels.block` and `kernels.pdu` keep a few of those that are needed again and again.
"""

from __future__ import annotations

LARGE = 256 * 1024
_M_MMAP_THRESHOLD = -3  # malloc.h


def keep_large_blocks_out() -> None:
    """For the whole process and for good; nothing happens where the C library has no such setting."""
    import ctypes  # slow to import, and only a service needs it

    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE)
    except AttributeError:  # not glibc
        return
