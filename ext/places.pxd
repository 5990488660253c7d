# Where wanted elements of the top level are in a Data Set, or would be. Header-only; recode.pyx has the walk.
from libc.stdint cimport uint16_t, uint32_t, uint64_t

from dictionary cimport find_vr
from element cimport NO_VR, VR_UN, Element


cdef struct Place:                 # of a wanted element at the top level
    uint32_t tag
    uint16_t vr                    # NO_VR: it is not there, and would stand at `start`
    uint64_t start
    uint64_t value
    uint64_t end


cdef struct Places:
    Place* rows                    # by tag
    int count
    int next                       # the first one with a tag above all that came
    int open                       # whose end is where the next element begins, or -1
    uint32_t last                  # tag of the element before
    bint disordered                # a tag came again, or after a higher one


cdef inline int place_of(const Places* places, uint32_t tag) noexcept nogil:
    """The row of this tag, or -1."""
    cdef int low = 0
    cdef int high = places.count
    cdef int middle
    while low < high:
        middle = (low + high) // 2
        if places.rows[middle].tag < tag:
            low = middle + 1
        else:
            high = middle
    return low if low < places.count and places.rows[low].tag == tag else -1


cdef inline void note_place(Places* places, Element* element, uint64_t at, uint64_t size) noexcept nogil:
    """An element of the top level begins at `at`: the end of the one before, and maybe a wanted one.

    size: of the Data Set, where the last one ends. Sets element.known_vr.
    """
    cdef Place* place
    cdef int number
    if places.open >= 0:
        places.rows[places.open].end = at
        places.open = -1
    if element.tag <= places.last:
        places.disordered = True
    places.last = element.tag
    while places.next < places.count and places.rows[places.next].tag < element.tag:
        place = &places.rows[places.next]
        if place.vr == NO_VR:
            place.start = place.value = place.end = at
        places.next += 1
    number = place_of(places, element.tag)
    if number < 0 or places.rows[number].vr != NO_VR:
        return
    find_vr(element)
    place = &places.rows[number]
    place.vr = element.vr if element.vr != NO_VR else VR_UN
    place.start = at
    place.value = at + element.head_length
    place.end = size
    places.open = number
