"""Picks the indexed attributes out of a Data Set that arrives in pieces, and checks that it parses.

A state machine over element heads with its own stack: no recursion, no Python object per element, no memory
that follows a length field. What it keeps goes into one capped buffer, already coded as Explicit VR Little
Endian, so that a level's row is a few copies. It knows no policy: what is missing or wrong in an instance is
decided by dataset/scanned.py. PS3.5 7.
"""

cimport cython
from libc.stdint cimport UINT64_MAX, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeLatin1

from byteorder cimport swap_copy
from dictionary cimport find_vr, is_sequence
from element cimport (
    DONE, MALFORMED, NEED_MORE, Outcome,
    HEAD_LONG, HEAD_SHORT, GROUP_OF_ITEMS, ITEM, ITEM_END, LENGTH_UNDEFINED, NO_VR, PIXEL_DATA, SEQUENCE_END,
    SHORT_LENGTH_MAX, VR_OB, VR_OB_OR_OW, VR_OW, VR_SQ, VR_UI, VR_UN, VR_US, VR_US_OR_OW, VR_US_OR_SS,
    VR_US_OR_SS_OR_OW,
    Element, head_length_of, has_short_length, is_two_letters, number_size, padding_of, read_head, unit_of,
    write_head,
)
from faults cimport (
    BAD_LENGTH, BAD_VR, CUT_HEAD, CUT_VALUE, DELIMITER_LENGTH, FRAGMENT_LENGTH, HEAD_CROSSES_END,
    LENGTH_NOT_DEFINED, NOT_AN_ITEM, NOT_CLOSED, NO_FAULT, NO_MEMORY, STRAY_DELIMITER, TOO_DEEP, TOO_MANY,
    Fault, describe,
)
from wire cimport put_u32le

from fastdicom.errors import MalformedDataset

EVERY_LEVEL = 4

cdef enum:
    LEVEL_COUNT = 4
    LEVEL_OF_ALL = 4               # an attribute that every level keeps: Specific Character Set
    ROWS_START = 4096              # first size of the buffer of kept elements
    UID_LENGTH_MAX = 64            # PS3.5 9
    PIECE_NOGIL = 65536            # below this many bytes to look at, passing the GIL costs more than it gives

cdef uint64_t OPEN = UINT64_MAX    # end of what is delimited, not counted


cdef enum Kind:
    DATASET
    SEQUENCE
    SEQUENCE_ITEM
    FRAGMENTS


cdef struct Wanted:
    uint32_t tag
    uint16_t vr
    uint16_t level


cdef struct Kept:
    size_t at                      # of the whole element in the buffer
    size_t length                  # 0: not there
    size_t head_length


cdef struct Frame:
    uint64_t end                   # offset behind its last byte; OPEN
    uint64_t limit                 # the nearest end of itself and all around it
    size_t length_at               # where its length goes in the buffer when it closes
    uint32_t tag
    Kind kind
    bint explicit_vr
    bint big_endian


@cython.final
cdef class WantedTable:
    """The attributes to look for, sorted by tag. Built once and shared by all scanners."""

    cdef Wanted* rows
    cdef readonly size_t count
    cdef uint32_t last

    def __cinit__(self, attributes):
        listed = sorted({tag: (tag, vr, level) for tag, vr, level in attributes}.values())
        self.count = 0
        self.rows = <Wanted*>calloc(max(<size_t>len(listed), <size_t>1), sizeof(Wanted))
        if self.rows == NULL:
            raise MemoryError()
        for tag, vr, level in listed:
            self._append(tag, vr.encode("ascii"), level)
        self.last = self.rows[self.count - 1].tag if self.count else 0

    def __dealloc__(self):
        free(self.rows)

    cdef int _append(self, uint32_t tag, bytes vr, int level) except -1:
        if len(vr) != 2 or not is_two_letters((vr[0] << 8) | vr[1]):
            raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}): {vr!r} is no VR")
        if not 0 <= level <= LEVEL_OF_ALL:
            raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}): no level {level}")
        self.rows[self.count].tag = tag
        self.rows[self.count].vr = (vr[0] << 8) | vr[1]
        self.rows[self.count].level = <uint16_t>level
        self.count += 1
        return 0

    cdef Py_ssize_t find(self, uint32_t tag) noexcept nogil:
        """The row of this tag, or -1."""
        cdef size_t base = 0, count = self.count, half
        if count == 0:
            return -1
        while count > 1:
            half = count >> 1
            base += half if self.rows[base + half].tag <= tag else 0
            count -= half
        return <Py_ssize_t>base if self.rows[base].tag == tag else -1


@cython.final
cdef class Scanner:
    """Reads one Data Set after the other; see scan.pyi."""

    cdef WantedTable wanted
    cdef Kept* kept                # one for each row of `wanted`
    cdef bint* too_long            # wanted, but longer than we keep

    # where we are
    cdef readonly uint64_t offset  # bytes taken since the Data Set's start
    cdef uint64_t value_left       # of the value that we are in
    cdef Element element           # whose value that is
    cdef uint64_t element_at
    cdef bint element_is_sequence
    cdef uint8_t carry[HEAD_LONG]  # an element's head that the end of a piece cut
    cdef size_t carry_length
    cdef Frame* stack
    cdef int top
    cdef int sequences             # open ones
    cdef size_t element_count
    cdef bint past_last

    # what we keep
    cdef uint8_t* rows
    cdef size_t rows_length
    cdef size_t rows_room
    cdef Py_ssize_t keeping        # row of `wanted` that is being kept; -1
    cdef int keeping_frame         # of its sequence; 0 when it is a single value
    cdef size_t keeping_at
    cdef bint value_kept           # the value that we are in goes to the buffer
    cdef uint16_t value_vr
    cdef size_t value_at

    # what went wrong
    cdef Fault fault
    cdef uint32_t fault_tag
    cdef uint64_t fault_at

    # limits
    cdef int depth_max
    cdef size_t value_length_max
    cdef size_t row_length_max
    cdef size_t element_count_max

    def __cinit__(
        self, WantedTable wanted not None, bint explicit_vr, bint big_endian, *, int depth_max=64,
        size_t value_length_max=65536, size_t row_length_max=1 << 20, size_t element_count_max=10_000_000,
    ):
        if not 1 <= depth_max <= 10_000:
            raise ValueError(f"depth_max has to be 1 to 10000, not {depth_max}")
        self.wanted = wanted
        self.depth_max = depth_max
        self.value_length_max = value_length_max
        self.row_length_max = row_length_max
        self.element_count_max = element_count_max
        self.kept = <Kept*>calloc(max(wanted.count, <size_t>1), sizeof(Kept))
        self.too_long = <bint*>calloc(max(wanted.count, <size_t>1), sizeof(bint))
        self.stack = <Frame*>malloc((2 * <size_t>depth_max + 2) * sizeof(Frame))
        self.rows_room = min(<size_t>ROWS_START, max(row_length_max, <size_t>1))
        self.rows = <uint8_t*>malloc(self.rows_room)
        if self.kept == NULL or self.too_long == NULL or self.stack == NULL or self.rows == NULL:
            raise MemoryError()
        self.reset(explicit_vr, big_endian)

    def __dealloc__(self):
        free(self.kept)
        free(self.too_long)
        free(self.stack)
        free(self.rows)

    cpdef reset(self, bint explicit_vr, bint big_endian):
        """Forget everything and expect the start of a Data Set in this encoding."""
        memset(self.kept, 0, self.wanted.count * sizeof(Kept))
        memset(self.too_long, 0, self.wanted.count * sizeof(bint))
        self.offset = self.value_left = self.element_at = 0
        self.carry_length = self.rows_length = self.element_count = 0
        self.top = self.sequences = 0
        self.past_last = self.value_kept = False
        self.keeping = -1
        self.fault = NO_FAULT
        self.stack[0].end = self.stack[0].limit = OPEN
        self.stack[0].tag = 0
        self.stack[0].kind = DATASET
        self.stack[0].explicit_vr = explicit_vr
        self.stack[0].big_endian = big_endian

    # ---- bytes in ----

    def feed(self, const uint8_t[::1] piece not None):
        cdef size_t length = <size_t>piece.shape[0]
        cdef const uint8_t* at
        cdef Outcome outcome
        if self.fault != NO_FAULT:
            self._raise()
        if length == 0:
            return self.past_last
        at = &piece[0]
        if length > self.value_left and length - self.value_left > PIECE_NOGIL:
            with nogil:
                outcome = self._run(at, length)
        else:
            outcome = self._run(at, length)
        if outcome == MALFORMED:
            self._raise()
        return self.past_last

    def skippable(self):
        return 0 if self.value_kept or self.fault != NO_FAULT else self.value_left

    def skip(self, uint64_t count):
        if count > (0 if self.value_kept else self.value_left):
            raise ValueError(f"{count} bytes are not inside a value that is skipped")
        self.value_left -= count
        self.offset += count

    def finish(self):
        if self.fault == NO_FAULT:
            self._check_end()
        if self.fault != NO_FAULT:
            self._raise()

    cdef void _check_end(self) noexcept:
        if self.value_left:
            self._fail(CUT_VALUE, self.element.tag, self.element_at)
            return
        if self.carry_length:
            self._fail(CUT_HEAD, 0, self.offset - self.carry_length)
            return
        self._close_ended()
        if self.top:
            self._fail(NOT_CLOSED, self.stack[self.top].tag, self.offset)

    cdef int _raise(self) except -1:
        if self.fault == NO_MEMORY:
            raise MemoryError()
        message = describe(self.fault, self.fault_tag, self.fault_at)
        if self.fault == CUT_HEAD:
            raise MalformedDataset(message, self.fault_at)
        raise MalformedDataset(message, self.fault_at, self.fault_tag)

    cdef Outcome _fail(self, Fault fault, uint32_t tag, uint64_t at) noexcept nogil:
        self.fault = fault
        self.fault_tag = tag
        self.fault_at = at
        return MALFORMED

    cdef Outcome _run(self, const uint8_t* at, size_t left) noexcept nogil:
        """Take all of a piece. NEED_MORE: taken; MALFORMED: see `fault`."""
        cdef size_t taken
        while True:
            if self.value_left:
                taken = self._take_value(at, left)
                at += taken
                left -= taken
                if self.value_left:
                    return NEED_MORE
            if left == 0:
                return NEED_MORE
            if self.carry_length:
                taken = self._read_cut_head(at, left)
            else:
                self._close_ended()
                taken = self._read_whole_head(at, left)
            at += taken
            left -= taken
            if self.fault != NO_FAULT:
                return MALFORMED
            if self.carry_length:
                return NEED_MORE
            if self._take_element() == MALFORMED:
                return MALFORMED

    cdef size_t _take_value(self, const uint8_t* at, size_t left) noexcept nogil:
        """Keep or skip bytes of the value that we are in; returns how many."""
        cdef size_t count = left if left < self.value_left else <size_t>self.value_left
        if self.value_kept:
            memcpy(self.rows + self.rows_length, at, count)     # its room was made when its head came
            self.rows_length += count
        self.value_left -= count
        self.offset += count
        if self.value_left == 0 and self.value_kept:
            self._end_kept_value()
        return count

    cdef size_t _read_whole_head(self, const uint8_t* at, size_t left) noexcept nogil:
        """Read the head at `at`, or carry what there is of it to the next piece; returns the bytes used."""
        cdef Frame* frame = &self.stack[self.top]
        cdef Outcome outcome = read_head(at, left, frame.explicit_vr, frame.big_endian, &self.element)
        if outcome == DONE:
            self._begin_element()
            return self.element.head_length
        if outcome == MALFORMED:
            self._fail(BAD_VR, self.element.tag, self.offset)
            return 0
        memcpy(self.carry, at, left)
        self.carry_length = left
        self.offset += left
        return left

    cdef size_t _read_cut_head(self, const uint8_t* at, size_t left) noexcept nogil:
        """Join the carried bytes with new ones until the head is whole; returns the new bytes used."""
        cdef Frame* frame = &self.stack[self.top]
        cdef size_t before = self.carry_length, added = HEAD_LONG - before
        cdef Outcome outcome
        if added > left:
            added = left
        memcpy(self.carry + before, at, added)
        outcome = read_head(self.carry, before + added, frame.explicit_vr, frame.big_endian, &self.element)
        if outcome == NEED_MORE:
            self.carry_length += added
            self.offset += added
            return added
        self.offset -= before
        self.carry_length = 0
        if outcome == MALFORMED:
            self._fail(BAD_VR, self.element.tag, self.offset)
            return 0
        self._begin_element()
        return self.element.head_length - before

    cdef void _begin_element(self) noexcept nogil:
        """Count the head just read; `offset` stands behind it then."""
        cdef uint64_t limit = self.stack[self.top].limit
        self.element_at = self.offset
        self.offset += self.element.head_length
        self.element_count += 1
        if self.element_count > self.element_count_max:
            self._fail(TOO_MANY, self.element.tag, self.element_at)
        elif limit - self.element_at < self.element.head_length:
            self._fail(HEAD_CROSSES_END, self.element.tag, self.element_at)

    # ---- what an element means where it stands ----

    cdef Outcome _take_element(self) noexcept nogil:
        cdef Kind kind = self.stack[self.top].kind
        if kind == SEQUENCE:
            return self._take_item()
        if kind == FRAGMENTS:
            return self._take_fragment()
        if (self.element.tag >> 16) == GROUP_OF_ITEMS:
            return self._take_delimiter()
        find_vr(&self.element)
        self.element_is_sequence = is_sequence(&self.element)
        if self.top == 0:
            self._look_up()
        if self.element_is_sequence:
            return self._open_sequence()
        if self.element.length == LENGTH_UNDEFINED:
            return self._open_fragments()
        return self._open_value()

    cdef Outcome _take_delimiter(self) noexcept nogil:
        """An item's end; behind what is not delimited a superfluous one is passed over, as old writers left."""
        cdef Frame* frame = &self.stack[self.top]
        if self.element.tag == ITEM:
            return self._fail(STRAY_DELIMITER, self.element.tag, self.element_at)
        if self.element.length != 0:
            return self._fail(DELIMITER_LENGTH, self.element.tag, self.element_at)
        if frame.end == OPEN and frame.kind == SEQUENCE_ITEM:
            if self.element.tag != ITEM_END:
                return self._fail(STRAY_DELIMITER, self.element.tag, self.element_at)
            self._close()
        return DONE

    cdef Outcome _take_item(self) noexcept nogil:
        """An item of the sequence on top, or the sequence's end. PS3.5 7.5."""
        cdef Frame* sequence = &self.stack[self.top]
        if self.element.tag == SEQUENCE_END:
            if self.element.length != 0:
                return self._fail(DELIMITER_LENGTH, self.element.tag, self.element_at)
            if sequence.end == OPEN:
                self._close()
            return DONE
        if self.element.tag != ITEM:
            return self._fail(NOT_AN_ITEM, self.element.tag, self.element_at)
        return self._open(SEQUENCE_ITEM, self.element.tag, sequence.explicit_vr, sequence.big_endian)

    cdef Outcome _take_fragment(self) noexcept nogil:
        """A fragment of encapsulated pixels, or their end. PS3.5 A.4."""
        if self.element.tag == SEQUENCE_END:
            if self.element.length != 0:
                return self._fail(DELIMITER_LENGTH, self.element.tag, self.element_at)
            self._close()
            return DONE
        if self.element.tag != ITEM:
            return self._fail(NOT_AN_ITEM, self.element.tag, self.element_at)
        if self.element.length == LENGTH_UNDEFINED:
            return self._fail(FRAGMENT_LENGTH, self.element.tag, self.element_at)
        return self._open_value()

    cdef Outcome _open_sequence(self) noexcept nogil:
        """Enter a sequence; inside VR UN of undefined length all is Implicit VR Little Endian. PS3.5 6.2.2."""
        cdef Frame* around = &self.stack[self.top]
        cdef bint in_un = self.element.vr == VR_UN
        if self.sequences >= self.depth_max:
            return self._fail(TOO_DEEP, self.element.tag, self.element_at)
        self.sequences += 1
        return self._open(
            SEQUENCE, self.element.tag, around.explicit_vr and not in_un, around.big_endian and not in_un
        )

    cdef Outcome _open_fragments(self) noexcept nogil:
        if self.element.tag != PIXEL_DATA and self.element.vr not in (VR_OB, VR_OW):
            return self._fail(LENGTH_NOT_DEFINED, self.element.tag, self.element_at)
        if self.keeping >= 0:
            self._give_up_keeping()
        return self._open(
            FRAGMENTS, self.element.tag, self.stack[self.top].explicit_vr, self.stack[self.top].big_endian
        )

    cdef Outcome _open(self, Kind kind, uint32_t tag, bint explicit_vr, bint big_endian) noexcept nogil:
        """Push what the element opens; the stack has room for depth_max sequences with an item each."""
        cdef Frame* around = &self.stack[self.top]
        cdef Frame* frame
        cdef uint64_t end = OPEN
        if self.element.length != LENGTH_UNDEFINED:
            if self.element.length > around.limit - self.offset:
                return self._fail(BAD_LENGTH, tag, self.element_at)
            end = self.offset + self.element.length
        self.top += 1
        frame = &self.stack[self.top]
        frame.end = end
        frame.limit = end if end < around.limit else around.limit
        frame.tag = tag
        frame.kind = kind
        frame.explicit_vr = explicit_vr
        frame.big_endian = big_endian
        if self.keeping >= 0:
            self._keep_opening(frame)
        return DONE if self.fault == NO_FAULT else MALFORMED

    cdef void _close_ended(self) noexcept nogil:
        """Leave every item and sequence whose length says that it ends here."""
        while self.stack[self.top].end == self.offset:
            self._close()

    cdef void _close(self) noexcept nogil:
        cdef Frame* frame = &self.stack[self.top]
        if frame.kind == SEQUENCE:
            self.sequences -= 1
        if self.keeping >= 0:
            put_u32le(self.rows + frame.length_at, <uint32_t>(self.rows_length - frame.length_at - 4))
            if self.top == self.keeping_frame:
                self._end_keeping()
        self.top -= 1

    cdef Outcome _open_value(self) noexcept nogil:
        if self.element.length > self.stack[self.top].limit - self.offset:
            return self._fail(BAD_LENGTH, self.element.tag, self.element_at)
        self.value_left = self.element.length
        if self.keeping >= 0:
            self._keep_value()
        return DONE if self.fault == NO_FAULT else MALFORMED

    # ---- what we keep ----

    cdef void _look_up(self) noexcept nogil:
        """Begin to keep a wanted element of the Data Set itself; the first of two with one tag counts."""
        cdef Py_ssize_t row
        if self.element.tag > self.wanted.last:
            self.past_last = True
            return
        row = self.wanted.find(self.element.tag)
        if row < 0 or self.kept[row].length or not self._has_wanted_type(self.wanted.rows[row].vr):
            return
        self.keeping = row
        self.keeping_at = self.rows_length
        self.keeping_frame = 1 if self.element_is_sequence else 0

    cdef bint _has_wanted_type(self, uint16_t vr) noexcept nogil:
        """Whether the element can be read as this VR: a surprise counts as absent, it is never cast."""
        cdef uint16_t stated = self.element.vr
        if vr == VR_SQ or self.element.length == LENGTH_UNDEFINED:
            return vr == VR_SQ and self.element_is_sequence
        if stated != NO_VR and stated != VR_UN and stated != vr:
            return False
        return self.element.length % number_size(vr) == 0

    cdef uint16_t _vr_to_write(self) noexcept nogil:
        """The VR of the element in the row: as stated, or from the tables where none is stated."""
        cdef uint16_t vr = self.element.known_vr
        if self.top == 0:
            return self.wanted.rows[self.keeping].vr
        if vr in (VR_US_OR_SS, VR_US_OR_SS_OR_OW, VR_US_OR_OW):
            return VR_US
        return VR_OW if vr == VR_OB_OR_OW else vr

    cdef uint8_t* _room(self, size_t count) noexcept nogil:
        """Room for `count` bytes at the end of the buffer; NULL above the caps (then keeping has ended)."""
        cdef size_t room = self.rows_room
        cdef uint8_t* moved
        if (
            count > self.row_length_max - self.rows_length
            or count > self.value_length_max + HEAD_LONG - (self.rows_length - self.keeping_at)
        ):
            self._give_up_keeping()
            return NULL
        while room - self.rows_length < count:
            room *= 2
        if room != self.rows_room:
            moved = <uint8_t*>realloc(self.rows, room)
            if moved == NULL:
                self._fail(NO_MEMORY, self.element.tag, self.element_at)
                return NULL
            self.rows = moved
            self.rows_room = room
        return self.rows + self.rows_length

    cdef void _keep_opening(self, Frame* frame) noexcept nogil:
        """Write the head of a sequence or item; its length follows when it closes."""
        cdef size_t count = head_length_of(frame.tag, VR_SQ, True)
        cdef uint8_t* at = self._room(count)
        if at == NULL:
            return
        write_head(at, frame.tag, VR_SQ, 0, True, False)
        self.rows_length += count
        frame.length_at = self.rows_length - 4

    cdef void _keep_value(self) noexcept nogil:
        """Write the head of a value and make room for all of it, its padding included."""
        cdef uint32_t length = self.element.length + (self.element.length & 1)
        cdef uint16_t vr = self._vr_to_write()
        cdef size_t head_length = head_length_of(self.element.tag, vr, True)
        cdef uint8_t* at
        if self.top and (self.element.tag & 0xFFFF) == 0:
            return                     # a Group Length, which would not be right any more
        if length < self.element.length or (has_short_length(vr) and length > SHORT_LENGTH_MAX):
            self._give_up_keeping()
            return
        at = self._room(head_length + length)
        if at == NULL:
            return
        write_head(at, self.element.tag, vr, length, True, False)
        self.rows_length += head_length
        self.value_vr = vr
        self.value_at = self.rows_length
        self.value_kept = True
        if self.value_left == 0:
            self._end_kept_value()

    cdef void _end_kept_value(self) noexcept nogil:
        """Bring a whole value into little endian and to even length."""
        cdef uint8_t* value
        self.value_kept = False
        if self.stack[self.top].big_endian and self.element.vr != VR_UN:
            value = self.rows + self.value_at
            swap_copy(value, value, self.rows_length - self.value_at, unit_of(self.value_vr))
        if (self.rows_length - self.value_at) & 1:
            self.rows[self.rows_length] = padding_of(self.value_vr)
            self.rows_length += 1
        if self.keeping_frame == 0:
            self._end_keeping()

    cdef void _end_keeping(self) noexcept nogil:
        cdef Kept* kept = &self.kept[self.keeping]
        kept.at = self.keeping_at
        kept.length = self.rows_length - self.keeping_at
        kept.head_length = head_length_of(
            self.wanted.rows[self.keeping].tag, self.wanted.rows[self.keeping].vr, True
        )
        self.keeping = -1

    cdef void _give_up_keeping(self) noexcept nogil:
        """Drop the element being kept: it is above the caps. The Data Set goes on."""
        self.too_long[self.keeping] = True
        self.rows_length = self.keeping_at
        self.keeping = -1
        self.value_kept = False

    # ---- results ----

    def levels(self):
        cdef size_t length[LEVEL_COUNT]
        cdef size_t row
        cdef int level
        cdef Kept* kept
        memset(length, 0, sizeof(length))
        for row in range(self.wanted.count):
            kept = &self.kept[row]
            if kept.length:
                for level in range(LEVEL_COUNT):
                    if self.wanted.rows[row].level in (level, LEVEL_OF_ALL):
                        length[level] += kept.length
        return (
            self._level(0, length[0]), self._level(1, length[1]),
            self._level(2, length[2]), self._level(3, length[3]),
        )

    cdef bytes _level(self, int level, size_t length):
        """The kept elements of one level, in ascending order of tags."""
        cdef bytes row_bytes = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>length)
        cdef char* at = PyBytes_AS_STRING(row_bytes)
        cdef size_t row
        for row in range(self.wanted.count):
            if self.kept[row].length and self.wanted.rows[row].level in (level, LEVEL_OF_ALL):
                memcpy(at, self.rows + self.kept[row].at, self.kept[row].length)
                at += self.kept[row].length
        return row_bytes

    def value(self, uint32_t tag):
        cdef Kept* kept = self._kept(tag)
        if kept == NULL:
            return None
        return PyBytes_FromStringAndSize(
            <char*>self.rows + kept.at + kept.head_length, <Py_ssize_t>(kept.length - kept.head_length)
        )

    def uid(self, uint32_t tag):
        cdef Kept* kept = self._kept(tag)
        cdef const uint8_t* at
        cdef size_t length, index
        if kept == NULL:
            return None
        at = self.rows + kept.at + kept.head_length
        length = kept.length - kept.head_length
        while length and at[length - 1] in (0x00, 0x20):
            length -= 1
        if length == 0:
            return None
        for index in range(length):
            if not (0x30 <= at[index] <= 0x39 or at[index] == 0x2E):
                raise ValueError("has characters that no UID has")
        if length > UID_LENGTH_MAX:
            raise ValueError("is longer than 64 characters")
        return PyUnicode_DecodeLatin1(<const char*>at, <Py_ssize_t>length, NULL)

    cdef Kept* _kept(self, uint32_t tag) noexcept:
        cdef Py_ssize_t row = self.wanted.find(tag)
        if row < 0 or self.kept[row].length == 0:
            return NULL
        return &self.kept[row]

    def supply(self, uint32_t tag, bytes value not None):
        cdef Py_ssize_t row = self.wanted.find(tag)
        if row < 0 or self.wanted.rows[row].vr == VR_SQ:
            raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is no value that is wanted")
        if self.top or self.value_left or self.carry_length or self.fault != NO_FAULT:
            raise ValueError("the Data Set is not at an end")
        self.element.tag = tag
        self.element.vr = VR_UN            # bytes as they are, whatever the byte order
        self.element.length = <uint32_t>min(len(value), <Py_ssize_t>LENGTH_UNDEFINED - 1)
        self._supply(row, <const uint8_t*>PyBytes_AS_STRING(value))
        if self.fault != NO_FAULT:
            self._raise()
        if self.too_long[row]:
            raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) does not fit")

    cdef void _supply(self, Py_ssize_t row, const uint8_t* value) noexcept:
        """Keep the value described by `element` as if it stood in the Data Set, instead of what did."""
        cdef uint64_t offset = self.offset
        self.keeping = row
        self.keeping_at = self.rows_length
        self.keeping_frame = 0
        self.too_long[row] = False
        self.kept[row].length = 0
        self.value_left = self.element.length
        self._keep_value()
        if self.value_kept:
            self._take_value(value, self.element.length)
        self.value_left = 0
        self.offset = offset

    @property
    def skipped(self):
        cdef size_t row
        return tuple([self.wanted.rows[row].tag for row in range(self.wanted.count) if self.too_long[row]])
