"""Large memory that is used again: fresh pages have to be zeroed, which takes as long as reading a file into them.

A block goes back to the shelf by itself when nobody looks at it any more, so that none can be written to while
somebody does.
"""
cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc

cdef enum:
    LENGTH = (1 << 20) + 4096
    SHELF_MAX = 8                 # blocks that are kept: at most so many megabytes

LENGTH_MAX = LENGTH

cdef void* shelf[SHELF_MAX]       # under the interpreter's lock
cdef size_t shelved = 0


@cython.final
cdef class Block:
    """See the .pyi file."""

    cdef void* memory

    def __cinit__(self):
        global shelved
        if shelved:
            shelved -= 1
            self.memory = shelf[shelved]
            return
        self.memory = PyMem_RawMalloc(LENGTH)
        if self.memory == NULL:
            raise MemoryError()

    def __dealloc__(self):
        global shelved
        if self.memory != NULL and shelved < SHELF_MAX:
            shelf[shelved] = self.memory
            shelved += 1
        else:
            PyMem_RawFree(self.memory)

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.memory, LENGTH, 0, flags)
