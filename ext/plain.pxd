# Elements that need no second look: a value of a known VR, whole, not nested, not too long. Nearly all of
# a Data Set is made of them; walks take runs of them in a loop of their own and leave everything else, also
# every fault, to their general code. Header-only; the table is in plain.h.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from byteorder cimport swap_copy
from dictionary cimport vr_of
from element cimport (
    GROUP_OF_ITEMS, HEAD_LONG, HEAD_SHORT, NO_VR, get_u16be, get_u16le, get_u32be, get_u32le, write_u16,
    write_u32,
)


cdef extern from "plain.h" nogil:
    ctypedef struct PlainVr:
        uint16_t vr
        uint8_t head_length
        uint8_t unit
    const PlainVr PLAIN_VR[]
    size_t PLAIN_ROW(uint16_t vr)


cdef enum:
    PLAIN_LENGTH_MAX = 0x3FFF      # fits every VR's length field; longer ones go out as views
    WIDE_COPY = 32                 # bytes copied at once where there is room for so many


cdef struct Plain:
    const PlainVr* vr
    uint32_t tag
    uint32_t length
    size_t head_length


cdef inline bint read_plain(
    const uint8_t* at, size_t left, bint explicit_vr, bint big_endian, Plain* out
) noexcept nogil:
    """Read the head at `at`; True when the element is plain and all of it is in the `left` bytes there."""
    cdef uint16_t group, vr
    if left < HEAD_LONG:
        return False
    group = get_u16be(at) if big_endian else get_u16le(at)
    out.tag = (<uint32_t>group << 16) | (get_u16be(at + 2) if big_endian else get_u16le(at + 2))
    if group == GROUP_OF_ITEMS:
        return False
    vr = get_u16be(at + 4) if explicit_vr else vr_of(out.tag)
    out.vr = &PLAIN_VR[PLAIN_ROW(vr)]
    if out.vr.vr != vr or vr == NO_VR:                      # an empty row has NO_VR too
        return False
    if not explicit_vr:
        out.head_length = HEAD_SHORT
        out.length = get_u32be(at + 4) if big_endian else get_u32le(at + 4)
    elif out.vr.head_length == HEAD_SHORT:
        out.head_length = HEAD_SHORT
        out.length = get_u16be(at + 6) if big_endian else get_u16le(at + 6)
    else:
        out.head_length = HEAD_LONG
        out.length = get_u32be(at + 8) if big_endian else get_u32le(at + 8)
    return out.length <= PLAIN_LENGTH_MAX and out.length <= left - out.head_length


cdef inline size_t plain_head_length(const Plain* element, bint explicit_vr) noexcept nogil:
    """Bytes that write_plain_head will take."""
    return element.vr.head_length if explicit_vr else HEAD_SHORT


cdef inline void write_plain_head(
    uint8_t* to, const Plain* element, bint explicit_vr, bint big_endian
) noexcept nogil:
    write_u16(to, <uint16_t>(element.tag >> 16), big_endian)
    write_u16(to + 2, <uint16_t>element.tag, big_endian)
    if not explicit_vr:
        write_u32(to + 4, element.length, big_endian)
        return
    to[4] = <uint8_t>(element.vr.vr >> 8)
    to[5] = <uint8_t>element.vr.vr
    if element.vr.head_length == HEAD_SHORT:
        write_u16(to + 6, <uint16_t>element.length, big_endian)
        return
    write_u16(to + 6, 0, big_endian)
    write_u32(to + 8, element.length, big_endian)


cdef inline void copy_plain_value(
    uint8_t* to, const uint8_t* at, size_t readable, const Plain* element, bint swapped
) noexcept nogil:
    """The value; `to` has room for WIDE_COPY bytes or the length, what is more, and `at` `readable` bytes."""
    if swapped and element.vr.unit > 1:
        swap_copy(to, at, element.length, element.vr.unit)
    elif element.length <= WIDE_COPY <= readable:
        memcpy(to, at, WIDE_COPY)
    else:
        memcpy(to, at, element.length)
