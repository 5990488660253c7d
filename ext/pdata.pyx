"""Outgoing P-DATA-TF PDUs: whole small messages, and the heads that a long Data Set is cut with. PS3.8 9.3.5.

One PDV a PDU: peers exist that read only the first. Never touches the bytes of a long Data Set; the
caller sends them from where they lie, between the heads made here.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from wire cimport put_u32be

cdef enum:
    PDU_HEAD = 6
    PDV_HEAD = 6
    HEADS = 12
    P_DATA_TF = 4
    COMMAND = 1
    LAST = 2
    COPIED_BELOW = 1024        # bytes of a fragment whose copy costs less than one more piece to send


cdef inline void put_heads(uint8_t* at, size_t data_length, uint8_t context_id, uint8_t control) noexcept nogil:
    """PDU head and PDV head before `data_length` bytes of one fragment."""
    at[0] = P_DATA_TF
    at[1] = 0
    put_u32be(at + 2, <uint32_t>(data_length + PDV_HEAD))
    put_u32be(at + PDU_HEAD, <uint32_t>(data_length + 2))
    at[10] = context_id
    at[11] = control


cdef size_t framed_size(size_t length, size_t fragment_max) noexcept nogil:
    """Bytes of `length` bytes cut into fragments, heads included. An empty message still has one fragment."""
    cdef size_t fragments = (length + fragment_max - 1) // fragment_max if length else 1
    return length + fragments * HEADS


cdef uint8_t* put_fragments(uint8_t* at, const uint8_t* data, size_t length, size_t fragment_max,
                            uint8_t context_id, uint8_t control, uint8_t end) noexcept nogil:
    """Copy `data` to `at`, cut into fragments with heads; returns the byte after the last.

    end: more control bits for the last fragment.
    """
    cdef size_t count
    while True:
        count = length if length < fragment_max else fragment_max
        put_heads(at, count, context_id, control | (end if count == length else 0))
        memcpy(at + HEADS, data, count)
        at += HEADS + count
        data += count
        length -= count
        if length == 0:
            return at


def message(uint8_t context_id, bytes command not None, bytes dataset, size_t pdu_length_max):
    """A whole DIMSE message as P-DATA-TF PDUs. See the .pyi file."""
    if pdu_length_max <= PDV_HEAD:
        raise ValueError("a PDU holds at least one byte of a fragment")
    cdef size_t fragment_max = pdu_length_max - PDV_HEAD
    cdef size_t command_length = len(command)
    cdef size_t dataset_length = len(dataset) if dataset is not None else 0
    cdef size_t total = framed_size(command_length, fragment_max)
    if dataset is not None:
        total += framed_size(dataset_length, fragment_max)
    cdef bytes out = PyBytes_FromStringAndSize(NULL, total)
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(out)
    at = put_fragments(at, <const uint8_t*>PyBytes_AS_STRING(command), command_length, fragment_max,
                       context_id, COMMAND, LAST)
    if dataset is not None:
        put_fragments(at, <const uint8_t*>PyBytes_AS_STRING(dataset), dataset_length, fragment_max, context_id, 0,
                      LAST)
    return out


cdef bytes copied(bytes before, const uint8_t[::1] block, size_t fragment_max, uint8_t context_id, uint8_t end):
    """`before` and all fragments of `block` in one piece."""
    cdef size_t ahead = len(before)
    cdef size_t length = block.shape[0]
    cdef bytes out = PyBytes_FromStringAndSize(NULL, ahead + framed_size(length, fragment_max))
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(out)
    memcpy(at, PyBytes_AS_STRING(before), ahead)
    put_fragments(at + ahead, &block[0] if length else at, length, fragment_max, context_id, 0, end)
    return out


cdef bytes head_of(bytes before, size_t data_length, uint8_t context_id, uint8_t control):
    """`before` and the heads of a fragment."""
    cdef size_t ahead = len(before)
    cdef bytes out = PyBytes_FromStringAndSize(NULL, ahead + HEADS)
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(out)
    memcpy(at, PyBytes_AS_STRING(before), ahead)
    put_heads(at + ahead, data_length, context_id, control)
    return out


def body(uint8_t context_id, bytes before not None, block not None, size_t pdu_length_max, bint last):
    """`before` and a part of a Data Set, as pieces to send one after the other. See the .pyi file."""
    if pdu_length_max <= PDV_HEAD:
        raise ValueError("a PDU holds at least one byte of a fragment")
    cdef size_t fragment_max = pdu_length_max - PDV_HEAD
    cdef uint8_t end = LAST if last else 0
    if fragment_max < COPIED_BELOW:
        return [copied(before, block, fragment_max, context_id, end)]
    cdef size_t length = len(block)
    if length <= fragment_max:
        return [head_of(before, length, context_id, end), block]
    cdef list out = []
    cdef size_t at = 0
    cdef size_t count
    while at < length:
        count = length - at
        if count > fragment_max:
            count = fragment_max
        out.append(head_of(before, count, context_id, end if at + count == length else 0))
        out.append(block[at:at + count])
        before = b""
        at += count
    return out
