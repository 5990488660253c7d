# runs.h for Cython: where equal neighbours are. Header-only.
from libc.stdint cimport uint8_t, uint64_t


cdef extern from "runs.h" nogil:
    uint64_t runs_equal64(int path, const uint8_t* at) noexcept
    int runs_lowest_bit(uint64_t word) noexcept
