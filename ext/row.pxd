# Rows of the index and the elements in them. Header-only.
#
# A row is four lengths and four parts: head (what the index needs, not Data Elements), upper (in a study's
# row: its patient's attributes), own (the level's attributes), folded (names with other than ASCII
# characters once more, folded for matching). The last three are Data Sets in Explicit VR Little Endian, in
# ascending tag order, text in UTF-8, sequences and items with explicit lengths.
from libc.stdint cimport uint8_t, uint32_t

from element cimport DONE, LENGTH_UNDEFINED, Element, read_head
from wire cimport get_u32le


cdef enum:
    ROW_HEAD = 16
    SLOTS = 16                   # rows that share one LMDB value: see index/packed.py
    PACKED_HEAD = SLOTS * 4


cdef struct Span:
    const uint8_t* at
    size_t length


cdef struct Row:
    Span head
    Span upper
    Span own
    Span folded


cdef inline bint open_row(const uint8_t* at, size_t length, Row* out) noexcept nogil:
    """False when the lengths do not add up: the row is damaged."""
    cdef size_t left
    if length < ROW_HEAD:
        return False
    left = length - ROW_HEAD
    out.head.length = get_u32le(at)
    out.upper.length = get_u32le(at + 4)
    out.own.length = get_u32le(at + 8)
    out.folded.length = get_u32le(at + 12)
    if out.head.length + out.upper.length + out.own.length + out.folded.length != left:
        return False                                  # four 32-bit lengths cannot wrap 64 bits
    out.head.at = at + ROW_HEAD
    out.upper.at = out.head.at + out.head.length
    out.own.at = out.upper.at + out.upper.length
    out.folded.at = out.own.at + out.own.length
    return True


cdef inline bint next_element(Span* rest, Element* element, Span* value) noexcept nogil:
    """Take one element off `rest`. False at the end, or where the bytes are no element."""
    if read_head(rest.at, rest.length, True, False, element) != DONE:
        return False
    if element.length == LENGTH_UNDEFINED or element.length > rest.length - element.head_length:
        return False
    value.at = rest.at + element.head_length
    value.length = element.length
    rest.at = value.at + value.length
    rest.length -= element.head_length + value.length
    return True


cdef inline bint packed_row(const uint8_t* block, size_t length, int slot, Span* out) noexcept nogil:
    """The row in a slot of a block of rows; empty when the slot is. False when the block is damaged."""
    cdef size_t begin, end
    if length < PACKED_HEAD:
        return False
    begin = get_u32le(block + 4 * (slot - 1)) if slot else 0
    end = get_u32le(block + 4 * slot)
    if begin > end or end > length - PACKED_HEAD:
        return False
    out.at = block + PACKED_HEAD + begin
    out.length = end - begin
    return True
