# One key of a query against rows: where its value is, and whether that matches. Header-only.
#
# Kinds MATCH_CALL and MATCH_MEMBER are Python's to decide: query.pyx. PS3.4 C.2.2.2.
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp

from element cimport Element
from pattern cimport digits, equal, like, name_like
from row cimport Span, next_element


cdef enum:
    DIGITS_MAX = 12


cdef enum Kind:
    MATCH_ALL = 0
    MATCH_ANY_OF = 1
    MATCH_LIKE = 2
    MATCH_NAME = 3
    MATCH_DATE = 4
    MATCH_TIME = 5
    MATCH_MEMBER = 6
    MATCH_CALL = 7


cdef enum Counted:
    NOT_COUNTED = 0
    COUNT_STUDIES = 1
    COUNT_SERIES = 2
    COUNT_INSTANCES = 3
    LIST_MODALITIES = 4
    LIST_SOP_CLASSES = 5


cdef struct Slot:
    uint32_t tag
    uint16_t vr
    int level
    bint returned
    bint several                   # a backslash divides values
    Kind kind
    Span* wanted                   # patterns, values, or the two ends of a range
    size_t wanted_count
    bint present
    Counted counted                # of a COMPUTED slot: what of a tally it holds,
    int counted_level              # and of which level's
    Span value
    Span folded                    # at == NULL: the value itself is to be folded


cdef inline void point(Slot* slots, const int* order, int count, Span rest) noexcept nogil:
    """Point slots at their values: both are in ascending order, one walk does."""
    cdef Element element
    cdef Span value
    cdef int next = 0
    cdef Slot* slot
    cdef int i
    for i in range(count):
        slot = &slots[order[i]]
        slot.present = False
        slot.folded.at = NULL
    while next < count and next_element(&rest, &element, &value):
        while next < count and slots[order[next]].tag < element.tag:
            next += 1
        if next < count and slots[order[next]].tag == element.tag:
            slot = &slots[order[next]]
            slot.present = True
            slot.value = value
            next += 1


cdef inline void point_folded(Slot* slots, const int* order, int count, Span rest) noexcept nogil:
    """Point slots at their folded names, where a row has some."""
    cdef Element element
    cdef Span value
    cdef int i
    cdef Slot* slot
    while next_element(&rest, &element, &value):
        for i in range(count):
            slot = &slots[order[i]]
            if slot.tag == element.tag and slot.present:
                slot.folded = value


cdef inline Span whole(Span* rest) noexcept nogil:
    """All of a value that a backslash does not divide."""
    cdef Span value = rest[0]
    rest.at = NULL
    rest.length = 0
    return value


cdef inline bint in_range(const Slot* slot, const uint8_t* number) noexcept nogil:
    """True when one of the ranges, pairs of ends, holds the digits."""
    cdef Span low, high
    cdef size_t i
    for i in range(0, slot.wanted_count, 2):
        low = slot.wanted[i]
        high = slot.wanted[i + 1]
        if low.length and memcmp(number, low.at, low.length) < 0:
            continue
        if high.length == 0 or memcmp(number, high.at, high.length) <= 0:
            return True
    return False


cdef inline bint any_name_like(const Slot* slot, Span name) noexcept nogil:
    """True when a folded name matches one of the patterns."""
    cdef size_t i
    for i in range(slot.wanted_count):
        if name_like(slot.wanted[i], name):
            return True
    return False


cdef inline bint value_matches(const Slot* slot, Span value) noexcept nogil:
    """One value, without padding, against a key of kind ANY_OF, LIKE, DATE or TIME."""
    cdef size_t i
    cdef uint8_t number[DIGITS_MAX]
    if slot.kind == MATCH_ANY_OF:
        for i in range(slot.wanted_count):
            if equal(slot.wanted[i], value):
                return value.length != 0
        return False
    if slot.kind == MATCH_LIKE:
        for i in range(slot.wanted_count):
            if like(slot.wanted[i], value):
                return value.length != 0
        return False
    if not digits(number, 8 if slot.kind == MATCH_DATE else DIGITS_MAX, value):
        return False
    return in_range(slot, number)
