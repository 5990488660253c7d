# tag -> VR for the standard's Data Elements (PS3.6), from the table in dictionary.h. Header-only.
from libc.stdint cimport uint16_t, uint32_t

from element cimport LENGTH_UNDEFINED, NO_VR, PIXEL_DATA, VR_LO, VR_SQ, VR_UL, VR_UN, Element


cdef extern from "dictionary.h" nogil:
    const uint32_t DICTIONARY_TAG[]
    const uint16_t DICTIONARY_VR[]
    const uint32_t DICTIONARY_FACTOR
    const uint32_t DICTIONARY_EMPTY
    const int DICTIONARY_SHIFT
    const size_t DICTIONARY_SLOTS
    const uint32_t REPEATER_MASK[]
    const uint32_t REPEATER_TAG[]
    const uint16_t REPEATER_VR[]
    const size_t REPEATER_COUNT


cdef inline uint16_t standard_vr(uint32_t tag) noexcept nogil:
    """The VR that PS3.6 gives this tag, or one of the ambiguous codes; NO_VR when it has none."""
    cdef size_t slot = <uint32_t>(tag * DICTIONARY_FACTOR) >> DICTIONARY_SHIFT
    cdef size_t row
    while DICTIONARY_TAG[slot] != DICTIONARY_EMPTY:
        if DICTIONARY_TAG[slot] == tag:
            return DICTIONARY_VR[slot]
        slot = (slot + 1) % DICTIONARY_SLOTS
    for row in range(REPEATER_COUNT):
        if (tag & REPEATER_MASK[row]) == REPEATER_TAG[row]:
            return REPEATER_VR[row]
    return NO_VR


cdef inline uint16_t vr_of(uint32_t tag) noexcept nogil:
    """The VR of an element whose encoding states none: from PS3.6, or by the rules of PS3.5 7.8.

    Group Lengths are UL, private creators LO, all other private and unknown elements UN.
    """
    cdef uint16_t vr
    if (tag & 0xFFFF) == 0:
        return VR_UL
    if (tag >> 16) & 1:
        return VR_LO if 0x10 <= (tag & 0xFFFF) <= 0xFF else VR_UN
    vr = standard_vr(tag)
    return vr if vr != NO_VR else VR_UN


cdef inline void find_vr(Element* element) noexcept nogil:
    """Set known_vr: the VR as stated, else what it has by PS3.6."""
    element.known_vr = element.vr if element.vr != NO_VR else vr_of(element.tag)


cdef inline bint is_sequence(const Element* element) noexcept nogil:
    """Whether the value of an element whose VR was found is a Sequence of Items. PS3.5 6.2.2, 7.5.

    VR UN of undefined length is one (in Implicit VR Little Endian), and so is every undefined length
    without VR but that of Pixel Data. Of defined length without VR, those are that PS3.6 lists.
    """
    if element.length == LENGTH_UNDEFINED and element.vr in (NO_VR, VR_UN):
        return element.tag != PIXEL_DATA
    return element.known_vr == VR_SQ
