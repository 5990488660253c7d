# Matching one value against one key. Header-only. Values and patterns are UTF-8. PS3.4 C.2.2.2.
from libc.stdint cimport uint8_t
from libc.string cimport memcmp

from row cimport Span


cdef inline bint is_space(uint8_t byte) noexcept nogil:
    return byte == 0x20 or byte == 0


cdef inline Span trimmed(Span value) noexcept nogil:
    """Without padding on either side."""
    while value.length and is_space(value.at[0]):
        value.at += 1
        value.length -= 1
    while value.length and is_space(value.at[value.length - 1]):
        value.length -= 1
    return value


cdef inline bint equal(Span left, Span right) noexcept nogil:
    return left.length == right.length and memcmp(left.at, right.at, left.length) == 0


cdef inline Span take_until(Span* rest, uint8_t delimiter) noexcept nogil:
    """What stands before the next delimiter; `rest` goes on behind it, `rest.at` NULL after the last."""
    cdef Span part
    cdef size_t i = 0
    part.at = rest.at
    while i < rest.length and rest.at[i] != delimiter:
        i += 1
    part.length = i
    if i == rest.length:
        rest.at = NULL
        rest.length = 0
    else:
        rest.at += i + 1
        rest.length -= i + 1
    return part


cdef inline size_t character(const uint8_t* at, size_t left) noexcept nogil:
    """Bytes of the UTF-8 character at `at`; a byte that begins none counts as one."""
    cdef size_t length = 1
    if at[0] >= 0xC0:
        while length < left and length < 4 and (at[length] & 0xC0) == 0x80:
            length += 1
    return length


cdef inline bint like(Span pattern, Span value) noexcept nogil:
    """Wild card matching: `*` any characters, `?` one, all others themselves. PS3.4 C.2.2.2.4.

    After a mismatch only the last `*` takes one character more: at most pattern x value steps, no recursion.
    """
    cdef size_t p = 0, v = 0, star = 0, mark = 0
    cdef bint starred = False
    while v < value.length:
        if p < pattern.length and pattern.at[p] == 0x2A:
            starred = True
            p += 1
            star = p
            mark = v
        elif p < pattern.length and pattern.at[p] == 0x3F:
            p += 1
            v += character(value.at + v, value.length - v)
        elif p < pattern.length and pattern.at[p] == value.at[v]:
            p += 1
            v += 1
        elif starred:
            mark += character(value.at + mark, value.length - mark)
            v = mark
            p = star
        else:
            return False
    while p < pattern.length and pattern.at[p] == 0x2A:
        p += 1
    return p == pattern.length


cdef inline size_t fold_ascii_name(uint8_t* to, Span name) noexcept nogil:
    """One ASCII value of VR PN as it is compared: lower case, no padding around a component, no empty
    components or groups at the end. `to` has room for name.length bytes; returns how many were written.
    """
    cdef size_t i, written = 0, kept = 0, begin = 0
    cdef uint8_t byte
    for i in range(name.length):
        byte = name.at[i]
        if byte == 0x5E or byte == 0x3D:          # ^ and =
            while written > begin and is_space(to[written - 1]):
                written -= 1
            if byte == 0x3D:
                while written > 0 and to[written - 1] == 0x5E:
                    written -= 1
            to[written] = byte
            written += 1
            begin = written
        elif is_space(byte) and written == begin:
            continue
        else:
            to[written] = byte + 32 if 0x41 <= byte <= 0x5A else byte
            written += 1
    kept = written
    while kept and (is_space(to[kept - 1]) or to[kept - 1] == 0x5E or to[kept - 1] == 0x3D):
        kept -= 1
    return kept


cdef inline bint name_like(Span pattern, Span name) noexcept nogil:
    """A folded pattern against one folded name.

    A pattern of one component group may match any of the name's groups; one of several is compared group
    by group, empty ones match all. PS3.4 C.2.2.2.1.1, PS3.5 6.2.1.
    """
    cdef Span rest = name, wanted, part
    cdef Span pattern_rest = pattern
    cdef Span first = take_until(&pattern_rest, 0x3D)
    if pattern_rest.at == NULL:
        while rest.at != NULL:
            part = take_until(&rest, 0x3D)
            if like(first, part) and (part.length or not first.length):
                return True
        return False
    pattern_rest = pattern
    while pattern_rest.at != NULL:
        wanted = take_until(&pattern_rest, 0x3D)
        if rest.at != NULL:
            part = take_until(&rest, 0x3D)
        else:
            part.at = name.at
            part.length = 0
        if wanted.length and not like(wanted, part):
            return False
    return True


cdef inline bint digits(uint8_t* to, size_t room, Span value) noexcept nogil:
    """The digits of a date or time, filled with zeros to `room`. False when it is none.

    The old forms 1998.12.31 and 12:30:00 are read too, PS3.5 6.2 notes. A value of fewer than 2 digits or
    with other characters is none.
    """
    cdef size_t i, written = 0
    for i in range(value.length):
        if 0x30 <= value.at[i] <= 0x39:
            if written < room:
                to[written] = value.at[i]
                written += 1
        elif value.at[i] != 0x2E and value.at[i] != 0x3A:
            return False
    if written < 2:
        return False
    for i in range(written, room):
        to[i] = 0x30
    return True
