"""Small questions about the Data Sets in index rows: one value out of them, is their text plain ASCII.

The Data Sets are those of the scan kernel: Explicit VR Little Endian with explicit lengths. Bytes that are
no element end the walk; nothing here raises for them.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from answer cimport is_charset_text
from dictionary cimport vr_of as tag_vr
from element cimport Element, VR_OB_OR_OW, VR_SQ
from row cimport Row, Span, next_element, open_row, packed_row
from wire cimport put_u32le

cdef enum:
    DEPTH_MAX = 64
    TALLY_HEAD = 36
    BACKSLASH = 0x5C
    ESCAPE = 0x1B


cdef bint is_plain(Span value) noexcept nogil:
    """True without bytes above 7FH and without escape sequences."""
    cdef size_t i
    cdef uint8_t high = 0
    cdef bint escape = False
    for i in range(value.length):
        high |= value.at[i]
        escape |= value.at[i] == ESCAPE
    return not (high & 0x80) and not escape


cdef bint elements_plain(Span rest, int depth) noexcept nogil:
    cdef Element element
    cdef Span value
    while rest.length:
        if not next_element(&rest, &element, &value):
            return False
        if element.vr == VR_SQ:
            if depth == DEPTH_MAX or not items_plain(value, depth + 1):
                return False
        elif is_charset_text(element.vr) and not is_plain(value):
            return False
    return True


cdef bint items_plain(Span rest, int depth) noexcept nogil:
    cdef Element item
    cdef Span value
    while rest.length:
        if not next_element(&rest, &item, &value) or not elements_plain(value, depth):
            return False
    return True


cdef bytes find_value(Span rest, uint32_t tag):
    cdef Element element
    cdef Span value
    while next_element(&rest, &element, &value):
        if element.tag == tag:
            return PyBytes_FromStringAndSize(<const char*>value.at, <Py_ssize_t>value.length)
        if element.tag > tag:
            return None
    return None


cdef inline Span span_of(const uint8_t[::1] data) noexcept:
    cdef Span span
    span.length = <size_t>data.shape[0]
    span.at = &data[0] if data.shape[0] else NULL
    return span


def text_is_plain(const uint8_t[::1] dataset not None):
    return bool(elements_plain(span_of(dataset), 0))


def value_of(const uint8_t[::1] dataset not None, uint32_t tag):
    return find_value(span_of(dataset), tag)


def elements(const uint8_t[::1] dataset not None):
    cdef Span rest = span_of(dataset), value
    cdef Element element
    cdef list found = []
    while rest.length and next_element(&rest, &element, &value):
        found.append((
            element.tag,
            chr(element.vr >> 8) + chr(element.vr & 0xFF),
            PyBytes_FromStringAndSize(<const char*>value.at, <Py_ssize_t>value.length),
        ))
    if rest.length:
        raise ValueError("the row ends inside an element")
    return found


def items(const uint8_t[::1] sequence not None):
    cdef Span rest = span_of(sequence), value
    cdef Element item
    cdef list found = []
    while rest.length and next_element(&rest, &item, &value):
        found.append(PyBytes_FromStringAndSize(<const char*>value.at, <Py_ssize_t>value.length))
    if rest.length:
        raise ValueError("the sequence ends inside an item")
    return found


def parts(const uint8_t[::1] row not None):
    cdef Row opened
    if row.shape[0] == 0 or not open_row(&row[0], <size_t>row.shape[0], &opened):
        raise ValueError("the lengths of an index row do not add up")
    return (
        PyBytes_FromStringAndSize(<const char*>opened.head.at, <Py_ssize_t>opened.head.length),
        PyBytes_FromStringAndSize(<const char*>opened.upper.at, <Py_ssize_t>opened.upper.length),
        PyBytes_FromStringAndSize(<const char*>opened.own.at, <Py_ssize_t>opened.own.length),
        PyBytes_FromStringAndSize(<const char*>opened.folded.at, <Py_ssize_t>opened.folded.length),
    )


def packed(const uint8_t[::1] block not None, int slot):
    cdef Span row
    if not 0 <= slot < 16:
        raise ValueError(f"no slot {slot}")
    if block.shape[0] == 0 or not packed_row(&block[0], <size_t>block.shape[0], slot, &row):
        raise ValueError("the lengths of a block of index rows do not add up")
    return PyBytes_FromStringAndSize(<const char*>row.at, <Py_ssize_t>row.length)


def vr_of(uint32_t tag):
    cdef uint16_t vr = tag_vr(tag)
    if vr & 0x2020:               # "xs", "lw"...: numbers of 16 bits as far as identifiers go, or bytes
        return "OW" if vr == VR_OB_OR_OW else "US"
    return chr(vr >> 8) + chr(vr & 0xFF)


cdef Py_ssize_t joined_length(dict counts) except -1:
    """Bytes of the values with a backslash between each two."""
    cdef Py_ssize_t length = 0
    for value in counts:
        length += PyBytes_GET_SIZE(<bytes>value) + 1
    return length - 1 if length else 0


cdef uint8_t* put_joined(uint8_t* at, dict counts) except NULL:
    cdef bint first = True
    for value in counts:
        if not first:
            at[0] = BACKSLASH
            at += 1
        memcpy(at, PyBytes_AS_STRING(<bytes>value), PyBytes_GET_SIZE(<bytes>value))
        at += PyBytes_GET_SIZE(<bytes>value)
        first = False
    return at


cdef uint8_t* put_counts(uint8_t* at, dict counts) except NULL:
    for count in counts.values():
        put_u32le(at, <uint32_t>count)
        at += 4
    return at


def packed_tally(
    uint32_t studies, uint32_t series, uint32_t instances, uint64_t length,
    dict modalities not None, dict sop_classes not None,
):
    cdef Py_ssize_t modality_length = joined_length(modalities), class_length = joined_length(sop_classes)
    cdef Py_ssize_t counts = len(modalities) + len(sop_classes)
    cdef bytes out = PyBytes_FromStringAndSize(NULL, TALLY_HEAD + modality_length + class_length + 4 * counts)
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(out)
    put_u32le(at, studies)
    put_u32le(at + 4, series)
    put_u32le(at + 8, instances)
    put_u32le(at + 12, <uint32_t>length)
    put_u32le(at + 16, <uint32_t>(length >> 32))
    put_u32le(at + 20, <uint32_t>len(modalities))
    put_u32le(at + 24, <uint32_t>len(sop_classes))
    put_u32le(at + 28, <uint32_t>modality_length)
    put_u32le(at + 32, <uint32_t>class_length)
    at = put_joined(at + TALLY_HEAD, modalities)
    at = put_joined(at, sop_classes)
    put_counts(put_counts(at, modalities), sop_classes)
    return out
