# An element's head that the end of a piece cut: its bytes wait for the next one. Header-only.
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from element cimport DONE, HEAD_LONG, MALFORMED, NEED_MORE, Element, Outcome, read_head


cdef struct Carry:
    uint8_t bytes[HEAD_LONG]
    size_t length


cdef inline Outcome read_carried(
    Carry* carry, const uint8_t* at, size_t left, bint explicit_vr, bint big_endian, Element* out,
    size_t* used,
) noexcept nogil:
    """Read the head that begins with the carried bytes and goes on at `at`; used: how many were taken there.

    NEED_MORE: they are carried as well. After DONE and MALFORMED nothing is carried any more.
    """
    cdef size_t before = carry.length, added
    cdef Outcome outcome
    if before == 0:
        outcome = read_head(at, left, explicit_vr, big_endian, out)
        used[0] = out.head_length
    else:
        added = min(<size_t>HEAD_LONG - before, left)
        memcpy(carry.bytes + before, at, added)
        outcome = read_head(carry.bytes, before + added, explicit_vr, big_endian, out)
        used[0] = out.head_length - before
    if outcome == NEED_MORE:
        used[0] = min(<size_t>HEAD_LONG - before, left)
        memcpy(carry.bytes + before, at, used[0])
        carry.length = before + used[0]
    else:
        carry.length = 0
    if outcome == MALFORMED:
        used[0] = 0
    return outcome
