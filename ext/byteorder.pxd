# Numbers from one byte order to the other. Header-only. Plain loops over bytes of a fixed width: compilers
# turn them into byte shuffles, whatever the alignment.
from libc.stdint cimport uint8_t


cdef inline void swap_copy(uint8_t* to, const uint8_t* at, size_t length, size_t unit) noexcept nogil:
    """Copy numbers of `unit` bytes (1, 2, 4, 8) with their bytes reversed; what is left over is copied.

    `to` and `at` are the same place or do not overlap.
    """
    cdef size_t whole = length & ~(unit - 1)
    cdef size_t start = 0
    cdef uint8_t b0, b1, b2, b3, b4, b5, b6, b7
    if unit == 2:
        while start < whole:
            b0, b1 = at[start], at[start + 1]
            to[start], to[start + 1] = b1, b0
            start += 2
    elif unit == 4:
        while start < whole:
            b0, b1, b2, b3 = at[start], at[start + 1], at[start + 2], at[start + 3]
            to[start], to[start + 1], to[start + 2], to[start + 3] = b3, b2, b1, b0
            start += 4
    elif unit == 8:
        while start < whole:
            b0, b1, b2, b3 = at[start], at[start + 1], at[start + 2], at[start + 3]
            b4, b5, b6, b7 = at[start + 4], at[start + 5], at[start + 6], at[start + 7]
            to[start], to[start + 1], to[start + 2], to[start + 3] = b7, b6, b5, b4
            to[start + 4], to[start + 5], to[start + 6], to[start + 7] = b3, b2, b1, b0
            start += 8
    while start < length:
        to[start] = at[start]
        start += 1
