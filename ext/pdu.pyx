"""Takes PDU and PDV heads off a byte stream and names the spans of data between them. PS3.8 9.3.

Owns the receive buffer of one association. Data of P-DATA-TF PDUs is named where it lies, as soon as
it is there, so memory depends on the buffer and not on what the peer announces. Only the heads and the
association PDUs (A-ASSOCIATE, A-RELEASE, A-ABORT), which are small, wait to be whole.

Knows nothing of states: whether a PDU is expected is decided in `upperlayer`.
"""
cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memmove

from wire cimport DONE, MALFORMED, NEED_MORE, Outcome, get_u32be

from fastdicom.errors import PeerError

cdef enum:
    PDU_HEAD = 6              # type, reserved, length
    LENGTH_SIZE = 4
    CONTROL_SIZE = 2          # context ID and message control header
    PDV_HEAD = 6
    P_DATA_TF = 4
    PDU_TYPE_MAX = 7
    KEPT_CAPACITY = 256 << 10 # of the buffers that are used again: fresh pages have to be zeroed
    KEPT_MAX = 16             # of them
    SPANS_MAX = 1024          # named in one call: bounds the Python objects that hostile one-byte PDVs make

# Reason/Diag of A-ABORT, PS3.8 Table 9-26
cdef enum:
    UNRECOGNIZED_PDU = 1
    INVALID_PARAMETER = 6


cdef uint8_t* kept[KEPT_MAX]   # under the interpreter's lock
cdef size_t kept_count = 0


cdef struct Pdv:
    uint8_t context_id
    uint8_t control
    uint32_t data_length


cdef Outcome open_pdv(const uint8_t* at, size_t left, size_t pdu_left, Pdv* out) noexcept nogil:
    """Read the head of the PDV item at `at`; its data may still be on the way. PS3.8 9.3.5.1.

    left: bytes we hold from `at` on. pdu_left: bytes of this PDU from `at` on, held or not.
    """
    cdef uint32_t length
    if pdu_left < PDV_HEAD:
        return MALFORMED
    if left < PDV_HEAD:
        return NEED_MORE
    length = get_u32be(at)                # counts the two control bytes and the data
    if length < CONTROL_SIZE:
        return MALFORMED
    if length > pdu_left - LENGTH_SIZE:   # compare with what is left: adding could wrap
        return MALFORMED
    out.context_id = at[LENGTH_SIZE]
    out.control = at[LENGTH_SIZE + 1]
    out.data_length = length - CONTROL_SIZE
    return DONE


@cython.final
cdef class PduReader:
    """See the .pyi file for the contract."""

    cdef uint8_t* buffer
    cdef size_t capacity
    cdef size_t start              # first byte not yet named
    cdef size_t end                # one past the last byte received
    cdef size_t pdata_length_max
    cdef size_t association_pdu_length_max
    cdef size_t pdu_left           # bytes of the open P-DATA-TF that are not named yet
    cdef size_t pdv_left           # bytes of the open PDV's data that are not named yet
    cdef uint8_t context_id
    cdef uint8_t control
    cdef uint8_t* body             # an association PDU that spans several reads
    cdef size_t body_length        # announced; 0: none is open
    cdef size_t body_filled
    cdef uint8_t body_type
    cdef readonly bint more

    def __cinit__(self, size_t capacity, size_t pdata_length_max, size_t association_pdu_length_max):
        if capacity < 4096:
            raise ValueError("the receive buffer has at least 4096 bytes")
        global kept_count
        if capacity == KEPT_CAPACITY and kept_count:
            kept_count -= 1
            self.buffer = kept[kept_count]
        else:
            self.buffer = <uint8_t*>PyMem_RawMalloc(capacity)
        if self.buffer == NULL:
            raise MemoryError()
        self.capacity = capacity
        self.pdata_length_max = pdata_length_max
        self.association_pdu_length_max = association_pdu_length_max

    def __dealloc__(self):
        global kept_count
        if self.capacity == KEPT_CAPACITY and kept_count < KEPT_MAX:
            kept[kept_count] = self.buffer
            kept_count += 1
        else:
            PyMem_RawFree(self.buffer)
        PyMem_RawFree(self.body)

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.buffer, self.capacity, 0, flags)

    def space(self):
        """The writable free part of the buffer. Ends the life of all views handed out before."""
        cdef size_t held = self.end - self.start
        if self.start:
            memmove(self.buffer, self.buffer + self.start, held)   # at most a head: everything else is named
            self.start = 0
            self.end = held
        return memoryview(self)[self.end:]

    def received(self, size_t count):
        """Take `count` new bytes in `space()`; returns what they complete. See the .pyi file."""
        if count > self.capacity - self.end:
            raise ValueError("more bytes than there was space for")
        self.end += count
        return self.take()

    def take(self):
        """Name what is in the buffer, at most SPANS_MAX spans; `more` tells that some were left."""
        cdef list events = []
        cdef object whole = None
        cdef size_t count
        cdef uint8_t control
        cdef Outcome outcome
        cdef Pdv pdv
        self.more = False
        while True:
            if len(events) >= SPANS_MAX:
                self.more = True
                return events
            if self.body_length:
                if not self._fill_body():
                    return events
                events.append(self._finish_body())
                continue
            if self.pdv_left:
                count = self.end - self.start
                if count == 0:
                    return events
                if count >= self.pdv_left:
                    count = self.pdv_left
                    control = self.control
                else:
                    control = self.control & 1           # not the end of this fragment yet
                if whole is None:
                    whole = memoryview(self)
                events.append((self.context_id, control, whole[self.start:self.start + count]))
                self.start += count
                self.pdv_left -= count
                self.pdu_left -= count
                continue
            if self.pdu_left:
                outcome = open_pdv(self.buffer + self.start, self.end - self.start, self.pdu_left, &pdv)
                if outcome == NEED_MORE:
                    return events
                if outcome == MALFORMED:
                    raise PeerError("PDV length disagrees with its P-DATA-TF PDU", INVALID_PARAMETER)
                if not pdv.context_id & 1:
                    raise PeerError(f"PDV with the even presentation context ID {pdv.context_id}", INVALID_PARAMETER)
                self.start += PDV_HEAD
                self.pdu_left -= PDV_HEAD
                self.context_id = pdv.context_id
                self.control = pdv.control & 3
                self.pdv_left = pdv.data_length
                if pdv.data_length == 0:                  # an empty fragment still ends its message
                    events.append((self.context_id, self.control, b""))
                continue
            if not self._open_pdu():
                return events

    cdef bint _open_pdu(self) except -1:
        """Read a PDU head; False when it is not whole yet. PS3.8 9.3.1."""
        cdef const uint8_t* at = self.buffer + self.start
        cdef uint8_t pdu_type
        cdef uint32_t length
        if self.end == self.start:
            return False
        pdu_type = at[0]
        if pdu_type == 0 or pdu_type > PDU_TYPE_MAX:      # refused on its first byte: an HTTP "G" is no PDU
            # 14H-17H are the record types of TLS, RFC 8446 5.1
            raise PeerError(
                f"unrecognized PDU type {pdu_type:02X}H"
                + (", it speaks TLS and this end plain DICOM" if 0x14 <= pdu_type <= 0x17 else ""),
                UNRECOGNIZED_PDU)
        if self.end - self.start < PDU_HEAD:
            return False
        length = get_u32be(at + 2)
        if pdu_type == P_DATA_TF:
            if length < PDV_HEAD:
                raise PeerError(f"P-DATA-TF of {length} bytes cannot hold a PDV", INVALID_PARAMETER)
            if self.pdata_length_max and length > self.pdata_length_max:
                raise PeerError(
                    f"P-DATA-TF of {length} bytes, the negotiated maximum is {self.pdata_length_max}",
                    INVALID_PARAMETER)
            self.pdu_left = length
        else:
            if length < LENGTH_SIZE or length > self.association_pdu_length_max:
                raise PeerError(f"PDU of type {pdu_type:02X}H announces {length} bytes", INVALID_PARAMETER)
            self.body_type = pdu_type
            self.body_length = length
            self.body_filled = 0
        self.start += PDU_HEAD
        return True

    cdef bint _fill_body(self) except -1:
        """Move bytes of the open association PDU out of the buffer; True when it is whole.

        The copy grows with what has arrived, not with what is announced.
        """
        cdef size_t count = min(self.end - self.start, self.body_length - self.body_filled)
        cdef uint8_t* grown
        if count:
            grown = <uint8_t*>PyMem_RawRealloc(self.body, self.body_filled + count)
            if grown == NULL:
                raise MemoryError()
            self.body = grown
            memcpy(self.body + self.body_filled, self.buffer + self.start, count)
            self.body_filled += count
            self.start += count
        return self.body_filled == self.body_length

    cdef tuple _finish_body(self):
        cdef bytes body = PyBytes_FromStringAndSize(<char*>self.body, self.body_length)
        PyMem_RawFree(self.body)
        self.body = NULL
        self.body_length = 0
        return (0, self.body_type, body)
