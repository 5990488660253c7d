# planes.h for Cython: byte planes to interleaved bytes and back. Header-only.
from libc.stdint cimport uint8_t


cdef extern from "planes.h" nogil:
    void planes_interleave(
        int path, uint8_t* out, const uint8_t** planes, size_t plane_count, size_t count
    ) noexcept
    void planes_split(
        int path, uint8_t** planes, const uint8_t* data, size_t plane_count, size_t count
    ) noexcept
