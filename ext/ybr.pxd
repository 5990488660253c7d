# ybr.h for Cython: rows of YBR_FULL to rows of RGB and back. Header-only.
from libc.stdint cimport uint8_t


cdef extern from "ybr.h" nogil:
    void ybr_to_rgb(int path, const uint8_t** ybr, uint8_t** rgb, size_t count) noexcept
    void ybr_from_rgb(int path, const uint8_t** rgb, uint8_t** ybr, size_t count) noexcept
