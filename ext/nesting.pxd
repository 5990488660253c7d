# What an element means by where it stands: among elements, where an item has to be, among fragments.
# PS3.5 7.5, A.4. Header-only; the walks (scan, recode) have stacks of their own.
from element cimport ITEM, ITEM_END, LENGTH_UNDEFINED, SEQUENCE_END, Element
from faults cimport DELIMITER_LENGTH, FRAGMENT_LENGTH, NOT_AN_ITEM, NO_FAULT, STRAY_DELIMITER, Fault


cdef extern from *:
    """
    #include <stdint.h>
    #define NESTING_OPEN UINT64_MAX
    """
    const unsigned long long OPEN "NESTING_OPEN"      # end of what is delimited, not counted


cdef enum Kind:
    DATASET
    SEQUENCE
    SEQUENCE_ITEM
    FRAGMENTS


cdef enum Role:
    NOTHING                        # a superfluous delimiter, as old writers left
    OPENS_ITEM
    IS_FRAGMENT
    CLOSES                         # ends what it stands in


cdef inline Fault role_of_delimiter(
    const Element* element, Kind kind, bint is_open, Role* role
) noexcept nogil:
    """An element of group FFFE where an element has to be."""
    if element.tag == ITEM:
        return STRAY_DELIMITER
    if element.length != 0:
        return DELIMITER_LENGTH
    role[0] = NOTHING
    if is_open and kind == SEQUENCE_ITEM:
        if element.tag != ITEM_END:
            return STRAY_DELIMITER
        role[0] = CLOSES
    return NO_FAULT


cdef inline Fault role_of_item(const Element* element, Kind kind, bint is_open, Role* role) noexcept nogil:
    """An element where an item has to be: in a sequence or among the fragments of pixels."""
    if element.tag == SEQUENCE_END:
        role[0] = CLOSES if is_open else NOTHING
        return NO_FAULT if element.length == 0 else DELIMITER_LENGTH
    if element.tag != ITEM:
        return NOT_AN_ITEM
    if kind == FRAGMENTS and element.length == LENGTH_UNDEFINED:
        return FRAGMENT_LENGTH
    role[0] = IS_FRAGMENT if kind == FRAGMENTS else OPENS_ITEM
    return NO_FAULT
