# Elements of index rows as an answer has them: with or without VRs, in either byte order. Header-only.
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from byteorder cimport swap_copy
from element cimport (
    Element, HEAD_LONG, HEAD_SHORT, ITEM, NO_VR, VR_LO, VR_LT, VR_PN, VR_SH, VR_SQ, VR_ST, VR_UC, VR_UT,
    has_short_length, padding_of, unit_of,
)
from row cimport Span, next_element
from wire cimport put_u16be, put_u16le, put_u32be, put_u32le


cdef enum:
    ANSWER_DEPTH_MAX = 64


cdef struct Answer:
    uint8_t* at
    size_t length                 # bytes written
    bint explicit_vr
    bint big_endian


cdef inline bint is_charset_text(uint16_t vr) noexcept nogil:
    """The VRs that Specific Character Set speaks of. PS3.5 6.1.2.2."""
    return vr in (VR_LO, VR_LT, VR_PN, VR_SH, VR_ST, VR_UC, VR_UT)


cdef inline size_t room_for(size_t length) noexcept nogil:
    """The most bytes that an element takes whose value has `length` bytes in a row.

    No head is longer than the row's; each value may be padded, and inside a sequence every element takes 8
    bytes at least.
    """
    return HEAD_LONG + 1 + length + length // HEAD_SHORT


cdef inline void put_length(const Answer* answer, uint8_t* at, size_t length) noexcept nogil:
    if answer.big_endian:
        put_u32be(at, <uint32_t>length)
    else:
        put_u32le(at, <uint32_t>length)


cdef inline void put_head(
    const Answer* answer, uint8_t* at, uint32_t tag, uint16_t vr, size_t length
) noexcept nogil:
    """The head of an element whose value is there already. PS3.5 7.1."""
    if answer.big_endian:
        put_u16be(at, <uint16_t>(tag >> 16))
        put_u16be(at + 2, <uint16_t>tag)
    else:
        put_u16le(at, <uint16_t>(tag >> 16))
        put_u16le(at + 2, <uint16_t>tag)
    if not answer.explicit_vr or vr == NO_VR:
        put_length(answer, at + 4, length)
        return
    at[4] = <uint8_t>(vr >> 8)
    at[5] = <uint8_t>vr
    if not has_short_length(vr):
        at[6] = 0
        at[7] = 0
        put_length(answer, at + 8, length)
    elif answer.big_endian:
        put_u16be(at + 6, <uint16_t>length)
    else:
        put_u16le(at + 6, <uint16_t>length)


cdef inline void put_value(Answer* answer, uint16_t vr, Span value) noexcept nogil:
    cdef uint8_t* to = answer.at + answer.length
    if value.length == 0:
        return
    if answer.big_endian:
        swap_copy(to, value.at, value.length, unit_of(vr))
    else:
        memcpy(to, value.at, value.length)
    answer.length += value.length
    if value.length & 1:
        answer.at[answer.length] = padding_of(vr)
        answer.length += 1


cdef inline void put_element(Answer* answer, uint32_t tag, uint16_t vr, Span value, int depth) noexcept nogil:
    """One element; the caller has made room_for it."""
    cdef size_t head_at = answer.length
    cdef size_t body_at
    answer.length += HEAD_SHORT if not answer.explicit_vr or vr == NO_VR or has_short_length(vr) else HEAD_LONG
    body_at = answer.length
    if vr != VR_SQ or (answer.explicit_vr and not answer.big_endian):
        put_value(answer, vr, value)          # the row's own encoding
    else:
        put_items(answer, value, depth)
    put_head(answer, answer.at + head_at, tag, vr, answer.length - body_at)


cdef inline void put_items(Answer* answer, Span rest, int depth) noexcept nogil:
    """A sequence's items, element by element. PS3.5 7.5."""
    cdef Element item, element
    cdef Span inside, value
    cdef size_t head_at
    while rest.length and depth < ANSWER_DEPTH_MAX and next_element(&rest, &item, &inside):
        head_at = answer.length
        answer.length += HEAD_SHORT
        while inside.length and next_element(&inside, &element, &value):
            put_element(answer, element.tag, element.vr, value, depth + 1)
        put_head(answer, answer.at + head_at, ITEM, NO_VR, answer.length - head_at - HEAD_SHORT)


cdef inline bint has_high_text(uint16_t vr, Span value, int depth) noexcept nogil:
    """True when text in the element is not ASCII: it needs a character set that says how it reads."""
    cdef Element item, element
    cdef Span inside, part
    cdef size_t i
    cdef uint8_t high = 0
    if is_charset_text(vr):
        for i in range(value.length):
            high |= value.at[i]
        return high & 0x80 != 0
    if vr != VR_SQ or depth == ANSWER_DEPTH_MAX:
        return False
    while value.length and next_element(&value, &item, &inside):
        while inside.length and next_element(&inside, &element, &part):
            if has_high_text(element.vr, part, depth + 1):
                return True
    return False
