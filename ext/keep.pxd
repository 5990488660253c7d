# What a scanner keeps: the wanted elements, one behind the other in a capped buffer, already coded as
# Explicit VR Little Endian. Header-only. `Keep` is the scanner's; its arrays are made and freed there.
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from byteorder cimport swap_copy
from element cimport (
    HEAD_LONG, LENGTH_UNDEFINED, NO_VR, SHORT_LENGTH_MAX, VR_OB_OR_OW, VR_OW, VR_SQ, VR_UN, VR_US,
    VR_US_OR_OW, VR_US_OR_SS, VR_US_OR_SS_OR_OW, Element, has_short_length, head_length_of, number_size,
    padding_of, unit_of, write_head,
)
from wire cimport put_u32le


cdef enum:
    ROWS_START = 4096              # first size of the buffer of kept elements
    LEVEL_COUNT = 4
    LEVEL_OF_ALL = 4               # an attribute that every level keeps: Specific Character Set
    VR_OF_ANY_KIND = 0x2A2A        # "**": whatever the element has


cdef struct Wanted:
    uint32_t tag
    uint16_t vr
    uint16_t level


cdef struct Kept:
    size_t at                      # of the whole element in the buffer
    size_t length                  # 0: not there
    size_t head_length


cdef struct Keep:
    const Wanted* wanted           # ascending tags
    size_t count
    Kept* kept                     # one for each wanted
    bint* too_long                 # it was there, but above the caps
    uint8_t* bytes
    size_t length
    size_t room
    size_t length_max              # of all that is kept
    size_t value_length_max        # of one element
    Py_ssize_t row                 # which wanted one is being kept; -1
    int frame                      # the scanner's frame of its sequence; 0 when it is a single value
    size_t begin                   # where it begins
    bint in_value                  # a value's bytes are to come, for which there is room
    uint16_t vr                    # of that value
    size_t value_at
    bint out_of_memory


cdef inline bint make_keep(
    Keep* keep, const Wanted* wanted, size_t count, size_t value_length_max, size_t row_length_max
) noexcept nogil:
    """Make the arrays; False without memory. `keep` is all zeros before, and free_keep ends it in any case."""
    keep.wanted = wanted
    keep.count = count
    keep.value_length_max = min(value_length_max, row_length_max)
    keep.length_max = row_length_max
    keep.room = min(<size_t>ROWS_START, max(row_length_max, <size_t>1))
    keep.kept = <Kept*>calloc(max(count, <size_t>1), sizeof(Kept))
    keep.too_long = <bint*>calloc(max(count, <size_t>1), sizeof(bint))
    keep.bytes = <uint8_t*>malloc(keep.room)
    return keep.kept != NULL and keep.too_long != NULL and keep.bytes != NULL


cdef inline void free_keep(Keep* keep) noexcept nogil:
    free(keep.kept)
    free(keep.too_long)
    free(keep.bytes)


cdef inline Py_ssize_t find_wanted(const Wanted* rows, size_t count, uint32_t tag) noexcept nogil:
    """The row of this tag, or -1."""
    cdef size_t base = 0, half
    if count == 0:
        return -1
    while count > 1:
        half = count >> 1
        base += half if rows[base + half].tag <= tag else 0
        count -= half
    return <Py_ssize_t>base if rows[base].tag == tag else -1


cdef inline const Kept* kept_of(const Keep* keep, uint32_t tag) noexcept nogil:
    """What is kept of this tag, or NULL."""
    cdef Py_ssize_t row = find_wanted(keep.wanted, keep.count, tag)
    if row < 0 or keep.kept[row].length == 0:
        return NULL
    return &keep.kept[row]


cdef inline bint has_wanted_type(
    const Element* element, bint element_is_sequence, uint16_t vr
) noexcept nogil:
    """Whether the element can be read as this VR: a surprise counts as absent, it is never cast."""
    if vr == VR_OF_ANY_KIND:
        return element_is_sequence or (
            element.length != LENGTH_UNDEFINED and element.length % number_size(element.known_vr) == 0
        )
    if vr == VR_SQ or element.length == LENGTH_UNDEFINED:
        return vr == VR_SQ and element_is_sequence
    if element.vr != NO_VR and element.vr != VR_UN and element.vr != vr:
        return False
    return element.length % number_size(vr) == 0


cdef inline uint16_t decided_vr(uint16_t vr) noexcept nogil:
    """The VR that a nested element has in a row, where PS3.6 leaves the choice to other elements."""
    if vr in (VR_US_OR_SS, VR_US_OR_SS_OR_OW, VR_US_OR_OW):
        return VR_US
    return VR_OW if vr == VR_OB_OR_OW else vr


cdef inline size_t length_without_padding(const uint8_t* value, size_t length) noexcept nogil:
    while length and value[length - 1] in (0x00, 0x20):
        length -= 1
    return length


cdef inline bint is_digits_and_dots(const uint8_t* value, size_t length) noexcept nogil:
    """What a UID is made of. PS3.5 9.1."""
    cdef size_t index
    for index in range(length):
        if not (0x30 <= value[index] <= 0x39 or value[index] == 0x2E):
            return False
    return True


cdef inline void forget_all(Keep* keep) noexcept nogil:
    memset(keep.kept, 0, keep.count * sizeof(Kept))
    memset(keep.too_long, 0, keep.count * sizeof(bint))
    keep.length = 0
    keep.row = -1
    keep.in_value = keep.out_of_memory = False


cdef inline void begin_keeping(Keep* keep, Py_ssize_t row, int frame) noexcept nogil:
    keep.row = row
    keep.begin = keep.length
    keep.frame = frame


cdef inline void end_keeping(Keep* keep) noexcept nogil:
    cdef Kept* kept = &keep.kept[keep.row]
    kept.at = keep.begin
    kept.length = keep.length - keep.begin
    kept.head_length = head_length_of(keep.wanted[keep.row].tag, VR_SQ if keep.frame else keep.vr, True)
    keep.row = -1


cdef inline void give_up_keeping(Keep* keep) noexcept nogil:
    """Drop the element being kept: it is above the caps. The Data Set goes on."""
    keep.too_long[keep.row] = True
    keep.length = keep.begin
    keep.row = -1
    keep.in_value = False


cdef inline uint8_t* room_for(Keep* keep, size_t count) noexcept nogil:
    """Room for `count` bytes behind what is kept; NULL, and keeping is given up, above the caps."""
    cdef size_t room = keep.room
    cdef uint8_t* moved
    if (
        count > keep.length_max - keep.length
        or count > keep.value_length_max + HEAD_LONG - (keep.length - keep.begin)
    ):
        give_up_keeping(keep)
        return NULL
    while room - keep.length < count:
        room *= 2
    if room != keep.room:
        moved = <uint8_t*>realloc(keep.bytes, room)
        if moved == NULL:
            keep.out_of_memory = True
            give_up_keeping(keep)
            return NULL
        keep.bytes = moved
        keep.room = room
    return keep.bytes + keep.length


cdef inline size_t keep_opening(Keep* keep, uint32_t tag) noexcept nogil:
    """Write the head of a sequence or item; returns where its length goes when it closes."""
    cdef size_t count = head_length_of(tag, VR_SQ, True)
    cdef uint8_t* at = room_for(keep, count)
    if at != NULL:
        write_head(at, tag, VR_SQ, 0, True, False)
        keep.length += count
    return keep.length - 4


cdef inline void keep_closing(Keep* keep, size_t length_at) noexcept nogil:
    put_u32le(keep.bytes + length_at, <uint32_t>(keep.length - length_at - 4))


cdef inline void keep_head(Keep* keep, uint32_t tag, uint16_t vr, uint32_t length) noexcept nogil:
    """Write the head of a value and make room for all of it, its padding included."""
    cdef uint32_t even = length + (length & 1)
    cdef size_t head_length = head_length_of(tag, vr, True)
    cdef uint8_t* at
    if even < length or (has_short_length(vr) and even > SHORT_LENGTH_MAX):
        give_up_keeping(keep)
        return
    at = room_for(keep, head_length + even)
    if at == NULL:
        return
    write_head(at, tag, vr, even, True, False)
    keep.length += head_length
    keep.vr = vr
    keep.value_at = keep.length
    keep.in_value = True


cdef inline void keep_bytes(Keep* keep, const uint8_t* at, size_t count) noexcept nogil:
    memcpy(keep.bytes + keep.length, at, count)
    keep.length += count


cdef inline void end_value(Keep* keep, bint swapped) noexcept nogil:
    """Bring a whole value into little endian and to even length."""
    cdef uint8_t* value = keep.bytes + keep.value_at
    cdef size_t length = keep.length - keep.value_at
    keep.in_value = False
    if swapped:
        swap_copy(value, value, length, unit_of(keep.vr))
    if length & 1:
        keep.bytes[keep.length] = padding_of(keep.vr)
        keep.length += 1
    if keep.frame == 0:
        end_keeping(keep)


cdef inline void level_lengths(const Keep* keep, size_t* lengths) noexcept nogil:
    """Bytes that each of the LEVEL_COUNT levels has kept."""
    cdef size_t row
    cdef int level
    for level in range(LEVEL_COUNT):
        lengths[level] = 0
    for row in range(keep.count):
        if keep.kept[row].length:
            for level in range(LEVEL_COUNT):
                if keep.wanted[row].level == level or keep.wanted[row].level == LEVEL_OF_ALL:
                    lengths[level] += keep.kept[row].length


cdef inline void copy_levels(const Keep* keep, uint8_t** to) noexcept nogil:
    """The kept elements of each level to its place, in ascending order of tags."""
    cdef size_t row
    cdef int level
    for row in range(keep.count):
        if keep.kept[row].length:
            for level in range(LEVEL_COUNT):
                if keep.wanted[row].level == level or keep.wanted[row].level == LEVEL_OF_ALL:
                    memcpy(to[level], keep.bytes + keep.kept[row].at, keep.kept[row].length)
                    to[level] += keep.kept[row].length
