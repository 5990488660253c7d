# One bit a pixel and one byte a pixel. The first pixel is the least significant bit, PS3.5 8.1.1.
# Header-only.
from libc.stdint cimport uint8_t, uint64_t


cdef inline uint64_t spread_byte(uint8_t bits) noexcept nogil:
    """Byte i of the result (counted from the least significant) is bit i of `bits`, 0 or 1."""
    # Copy the byte eight times, keep a different bit of each copy, and turn "not 0" into 1: adding
    # 7FH carries into bit 7 of every byte but one that is 0; no sum leaves its byte.
    cdef uint64_t kept = (<uint64_t>bits * 0x0101010101010101u) & 0x8040201008040201u
    return ((kept + 0x7f7f7f7f7f7f7f7fu) >> 7) & 0x0101010101010101u


cdef inline uint8_t gather_byte(uint64_t pixels) noexcept nogil:
    """The inverse of spread_byte: each of the eight bytes is 0 or 1."""
    # The multiplication moves byte i to bit 56 + i; no two products meet, so nothing carries.
    return <uint8_t>((pixels * 0x0102040810204080u) >> 56)
