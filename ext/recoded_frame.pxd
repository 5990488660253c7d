# What the recoder knows of the Data Set, the items and sequences that it is inside of, and of the elements that
# decide the VRs of others. Header-only. PS3.5 7.5, 7.1.3; PS3.3 C.7.6.3.
from libc.stdint cimport uint16_t, uint32_t, uint64_t

from nesting cimport Kind


cdef enum:
    BITS_ALLOCATED = 0x00280100
    PIXEL_REPRESENTATION = 0x00280103
    WAVEFORM_GROUP = 0x5400
    WAVEFORM_BITS_ALLOCATED = 0x54001004


cdef struct Coding:
    bint explicit_vr
    bint big_endian


cdef struct Frame:
    uint64_t end                   # source offset behind its last byte; OPEN
    uint64_t limit                 # the nearest end of itself and all around it
    uint64_t written_at            # where its value begins in the output
    size_t length_index            # of its length, when that is stated
    Coding coding                  # of the source inside it
    uint32_t tag
    Kind kind
    bint is_signed                 # Pixel Representation, PS3.3 C.7.6.3.1
    uint16_t bits_allocated
    uint16_t waveform_bits


cdef inline bint decides_others(uint32_t tag) noexcept nogil:
    """Group Lengths, and what the VR of elements to come depends on: not for the short way."""
    return (
        (tag & 0xFFFF) == 0
        or tag == BITS_ALLOCATED
        or tag == PIXEL_REPRESENTATION
        or tag == WAVEFORM_BITS_ALLOCATED
    )
