# Where results go and where buffers start. Header-only.
from cpython.bytearray cimport PyByteArray_FromStringAndSize
from libc.stdint cimport uint8_t


cdef extern from *:
    """
    /* Where empty buffers point: memcpy of no bytes still wants an address. */
    static uint8_t buffers_nothing;
    """
    uint8_t buffers_nothing


cdef inline const uint8_t* first_byte(const uint8_t[::1] data) noexcept:
    return &data[0] if data.shape[0] else &buffers_nothing


cdef inline object result_buffer(out, size_t size):
    """The caller's `out`, or a new bytearray of `size` bytes that hold anything."""
    return PyByteArray_FromStringAndSize(NULL, <Py_ssize_t>size) if out is None else out


cdef inline uint8_t* writable(uint8_t[::1] target, size_t size) except NULL:
    """The first byte of a result, which must have exactly `size`."""
    if <size_t>target.shape[0] != size:
        from fastdicom.errors import UsageError     # here: a .pxd has no module level to import at
        raise UsageError(f"the result has {size} bytes, the buffer given for it {target.shape[0]}")
    return &target[0] if size else &buffers_nothing
