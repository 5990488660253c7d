"""Matches index rows against an identifier's keys and encodes the answers, without a Python object per
element. What the keys mean was decided before, by index/query.py. PS3.4 C.2.2.2, C.4.1.1.3.2.
"""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free, realloc
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromFormat, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from answer cimport Answer, has_high_text, put_element, room_for
from element cimport VR_LT, VR_ST, VR_UR, VR_UT
from pattern cimport fold_ascii_name, like, take_until, trimmed
from row cimport SLOTS, Row, Span, open_row, packed_row
from slot cimport (
    DIGITS_MAX, LIST_MODALITIES, LIST_SOP_CLASSES, MATCH_ALL, MATCH_CALL, MATCH_DATE, MATCH_MEMBER, MATCH_NAME,
    MATCH_TIME, NOT_COUNTED, Counted, Kind, Slot, any_name_like, point, point_folded, value_matches, whole,
)
from wire cimport get_u32le

PATIENT, STUDY, SERIES, IMAGE, COMPUTED = range(5)
UNIVERSAL, ANY_OF, LIKE, NAME, DATE, TIME, MEMBER, CALL = range(8)

cdef enum:
    LEVELS = 4
    LEVEL_PATIENT = 0
    LEVEL_STUDY = 1
    NAME_ROOM = 512                # a longer name is folded by way of the heap
    CHARACTER_SET = 0x00080005

cdef enum:
    TALLY_HEAD = 36                # index/schema.py, Tally


cdef class _Slots:
    """The slots and what their spans point to; so that __dealloc__ frees whatever __init__ had built."""

    cdef Slot* at
    cdef int count

    def __cinit__(self, int count):
        self.at = <Slot*>calloc(max(count, 1), sizeof(Slot))
        if self.at == NULL:
            raise MemoryError()
        self.count = count

    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            free(self.at[i].wanted)
        free(self.at)


@cython.final
cdef class Selector:
    """See query.pyi."""

    cdef _Slots slots
    cdef Slot* slot
    cdef readonly int count_of_slots
    cdef list operands             # per slot: a tuple of bytes, a frozenset or a callable
    cdef list values               # per slot: bytes given by `set`
    cdef int order[LEVELS][512]    # the slots of each level, by tag
    cdef int level_count[LEVELS]
    cdef int checked[LEVELS][512]  # those of them that not everything matches
    cdef int checked_count[LEVELS]
    cdef Py_buffer view[LEVELS]
    cdef bint viewed[LEVELS]
    cdef readonly bint non_ascii
    cdef unsigned long long looked_at[LEVELS]
    cdef bytes plain_charset
    cdef bytes other_charset
    cdef Answer out
    cdef size_t room

    def __init__(self, specification, *, bint explicit_vr=True, bint big_endian=False,
                 bytes plain_charset=b"ISO_IR 100", bytes other_charset=b"ISO_IR 192"):
        cdef list listed = list(specification)
        cdef int i
        if self.slots is not None:
            raise RuntimeError("a Selector is made once")
        if len(listed) > 512:
            raise ValueError(f"{len(listed)} keys are more than 512")
        self.slots = _Slots(len(listed))
        self.slot = self.slots.at
        self.count_of_slots = self.slots.count
        self.operands = [None] * self.count_of_slots
        self.values = [None] * self.count_of_slots
        self.out.explicit_vr = explicit_vr
        self.out.big_endian = big_endian
        self.plain_charset = plain_charset
        self.other_charset = other_charset
        for i in range(self.count_of_slots):
            tag, vr, level, returned, kind, operand = listed[i]
            self._define(i, tag, vr, level, returned, kind, operand)

    def __dealloc__(self):
        cdef int level
        for level in range(LEVELS):
            if self.viewed[level]:
                PyBuffer_Release(&self.view[level])
        free(self.out.at)

    cdef int _define(self, int index, uint32_t tag, str vr, int level, bint returned, int kind, operand) except -1:
        cdef Slot* slot = &self.slot[index]
        if index and self.slot[index - 1].tag >= tag:
            raise ValueError("keys have to come in ascending order of tags")
        if len(vr) != 2 or not 0 <= level <= LEVELS:
            raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}): no VR {vr!r} or no level {level}")
        slot.tag = tag
        slot.vr = (ord(vr[0]) << 8) | ord(vr[1])
        slot.level = level
        slot.returned = returned
        slot.several = slot.vr not in (VR_LT, VR_ST, VR_UT, VR_UR)
        slot.kind = <Kind>kind
        self.operands[index] = operand
        if slot.kind not in (MATCH_ALL, MATCH_MEMBER, MATCH_CALL):
            self._point_to(slot, operand)
        if level < LEVELS:
            self.order[level][self.level_count[level]] = index
            self.level_count[level] += 1
            if slot.kind != MATCH_ALL:
                self.checked[level][self.checked_count[level]] = index
                self.checked_count[level] += 1
        return 0

    cdef int _point_to(self, Slot* slot, tuple operand) except -1:
        cdef Py_ssize_t i
        cdef bytes one
        if slot.kind in (MATCH_DATE, MATCH_TIME):
            room = 8 if slot.kind == MATCH_DATE else DIGITS_MAX
            if len(operand) % 2 or any(len(end) not in (0, room) for end in operand):
                raise ValueError(f"the ends of ranges need {room} digits")
        slot.wanted = <Span*>calloc(max(len(operand), 1), sizeof(Span))
        if slot.wanted == NULL:
            raise MemoryError()
        slot.wanted_count = len(operand)
        for i in range(len(operand)):
            one = operand[i]
            slot.wanted[i].at = <const uint8_t*>PyBytes_AS_STRING(one)
            slot.wanted[i].length = <size_t>PyBytes_GET_SIZE(one)
        return 0

    # Rows in.

    def take(self, int level, row):
        cdef Row opened
        cdef Py_buffer* view
        if not 0 <= level < LEVELS:
            raise ValueError(f"no level {level}")
        view = self._hold(level, row)
        if not open_row(<const uint8_t*>view.buf, <size_t>view.len, &opened):
            raise ValueError("the lengths of an index row do not add up")
        return self._take(level, &opened)

    def take_packed(self, int level, block, int first):
        cdef Py_buffer* view
        cdef Span row
        cdef Row opened
        cdef int slot
        if not 0 <= level < LEVELS or first < 0:
            raise ValueError(f"no level {level} or no slot {first}")
        view = self._hold(level, block)
        for slot in range(first, SLOTS):
            if not packed_row(<const uint8_t*>view.buf, <size_t>view.len, slot, &row):
                raise ValueError("the lengths of a block of index rows do not add up")
            if row.length == 0:
                continue
            if not open_row(row.at, row.length, &opened):
                raise ValueError("the lengths of an index row do not add up")
            if self._take(level, &opened):
                return slot
        return -1

    @property
    def visited(self):
        return tuple([self.looked_at[level] for level in range(LEVELS)])

    def head(self, block, int slot):
        cdef Span row
        cdef Row opened
        cdef const uint8_t[::1] data = block
        if not 0 <= slot < SLOTS or data.shape[0] == 0:
            raise ValueError(f"no slot {slot}")
        if not packed_row(&data[0], <size_t>data.shape[0], slot, &row) or not open_row(row.at, row.length, &opened):
            raise ValueError("the lengths of a block of index rows do not add up")
        return PyBytes_FromStringAndSize(<const char*>opened.head.at, <Py_ssize_t>opened.head.length)

    def release(self):
        cdef int level, i
        for level in range(LEVELS):
            if self.viewed[level]:
                PyBuffer_Release(&self.view[level])
                self.viewed[level] = False
            for i in range(self.level_count[level]):
                self.slot[self.order[level][i]].present = False

    def detach(self):
        cdef int level
        for level in range(LEVELS):
            if self.viewed[level]:
                self._detach(level)

    def held(self, int level):
        if not 0 <= level < LEVELS or not self.viewed[level]:
            raise ValueError(f"nothing is held of level {level}")
        return <object>self.view[level].obj

    cdef int _detach(self, int level) except -1:
        """Copy what a row or block was borrowed from, and point the values into the copy."""
        cdef const uint8_t* old = <const uint8_t*>self.view[level].buf
        cdef size_t length = <size_t>self.view[level].len
        cdef bytes copied = PyBytes_FromStringAndSize(<const char*>old, <Py_ssize_t>length)
        cdef const uint8_t* new = <const uint8_t*>PyBytes_AS_STRING(copied)
        cdef int i
        for i in range(self.count_of_slots):
            move_span(&self.slot[i].value, old, length, new)
            move_span(&self.slot[i].folded, old, length, new)
        PyBuffer_Release(&self.view[level])
        self.viewed[level] = False
        PyObject_GetBuffer(copied, &self.view[level], PyBUF_SIMPLE)
        self.viewed[level] = True
        return 0

    cdef Py_buffer* _hold(self, int level, data) except NULL:
        """Borrow the row's bytes: the values point into them until the next row of this level."""
        if self.viewed[level]:
            if self.view[level].obj is data:
                return &self.view[level]
            self.viewed[level] = False
            PyBuffer_Release(&self.view[level])
        PyObject_GetBuffer(data, &self.view[level], PyBUF_SIMPLE)
        self.viewed[level] = True
        return &self.view[level]

    cdef bint _take(self, int level, Row* row) except -1:
        """Most rows of a scan do not match: look at what decides first, at the rest when it is wanted."""
        self.looked_at[level] += 1
        if not self._decides(level, row.own, row.folded):
            return False
        if level == LEVEL_STUDY and not self._decides(LEVEL_PATIENT, row.upper, row.folded):
            return False
        point(self.slot, self.order[level], self.level_count[level], row.own)
        if level == LEVEL_STUDY:
            point(self.slot, self.order[LEVEL_PATIENT], self.level_count[LEVEL_PATIENT], row.upper)
        return True

    cdef bint _decides(self, int level, Span own, Span folded) except -1:
        """True when the keys of a level match."""
        cdef int i
        if self.checked_count[level] == 0:
            return True
        point(self.slot, self.checked[level], self.checked_count[level], own)
        if folded.length:
            point_folded(self.slot, self.checked[level], self.checked_count[level], folded)
        for i in range(self.checked_count[level]):
            if not self._slot_matches(self.checked[level][i]):
                return False
        return True

    # Matching.

    cdef bint _slot_matches(self, int index) except -1:
        cdef Slot* slot = &self.slot[index]
        cdef Span rest
        if slot.kind == MATCH_CALL:
            value = None
            if slot.present:
                value = PyBytes_FromStringAndSize(<const char*>slot.value.at, <Py_ssize_t>slot.value.length)
            return bool(self.operands[index](value))
        if not slot.present:
            return False
        if slot.kind == MATCH_NAME:
            return self._name_matches(slot)
        rest = slot.value
        while rest.at != NULL:
            if self._value_matches(slot, index, trimmed(take_until(&rest, 0x5C) if slot.several else whole(&rest))):
                return True
        return False

    cdef bint _value_matches(self, Slot* slot, int index, Span value) except -1:
        if slot.kind == MATCH_MEMBER:
            return PyBytes_FromStringAndSize(<const char*>value.at, <Py_ssize_t>value.length) in self.operands[index]
        return value_matches(slot, value)

    cdef bint _name_matches(self, Slot* slot) except -1:
        cdef uint8_t near_room[NAME_ROOM]
        cdef uint8_t* far_room = NULL
        cdef uint8_t* to = near_room
        cdef Span rest = slot.folded if slot.folded.at != NULL else slot.value
        cdef Span name
        cdef bint matched = False
        if rest.length > NAME_ROOM:
            far_room = <uint8_t*>realloc(NULL, rest.length)
            if far_room == NULL:
                raise MemoryError()
            to = far_room
        while rest.at != NULL and not matched:
            name = take_until(&rest, 0x5C)
            if slot.folded.at == NULL:
                name.length = fold_ascii_name(to, name)
                name.at = to
            else:
                name = trimmed(name)
            matched = name.length != 0 and any_name_like(slot, name)
        free(far_room)
        return matched

    # Answers out.

    def set(self, int index, bytes value, str vr=None):
        cdef Slot* slot = self._slot(index)
        self.values[index] = value
        slot.present = value is not None
        slot.folded.at = NULL
        if value is not None:
            slot.value.at = <const uint8_t*>PyBytes_AS_STRING(value)
            slot.value.length = <size_t>PyBytes_GET_SIZE(value)
        if vr is not None:
            if len(vr) != 2:
                raise ValueError(f"no VR {vr!r}")
            slot.vr = (ord(vr[0]) << 8) | ord(vr[1])

    def counts(self, int index, int level, int counted):
        if not NOT_COUNTED < counted <= LIST_SOP_CLASSES:
            raise ValueError(f"a tally has no field {counted}")
        self._slot(index).counted = <Counted>counted
        self.slot[index].counted_level = level

    def count(self, int level, const uint8_t[::1] tally not None):
        cdef const uint8_t* at
        cdef size_t modalities, classes
        cdef int i
        cdef Counted counted
        if tally.shape[0] < TALLY_HEAD:
            raise ValueError("a tally of the index is cut")
        at = &tally[0]
        modalities = get_u32le(at + 28)
        classes = get_u32le(at + 32)
        if modalities + classes > <size_t>tally.shape[0] - TALLY_HEAD:
            raise ValueError("the lengths of a tally do not add up")
        for i in range(self.count_of_slots):
            counted = self.slot[i].counted
            if counted == NOT_COUNTED or self.slot[i].counted_level != level:
                continue
            if counted == LIST_MODALITIES:
                self.set(i, PyBytes_FromStringAndSize(<const char*>at + TALLY_HEAD, <Py_ssize_t>modalities))
            elif counted == LIST_SOP_CLASSES:
                self.set(i, PyBytes_FromStringAndSize(
                    <const char*>at + TALLY_HEAD + modalities, <Py_ssize_t>classes))
            else:
                self.set(i, PyBytes_FromFormat(b"%u", <unsigned int>get_u32le(at + 4 * (counted - 1))))
            if self.slot[i].kind != MATCH_ALL and not self._slot_matches(i):
                return False
        return True

    def value(self, int index):
        cdef Slot* slot = self._slot(index)
        if not slot.present:
            return None
        return PyBytes_FromStringAndSize(<const char*>slot.value.at, <Py_ssize_t>slot.value.length)

    def matches(self, int index):
        return self._slot(index).kind == MATCH_ALL or self._slot_matches(index)

    def name_matches(self, int index, bytes folded not None):
        cdef Slot* slot = self._slot(index)
        cdef Span name
        if slot.kind != MATCH_NAME:
            raise ValueError("the key is no name")
        name.at = <const uint8_t*>PyBytes_AS_STRING(folded)
        name.length = <size_t>PyBytes_GET_SIZE(folded)
        return bool(name.length and any_name_like(slot, name))

    cdef Slot* _slot(self, int index) except NULL:
        if not 0 <= index < self.count_of_slots:
            raise IndexError(index)
        return &self.slot[index]

    def texts(self):
        cdef int i
        cdef list found = []
        for i in range(self.count_of_slots):
            if self.slot[i].returned and self.slot[i].present and has_high_text(self.slot[i].vr, self.slot[i].value, 0):
                found.append((i, chr(self.slot[i].vr >> 8) + chr(self.slot[i].vr & 0xFF), PyBytes_FromStringAndSize(
                    <const char*>self.slot[i].value.at, <Py_ssize_t>self.slot[i].value.length)))
        return found

    def encode(self):
        cdef int i
        self.non_ascii = False
        for i in range(self.count_of_slots):
            if self.slot[i].returned and self.slot[i].present:
                if has_high_text(self.slot[i].vr, self.slot[i].value, 0):
                    self.non_ascii = True
                    break
        return self._encode(self.other_charset if self.non_ascii else self.plain_charset, None)

    def encode_with(self, bytes charset not None, dict replaced not None):
        return self._encode(charset, replaced)

    cdef bytes _encode(self, bytes charset, dict replaced):
        cdef int i
        cdef size_t needed = 0
        cdef Span value
        cdef bytes given
        for i in range(self.count_of_slots):
            needed += room_for(self.slot[i].value.length if self.slot[i].present else 0)
        needed += room_for(<size_t>PyBytes_GET_SIZE(charset))
        if replaced is not None:
            for given in replaced.values():
                needed += room_for(<size_t>PyBytes_GET_SIZE(given))
        self._reserve(needed)
        self.out.length = 0
        for i in range(self.count_of_slots):
            if not self.slot[i].returned:
                continue
            value.at = NULL
            value.length = 0
            if self.slot[i].tag == CHARACTER_SET:
                given = charset
            else:
                given = replaced.get(i) if replaced is not None else None
            if given is not None:
                value.at = <const uint8_t*>PyBytes_AS_STRING(given)
                value.length = <size_t>PyBytes_GET_SIZE(given)
            elif self.slot[i].present:
                value = self.slot[i].value
            put_element(&self.out, self.slot[i].tag, self.slot[i].vr, value, 0)
        return PyBytes_FromStringAndSize(<const char*>self.out.at, <Py_ssize_t>self.out.length)

    cdef int _reserve(self, size_t needed) except -1:
        cdef uint8_t* larger
        if needed > self.room:
            larger = <uint8_t*>realloc(self.out.at, needed + 256)
            if larger == NULL:
                raise MemoryError()
            self.out.at = larger
            self.room = needed + 256
        return 0


cdef inline void move_span(Span* span, const uint8_t* old, size_t length, const uint8_t* new) noexcept:
    if span.at != NULL and old <= span.at < old + length:
        span.at = new + (span.at - old)


def matches_like(bytes pattern not None, bytes value not None):
    cdef Span left, right
    left.at = <const uint8_t*>PyBytes_AS_STRING(pattern)
    left.length = <size_t>PyBytes_GET_SIZE(pattern)
    right.at = <const uint8_t*>PyBytes_AS_STRING(value)
    right.length = <size_t>PyBytes_GET_SIZE(value)
    return bool(like(left, right))
