# The run of plain elements that nobody wants, which a scanner passes over in one loop. Header-only.
from libc.stdint cimport uint8_t, uint32_t

from keep cimport Keep, find_wanted
from plain cimport Plain, read_plain


cdef inline size_t pass_unwanted(
    const Keep* keep, bint nested, const uint8_t* at, size_t left, bint explicit_vr, bint big_endian,
    size_t* count_left, uint32_t* highest_tag,
) noexcept nogil:
    """Bytes of the plain elements at `at`, as far as none of them is wanted (no nested one is by itself).

    count_left: how many there may be at most, less what there were. highest_tag: of any of them.
    """
    cdef const uint8_t* begin = at
    cdef Plain element
    while count_left[0] and read_plain(at, left, explicit_vr, big_endian, &element):
        if not nested and find_wanted(keep.wanted, keep.count, element.tag) >= 0:
            break
        at += element.head_length + element.length
        left -= element.head_length + element.length
        highest_tag[0] = max(highest_tag[0], element.tag)
        count_left[0] -= 1
    return <size_t>(at - begin)
