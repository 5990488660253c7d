# Integers on the wire and the outcome codes of the inner functions. Header-only: cimporting this
# module costs nothing at run time.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cdef enum:
    GIL_KEPT_BELOW = 256 * 1024
    # Bytes that are walked in less time than giving the GIL away and getting it back takes (at worst half a
    # millisecond). The archive's shorter files are read, not mapped (archive/files.py): no walk waits for a
    # disk with it.


cdef enum Outcome:
    DONE = 0          # read and understood
    NEED_MORE = 1     # right so far; call again with more bytes
    MALFORMED = -1    # breaks the standard; nothing was taken


# The caller of every function below has checked that the bytes are inside the buffer.

cdef inline uint16_t get_u16be(const uint8_t* at) noexcept nogil:
    return <uint16_t>((<uint16_t>at[0] << 8) | at[1])

cdef inline uint32_t get_u32be(const uint8_t* at) noexcept nogil:
    return (<uint32_t>at[0] << 24) | (<uint32_t>at[1] << 16) | (<uint32_t>at[2] << 8) | at[3]

cdef inline uint16_t get_u16le(const uint8_t* at) noexcept nogil:
    return <uint16_t>((<uint16_t>at[1] << 8) | at[0])

cdef inline uint32_t get_u32le(const uint8_t* at) noexcept nogil:
    return (<uint32_t>at[3] << 24) | (<uint32_t>at[2] << 16) | (<uint32_t>at[1] << 8) | at[0]

cdef inline uint64_t get_u64le(const uint8_t* at) noexcept nogil:
    return (<uint64_t>get_u32le(at + 4) << 32) | get_u32le(at)

cdef inline void put_u16be(uint8_t* at, uint16_t value) noexcept nogil:
    at[0] = <uint8_t>(value >> 8)
    at[1] = <uint8_t>value

cdef inline void put_u32be(uint8_t* at, uint32_t value) noexcept nogil:
    at[0] = <uint8_t>(value >> 24)
    at[1] = <uint8_t>(value >> 16)
    at[2] = <uint8_t>(value >> 8)
    at[3] = <uint8_t>value

cdef inline void put_u16le(uint8_t* at, uint16_t value) noexcept nogil:
    at[0] = <uint8_t>value
    at[1] = <uint8_t>(value >> 8)

cdef inline void put_u32le(uint8_t* at, uint32_t value) noexcept nogil:
    at[0] = <uint8_t>value
    at[1] = <uint8_t>(value >> 8)
    at[2] = <uint8_t>(value >> 16)
    at[3] = <uint8_t>(value >> 24)

cdef inline void put_u64le(uint8_t* at, uint64_t value) noexcept nogil:
    put_u32le(at, <uint32_t>value)
    put_u32le(at + 4, <uint32_t>(value >> 32))
