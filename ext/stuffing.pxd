# Byte stuffing of entropy-coded data: a zero after each FFH, so that markers stand out. ISO/IEC 10918-1
# (T.81) B.1.1.5 and F.1.2.3. Header-only. Codecs work on plain bytes: no branch for FFH in their loops.
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcpy


cdef inline size_t unstuff(const uint8_t* data, size_t size, size_t* start, uint8_t* plain) noexcept nogil:
    """Copy entropy-coded bytes from data[start] on to `plain`; start is left at a marker or the end.

    `plain` has room for size - start bytes. Returns how many were copied.
    """
    cdef const uint8_t* at = data + start[0]
    cdef const uint8_t* end = data + size
    cdef const uint8_t* stop
    cdef size_t count = 0
    while at < end:
        stop = <const uint8_t*>memchr(at, 0xFF, end - at)
        if stop == NULL:
            stop = end
        memcpy(plain + count, at, stop - at)
        count += stop - at
        at = stop
        while end - at > 1 and at[0] == 0xFF and at[1] == 0xFF:     # fill bytes, T.81 B.1.1.2
            at += 1
        if end - at < 2 or at[1] != 0:
            break
        plain[count] = 0xFF
        count += 1
        at += 2
    start[0] = at - data
    return count


cdef inline size_t stuffed_offset(
    const uint8_t* data, size_t size, size_t start, size_t count
) noexcept nogil:
    """Where in `data` the `count`-th byte that unstuff copied from `start` on came from."""
    while count and start < size:
        start += 2 if data[start] == 0xFF else 1
        count -= 1
    return start if start < size else size


cdef inline size_t stuffing_size(const uint8_t* plain, size_t size) noexcept nogil:
    """How many bytes of FFH there are: each is followed by a zero in the codestream."""
    cdef size_t count = 0
    cdef size_t i
    for i in range(size):
        count += plain[i] == 0xFF
    return count


cdef inline void stuff(uint8_t* out, const uint8_t* plain, size_t size) noexcept nogil:
    """Copy entropy-coded bytes, each FFH followed by a zero. T.81 B.1.1.5."""
    cdef const uint8_t* end = plain + size
    cdef const uint8_t* stop
    while plain < end:
        stop = <const uint8_t*>memchr(plain, 0xFF, end - plain)
        if stop == NULL:
            memcpy(out, plain, end - plain)
            return
        memcpy(out, plain, stop - plain)
        out += stop - plain
        out[0] = 0xFF
        out[1] = 0
        out += 2
        plain = stop + 1
