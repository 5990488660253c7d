# What a walk over a Data Set is inside of: the Data Set itself, items, sequences, fragments. Header-only.
# PS3.5 7.5, A.4.
from libc.stdint cimport uint32_t, uint64_t

from element cimport LENGTH_UNDEFINED
from nesting cimport DATASET, OPEN, Kind


cdef struct Frame:
    uint64_t end                   # offset behind its last byte; OPEN
    uint64_t limit                 # the nearest end of itself and all around it
    size_t length_at               # where its length goes in the buffer when it closes
    uint32_t tag
    Kind kind
    bint explicit_vr
    bint big_endian


cdef inline void begin_frames(Frame* frame, bint explicit_vr, bint big_endian) noexcept nogil:
    """The Data Set, which ends where its bytes do."""
    frame.end = frame.limit = OPEN
    frame.tag = 0
    frame.kind = DATASET
    frame.explicit_vr = explicit_vr
    frame.big_endian = big_endian


cdef inline bint open_frame(
    Frame* frame, const Frame* around, Kind kind, uint32_t tag, uint64_t offset, uint32_t length
) noexcept nogil:
    """What begins at `offset` and is `length` long; False when it is longer than what is around it."""
    frame.end = OPEN
    if length != LENGTH_UNDEFINED:
        if length > around.limit - offset:
            return False
        frame.end = offset + length
    frame.limit = frame.end if frame.end < around.limit else around.limit
    frame.tag = tag
    frame.kind = kind
    return True
