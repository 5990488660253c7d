"""Picks the indexed attributes out of a Data Set that arrives in pieces, and checks that it parses.

A state machine over element heads with its own stack: no recursion, no Python object per element, no memory
that follows a length field. What it keeps goes into one capped buffer, already coded as Explicit VR Little
Endian, so that a level's row is a few copies. It knows no policy: what is missing or wrong in an instance is
decided by dataset/scanned.py. PS3.5 7.
"""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeLatin1

from carry cimport Carry, read_carried
from dictionary cimport find_vr, is_sequence
from element cimport (
    DONE, GROUP_OF_ITEMS, LENGTH_UNDEFINED, MALFORMED, NEED_MORE, PIXEL_DATA, VR_OB, VR_OW, VR_SQ, VR_UN,
    Element, Outcome, is_two_letters,
)
from faults cimport (
    BAD_LENGTH, BAD_VR, CUT_HEAD, CUT_VALUE, HEAD_CROSSES_END, LENGTH_NOT_DEFINED, NOT_CLOSED, NO_FAULT,
    NO_MEMORY, TOO_DEEP, TOO_MANY, Fault, raise_fault,
)
from frames cimport Frame, begin_frames, open_frame
from keep cimport (
    LEVEL_COUNT, LEVEL_OF_ALL, VR_OF_ANY_KIND, Keep, Kept, Wanted, begin_keeping, copy_levels, decided_vr, end_keeping,
    end_value, find_wanted, forget_all, free_keep, give_up_keeping, has_wanted_type, is_digits_and_dots,
    keep_bytes, keep_closing, keep_head, keep_opening, kept_of, length_without_padding, level_lengths, make_keep,
)
from nesting cimport (
    CLOSES, DATASET, FRAGMENTS, IS_FRAGMENT, NOTHING, OPEN, OPENS_ITEM, SEQUENCE, SEQUENCE_ITEM, Kind, Role,
    role_of_delimiter, role_of_item,
)
from unwanted cimport pass_unwanted

EVERY_LEVEL = LEVEL_OF_ALL
ANY_VR = "**"

cdef enum:
    ROWS_LIMIT = 1 << 30           # and what nobody may ask it to grow to
    UID_LENGTH_MAX = 64            # PS3.5 9
    PIECE_NOGIL = 65536            # below this many bytes to look at, passing the GIL costs more than it gives


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
        if len(vr) != 2 or not (is_two_letters((vr[0] << 8) | vr[1]) or vr == b"**"):
            raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}): {vr!r} is no VR")
        if not 0 <= level <= LEVEL_OF_ALL:
            raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}): no level {level}")
        self.rows[self.count].tag = tag
        self.rows[self.count].vr = (vr[0] << 8) | vr[1]
        self.rows[self.count].level = <uint16_t>level
        self.count += 1
        return 0


@cython.final
cdef class Scanner:
    """Reads one Data Set after the other; see scan.pyi."""

    cdef WantedTable wanted
    cdef Keep keep                 # what we keep, and of which element right now

    # where we are
    cdef readonly uint64_t offset  # bytes taken since the Data Set's start
    cdef uint64_t value_left       # of the value that we are in
    cdef Element element           # whose value that is
    cdef uint64_t element_at
    cdef bint element_is_sequence
    cdef Carry carry
    cdef Frame* stack
    cdef int top
    cdef int sequences             # open ones
    cdef size_t element_count
    cdef bint past_last

    # what went wrong
    cdef Fault fault
    cdef uint32_t fault_tag
    cdef uint64_t fault_at

    # limits
    cdef int depth_max
    cdef size_t element_count_max

    def __cinit__(
        self, WantedTable wanted not None, bint explicit_vr, bint big_endian, *, int depth_max=64,
        size_t value_length_max=65536, size_t row_length_max=1 << 20, size_t element_count_max=10_000_000,
    ):
        if not 1 <= depth_max <= 10_000:
            raise ValueError(f"depth_max has to be 1 to 10000, not {depth_max}")
        if row_length_max > ROWS_LIMIT:
            raise ValueError(f"row_length_max has to be at most {<size_t>ROWS_LIMIT}, not {row_length_max}")
        self.wanted = wanted
        self.depth_max = depth_max
        self.element_count_max = element_count_max
        self.stack = <Frame*>malloc((2 * <size_t>depth_max + 2) * sizeof(Frame))
        if self.stack == NULL or not make_keep(
            &self.keep, wanted.rows, wanted.count, value_length_max, row_length_max
        ):
            raise MemoryError()
        self.reset(explicit_vr, big_endian)

    def __dealloc__(self):
        free_keep(&self.keep)
        free(self.stack)

    cpdef reset(self, bint explicit_vr, bint big_endian):
        """Forget everything and expect the start of a Data Set in this encoding."""
        forget_all(&self.keep)
        self.offset = self.value_left = self.element_at = 0
        self.carry.length = self.element_count = 0
        self.top = self.sequences = 0
        self.past_last = False
        self.fault = NO_FAULT
        begin_frames(&self.stack[0], explicit_vr, big_endian)

    # ---- bytes in ----

    def feed(self, const uint8_t[::1] piece not None):
        cdef size_t length = <size_t>piece.shape[0]
        cdef const uint8_t* at
        cdef Outcome outcome
        if self.fault != NO_FAULT:
            raise_fault(self.fault, self.fault_tag, self.fault_at)
        if length == 0:
            return self.past_last
        at = &piece[0]
        if length > self.value_left and length - self.value_left > PIECE_NOGIL:
            with nogil:
                outcome = self._run(at, length)
        else:
            outcome = self._run(at, length)
        if outcome == MALFORMED:
            raise_fault(self.fault, self.fault_tag, self.fault_at)
        return self.past_last

    def skippable(self):
        return 0 if self.keep.in_value or self.fault != NO_FAULT else self.value_left

    def skip(self, uint64_t count):
        if count > (0 if self.keep.in_value else self.value_left):
            raise ValueError(f"{count} bytes are not inside a value that is skipped")
        self.value_left -= count
        self.offset += count

    def finish(self):
        if self.fault == NO_FAULT:
            self._check_end()
        if self.fault != NO_FAULT:
            raise_fault(self.fault, self.fault_tag, self.fault_at)

    cdef void _check_end(self) noexcept:
        if self.value_left:
            self._fail(CUT_VALUE, self.element.tag, self.element_at)
            return
        if self.carry.length:
            self._fail(CUT_HEAD, 0, self.offset - self.carry.length)
            return
        self._close_ended()
        if self.top:
            self._fail(NOT_CLOSED, self.stack[self.top].tag, self.offset)

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
            if not self.carry.length:
                self._close_ended()
                taken = self._pass_unwanted(at, left)
                at += taken
                left -= taken
                if left == 0:
                    return NEED_MORE
                if taken:
                    self._close_ended()
            taken = self._read_head(at, left)
            at += taken
            left -= taken
            if self.fault != NO_FAULT:
                return MALFORMED
            if self.carry.length:
                return NEED_MORE
            if self._take_element() == MALFORMED:
                return MALFORMED

    cdef size_t _pass_unwanted(self, const uint8_t* at, size_t left) noexcept nogil:
        """Pass over the elements at `at` that need no look; returns their bytes."""
        cdef Frame* frame = &self.stack[self.top]
        cdef size_t count_max = self.element_count_max - self.element_count
        cdef size_t count_left = count_max, taken
        cdef uint32_t highest = 0
        if self.keep.row >= 0 or (frame.kind != DATASET and frame.kind != SEQUENCE_ITEM):
            return 0
        if left > frame.limit - self.offset:
            left = <size_t>(frame.limit - self.offset)
        taken = pass_unwanted(
            &self.keep, self.top > 0, at, left, frame.explicit_vr, frame.big_endian, &count_left, &highest
        )
        self.past_last = self.past_last or (self.top == 0 and highest > self.wanted.last)
        self.element_count += count_max - count_left
        self.offset += taken
        return taken

    cdef size_t _take_value(self, const uint8_t* at, size_t left) noexcept nogil:
        """Keep or skip bytes of the value that we are in; returns how many."""
        cdef size_t count = left if left < self.value_left else <size_t>self.value_left
        if self.keep.in_value:
            keep_bytes(&self.keep, at, count)
        self.value_left -= count
        self.offset += count
        if self.value_left == 0 and self.keep.in_value:
            end_value(&self.keep, self._is_swapped())
        return count

    cdef size_t _read_head(self, const uint8_t* at, size_t left) noexcept nogil:
        """Read the head at `at`, or carry what there is of it to the next piece; returns the bytes used."""
        cdef Frame* frame = &self.stack[self.top]
        cdef size_t before = self.carry.length, used
        cdef Outcome outcome = read_carried(
            &self.carry, at, left, frame.explicit_vr, frame.big_endian, &self.element, &used
        )
        if outcome == NEED_MORE:
            self.offset += used
            return used
        self.offset -= before
        if outcome == MALFORMED:
            self._fail(BAD_VR, self.element.tag, self.offset)
        else:
            self._begin_element()
        return used

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
        if kind == SEQUENCE or kind == FRAGMENTS:
            return self._take_item()
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
        """An item's end; behind what is not delimited a superfluous one is passed over."""
        cdef Frame* frame = &self.stack[self.top]
        cdef Role role = NOTHING
        cdef Fault fault = role_of_delimiter(&self.element, frame.kind, frame.end == OPEN, &role)
        if fault != NO_FAULT:
            return self._fail(fault, self.element.tag, self.element_at)
        if role == CLOSES:
            self._close()
        return DONE

    cdef Outcome _take_item(self) noexcept nogil:
        """An item of the sequence on top, a fragment of the pixels, or the end of either. PS3.5 7.5, A.4."""
        cdef Frame* frame = &self.stack[self.top]
        cdef Role role = NOTHING
        cdef Fault fault = role_of_item(&self.element, frame.kind, frame.end == OPEN, &role)
        if fault != NO_FAULT:
            return self._fail(fault, self.element.tag, self.element_at)
        if role == OPENS_ITEM:
            return self._open(SEQUENCE_ITEM, self.element.tag, frame.explicit_vr, frame.big_endian)
        if role == IS_FRAGMENT:
            return self._open_value()
        if role == CLOSES:
            self._close()
        return DONE

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
        if self.keep.row >= 0:
            give_up_keeping(&self.keep)
        return self._open(
            FRAGMENTS, self.element.tag, self.stack[self.top].explicit_vr, self.stack[self.top].big_endian
        )

    cdef Outcome _open(self, Kind kind, uint32_t tag, bint explicit_vr, bint big_endian) noexcept nogil:
        """Push what the element opens; the stack has room for depth_max sequences with an item each."""
        cdef Frame* frame = &self.stack[self.top + 1]
        if not open_frame(frame, &self.stack[self.top], kind, tag, self.offset, self.element.length):
            return self._fail(BAD_LENGTH, tag, self.element_at)
        self.top += 1
        frame.explicit_vr = explicit_vr
        frame.big_endian = big_endian
        if self.keep.row >= 0:
            frame.length_at = keep_opening(&self.keep, tag)
        return self._kept_or_out_of_memory()

    cdef void _close_ended(self) noexcept nogil:
        """Leave every item and sequence whose length says that it ends here."""
        while self.stack[self.top].end == self.offset:
            self._close()

    cdef void _close(self) noexcept nogil:
        cdef Frame* frame = &self.stack[self.top]
        if frame.kind == SEQUENCE:
            self.sequences -= 1
        if self.keep.row >= 0:
            keep_closing(&self.keep, frame.length_at)
            if self.top == self.keep.frame:
                end_keeping(&self.keep)
        self.top -= 1

    cdef Outcome _open_value(self) noexcept nogil:
        if self.element.length > self.stack[self.top].limit - self.offset:
            return self._fail(BAD_LENGTH, self.element.tag, self.element_at)
        self.value_left = self.element.length
        if self.keep.row >= 0:
            self._keep_value()
        return self._kept_or_out_of_memory()

    # ---- what we keep ----

    cdef void _look_up(self) noexcept nogil:
        """Begin to keep a wanted element of the Data Set itself; the first of two with one tag counts."""
        cdef Py_ssize_t row
        if self.element.tag > self.wanted.last:
            self.past_last = True
            return
        row = find_wanted(self.keep.wanted, self.keep.count, self.element.tag)
        if row < 0 or self.keep.kept[row].length or not has_wanted_type(
            &self.element, self.element_is_sequence, self.wanted.rows[row].vr
        ):
            return
        begin_keeping(&self.keep, row, 1 if self.element_is_sequence else 0)

    cdef void _keep_value(self) noexcept nogil:
        """Begin to keep the value of `element`."""
        cdef uint16_t vr = self.wanted.rows[self.keep.row].vr
        if self.top and (self.element.tag & 0xFFFF) == 0:
            return                     # a Group Length, which would not be right any more
        if self.top or vr == VR_OF_ANY_KIND:
            vr = decided_vr(self.element.known_vr)
        keep_head(&self.keep, self.element.tag, vr, self.element.length)
        if self.keep.in_value and self.value_left == 0:
            end_value(&self.keep, False)

    cdef bint _is_swapped(self) noexcept nogil:
        """Whether numbers in the value of `element` are big endian; those in UN never are. PS3.5 6.2.2."""
        return self.stack[self.top].big_endian and self.element.vr != VR_UN

    cdef Outcome _kept_or_out_of_memory(self) noexcept nogil:
        if self.keep.out_of_memory:
            return self._fail(NO_MEMORY, self.element.tag, self.element_at)
        return DONE

    # ---- results ----

    def levels(self):
        cdef size_t lengths[LEVEL_COUNT]
        cdef uint8_t* to[LEVEL_COUNT]
        level_lengths(&self.keep, lengths)
        rows = tuple([PyBytes_FromStringAndSize(NULL, <Py_ssize_t>length) for length in lengths])
        for level in range(LEVEL_COUNT):
            to[level] = <uint8_t*>PyBytes_AS_STRING(rows[level])
        copy_levels(&self.keep, to)
        return rows

    def value(self, uint32_t tag):
        cdef const Kept* kept = kept_of(&self.keep, tag)
        if kept == NULL:
            return None
        return PyBytes_FromStringAndSize(
            <char*>self.keep.bytes + kept.at + kept.head_length, <Py_ssize_t>(kept.length - kept.head_length)
        )

    def uid(self, uint32_t tag):
        cdef const Kept* kept = kept_of(&self.keep, tag)
        cdef const uint8_t* at
        cdef size_t length
        if kept == NULL:
            return None
        at = self.keep.bytes + kept.at + kept.head_length
        length = length_without_padding(at, kept.length - kept.head_length)
        if length == 0:
            return None
        if not is_digits_and_dots(at, length):
            raise ValueError("has characters that no UID has")
        if length > UID_LENGTH_MAX:
            raise ValueError("is longer than 64 characters")
        return PyUnicode_DecodeLatin1(<const char*>at, <Py_ssize_t>length, NULL)

    def supply(self, uint32_t tag, bytes value not None):
        cdef Py_ssize_t row = find_wanted(self.keep.wanted, self.keep.count, tag)
        if row < 0 or self.wanted.rows[row].vr in (VR_SQ, VR_OF_ANY_KIND):
            raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is no value that is wanted")
        if self.top or self.value_left or self.carry.length or self.fault != NO_FAULT:
            raise ValueError("the Data Set is not at an end")
        self.element.tag = tag
        self.element.vr = VR_UN            # bytes as they are, whatever the byte order
        self.element.length = <uint32_t>min(len(value), <Py_ssize_t>LENGTH_UNDEFINED - 1)
        self._supply(row, <const uint8_t*>PyBytes_AS_STRING(value))
        if self._kept_or_out_of_memory() == MALFORMED:
            raise_fault(self.fault, self.fault_tag, self.fault_at)
        if self.keep.too_long[row]:
            raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) does not fit")

    cdef void _supply(self, Py_ssize_t row, const uint8_t* value) noexcept:
        """Keep the value described by `element` as if it stood in the Data Set, instead of what did."""
        cdef uint64_t offset = self.offset
        begin_keeping(&self.keep, row, 0)
        self.keep.too_long[row] = False
        self.keep.kept[row].length = 0
        self.value_left = self.element.length
        self._keep_value()
        if self.keep.in_value:
            self._take_value(value, self.element.length)
        self.value_left = 0
        self.offset = offset

    @property
    def skipped(self):
        cdef size_t row
        return tuple([self.wanted.rows[row].tag for row in range(self.wanted.count) if self.keep.too_long[row]])
