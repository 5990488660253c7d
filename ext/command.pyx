"""Command Sets to fields and back. Always Implicit VR Little Endian, group 0000 only. PS3.7 6.3, Annex E.

Knows how each element is coded, not which ones a message needs: that is in `dimse/messages.py`.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsEncodedString
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from wire cimport get_u16le, get_u32le, put_u16le, put_u32le

from fastdicom.errors import PeerError

cdef enum:
    ELEMENT_HEAD = 8
    INVALID_PARAMETER = 6

cdef enum Kind:
    UNKNOWN = 0
    US = 1
    UL = 2
    UI = 3
    TEXT = 4        # AE and LO: padded with spaces
    AT = 5

cdef Kind kind_of(uint16_t element) noexcept nogil:
    """The VR of a command element. PS3.7 Table E.1-1; E.2-1 has only retired ones."""
    if element in (0x0100, 0x0110, 0x0120, 0x0700, 0x0800, 0x0900, 0x0903,
                   0x1002, 0x1008, 0x1020, 0x1021, 0x1022, 0x1023, 0x1031):
        return US
    if element in (0x0002, 0x0003, 0x1000, 0x1001):
        return UI
    if element in (0x0600, 0x0902, 0x1030):
        return TEXT
    if element in (0x0901, 0x1005):
        return AT
    if element == 0:
        return UL
    return UNKNOWN


cdef object text_value(const uint8_t* at, size_t length):
    """Text without padding. Bytes above 7FH are kept by their number: they name things only in logs."""
    while length and (at[length - 1] == 0 or at[length - 1] == 0x20):
        length -= 1
    while length and at[0] == 0x20:
        at += 1
        length -= 1
    return (<const char*>at)[:length].decode("latin-1")


cdef object tags_value(const uint8_t* at, size_t length):
    cdef size_t i
    return tuple([(<uint32_t>get_u16le(at + i) << 16) | get_u16le(at + i + 2) for i in range(0, length, 4)])


def decode(const uint8_t[::1] data not None):
    """Fields of a Command Set by element number. See the .pyi file."""
    cdef size_t size = data.shape[0]
    cdef size_t at = 0
    cdef uint16_t element
    cdef uint32_t length
    cdef Kind kind
    cdef dict fields = {}
    cdef const uint8_t* start = &data[0] if size else NULL
    while at < size:
        if size - at < ELEMENT_HEAD:
            raise PeerError(f"Command Set ends inside an element head at byte {at}", INVALID_PARAMETER)
        if get_u16le(start + at) != 0:
            raise PeerError(f"Command Set with group {get_u16le(start + at):04X} at byte {at}", INVALID_PARAMETER)
        element = get_u16le(start + at + 2)
        length = get_u32le(start + at + 4)
        at += ELEMENT_HEAD
        if length > size - at:
            raise PeerError(f"command element (0000,{element:04X}) of {length} bytes, {size - at} are left",
                            INVALID_PARAMETER)
        kind = kind_of(element)
        if kind == US:
            if length == 2:
                fields[element] = get_u16le(start + at)
            elif length:
                raise PeerError(f"command element (0000,{element:04X}) of {length} bytes, not 2", INVALID_PARAMETER)
        elif kind == UI or kind == TEXT:
            fields[element] = text_value(start + at, length)
        elif kind == AT:
            if length % 4:
                raise PeerError(f"command element (0000,{element:04X}) of {length} bytes", INVALID_PARAMETER)
            fields[element] = tags_value(start + at, length)
        at += length
    return fields


cdef size_t value_size(Kind kind, object value) except? 0:
    if kind == US:
        return 2
    if kind == AT:
        return 4 * len(value)
    return (len(<bytes>value) + 1) & ~<size_t>1


cdef void put_head(uint8_t* at, uint16_t element, uint32_t length) noexcept nogil:
    put_u16le(at, 0)
    put_u16le(at + 2, element)
    put_u32le(at + 4, length)


def encode(list fields not None):
    """A Command Set with its group length. See the .pyi file."""
    cdef size_t total = 0
    cdef list values = []
    cdef Kind kind
    cdef uint16_t element
    cdef tuple field
    for field in fields:
        element = field[0]
        value = field[1]
        kind = kind_of(element)
        if kind == UNKNOWN or kind == UL:
            raise ValueError(f"(0000,{element:04X}) is no element that we write")
        if kind == UI or kind == TEXT:
            value = PyUnicode_AsEncodedString(value, "latin-1", "replace")
        values.append(value)
        total += ELEMENT_HEAD + value_size(kind, value)
    cdef bytes out = PyBytes_FromStringAndSize(NULL, total + ELEMENT_HEAD + 4)
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(out)
    put_head(at, 0, 4)
    put_u32le(at + ELEMENT_HEAD, <uint32_t>total)
    at += ELEMENT_HEAD + 4
    cdef Py_ssize_t i
    for i in range(len(fields)):
        field = fields[i]
        element = field[0]
        at = put_element(at, element, kind_of(element), values[i])
    return out


cdef uint8_t* put_element(uint8_t* at, uint16_t element, Kind kind, object value) except NULL:
    cdef size_t size = value_size(kind, value)
    cdef size_t length
    put_head(at, element, <uint32_t>size)
    at += ELEMENT_HEAD
    if kind == US:
        put_u16le(at, value)
    elif kind == AT:
        for tag in value:
            put_u16le(at, <uint16_t>((<uint32_t>tag) >> 16))
            put_u16le(at + 2, <uint16_t>(<uint32_t>tag))
            at += 4
        return at
    else:
        length = len(<bytes>value)
        memcpy(at, PyBytes_AS_STRING(<bytes>value), length)
        if size > length:
            at[length] = 0 if kind == UI else 0x20
    return at + size
