"""One native coding of a Data Set to another: implicit or explicit VRs, little or big endian. PS3.5 7, 10, A.

Works over bytes that are all there (a mapped file). A first walk checks everything and measures the sequences
and items whose lengths are stated; the second writes. So every error comes before the first byte, the total
length is known, and memory does not grow with the pixels: long values that stay as they are go out as views.
What the VR of an element without one is decided from PS3.6 and the elements before it.
"""

cimport cython
from libc.stdint cimport int16_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from byteorder cimport swap_copy
from dictionary cimport find_vr, is_sequence
from element cimport (
    DONE, MALFORMED, NEED_MORE, Outcome,
    GROUP_OF_ITEMS, HEAD_LONG, HEAD_SHORT, ITEM, ITEM_END, LENGTH_UNDEFINED, NO_VR, PIXEL_DATA, SEQUENCE_END,
    VR_OB, VR_OB_OR_OW, VR_OW, VR_SQ, VR_SS, VR_UN, VR_US, VR_US_OR_OW, VR_US_OR_SS, VR_US_OR_SS_OR_OW,
    Element, has_short_length, head_length_of, read_head, unit_of, write_head,
)
from faults cimport (
    BAD_LENGTH, BAD_VR, CUT_HEAD, CUT_VALUE, ENCAPSULATED, HEAD_CROSSES_END, LENGTH_NOT_DEFINED, NOT_CLOSED,
    NO_FAULT, NO_MEMORY, TOO_DEEP, TOO_LONG, Fault, raise_fault,
)
from nesting cimport (
    CLOSES, DATASET, FRAGMENTS, IS_FRAGMENT, NOTHING, OPEN, OPENS_ITEM, SEQUENCE, SEQUENCE_ITEM, Kind, Role,
    role_of_delimiter, role_of_item,
)
from places cimport Place, Places, note_place, place_of
from plain cimport (
    WIDE_COPY, Plain, copy_plain_value, plain_head_length, read_plain, write_plain_head,
)
from recoded_frame cimport (
    BITS_ALLOCATED, PIXEL_REPRESENTATION, WAVEFORM_BITS_ALLOCATED, WAVEFORM_GROUP, Coding, Frame, decides_others,
)
from wire cimport GIL_KEPT_BELOW, get_u16be, get_u16le

cdef enum:
    PIECE = 256 * 1024             # bytes handed out at once, when they are not a view
    VIEW_MIN = 16 * 1024           # from this length on, an unchanged value goes out as a view
    LENGTHS_START = 64
    NESTED_MAX = 8                 # sequences of the top level with pixel data in fragments that are named

    SHORT_LENGTH_LIMIT = 0xFFFF


@cython.final
cdef class Recoder:
    """Iterator over the pieces of the recoded Data Set; see recode.pyi."""

    cdef const uint8_t[::1] source
    cdef object view               # of the same bytes, to slice
    cdef const uint8_t* start
    cdef uint64_t size
    cdef Coding source_coding
    cdef Coding target
    cdef bint encapsulated         # allow fragments at the top level
    cdef int depth_max

    cdef bint measuring
    cdef Places wanted             # filled by the first walk
    cdef uint64_t nested_at        # where the first fragments inside a sequence are; OPEN
    cdef readonly object nested_fragments
    cdef uint32_t nested_in[NESTED_MAX]
    cdef int nested_count          # of sequences at the top level with fragments inside; may pass NESTED_MAX
    cdef readonly uint64_t length  # of the whole result
    cdef uint64_t offset           # in the source
    cdef uint64_t written
    cdef Element element
    cdef uint64_t element_at
    cdef uint64_t value_left       # of the value being copied
    cdef size_t value_unit         # bytes to reverse in it, 1 for none

    cdef Frame* stack
    cdef int top
    cdef int sequences
    cdef uint32_t* lengths         # of all sequences and items with a stated length, in order
    cdef size_t length_count
    cdef size_t length_room
    cdef bint data_set_is_signed   # what the first walk found: it may come behind its first use

    cdef uint8_t* to               # where the piece in the making goes on
    cdef size_t room

    cdef Fault fault
    cdef uint32_t fault_tag
    cdef uint64_t fault_at

    def __cinit__(
        self, source not None, bint explicit_vr, bint big_endian, bint to_explicit_vr, bint to_big_endian, *,
        bint encapsulated=False, int depth_max=64, wanted=(),
    ):
        if not 1 <= depth_max <= 10_000:
            raise ValueError(f"depth_max has to be 1 to 10000, not {depth_max}")
        self.view = memoryview(source)
        self.source = self.view
        self.size = <uint64_t>self.source.shape[0]
        self.start = &self.source[0] if self.size else NULL
        self.source_coding = Coding(explicit_vr, big_endian)
        self.target = Coding(to_explicit_vr, to_big_endian)
        self.encapsulated = encapsulated
        self.depth_max = depth_max
        self.stack = <Frame*>malloc((2 * <size_t>depth_max + 2) * sizeof(Frame))
        self.length_room = LENGTHS_START
        self.lengths = <uint32_t*>malloc(LENGTHS_START * sizeof(uint32_t))
        self.wanted.count = <int>len(wanted)
        self.wanted.rows = <Place*>malloc((<size_t>self.wanted.count + 1) * sizeof(Place))
        if self.stack == NULL or self.lengths == NULL or self.wanted.rows == NULL:
            raise MemoryError()
        for number, tag in enumerate(sorted(wanted)):
            self.wanted.rows[number] = Place(tag, NO_VR, self.size, self.size, self.size)
        self.wanted.next = 0
        self.wanted.open = -1
        self.wanted.last = 0
        self.wanted.disordered = False
        self._measure()

    def __dealloc__(self):
        free(self.stack)
        free(self.lengths)
        free(self.wanted.rows)

    def __iter__(self):
        return self

    def __next__(self):
        cdef uint64_t at = self.offset
        cdef bytes piece
        if self.written == self.length:
            raise StopIteration
        if self._value_is_view():
            self.offset += self.value_left
            self.written += self.value_left
            self.value_left = 0
            return self.view[at:self.offset]
        self.room = <size_t>min(self.length - self.written, <uint64_t>PIECE)
        piece = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>self.room)
        self.to = <uint8_t*>PyBytes_AS_STRING(piece)
        if self.room < GIL_KEPT_BELOW:
            self._run()
        else:
            with nogil:
                self._run()
        if self.fault != NO_FAULT:
            raise_fault(self.fault, self.fault_tag, self.fault_at)
        return piece[:len(piece) - <Py_ssize_t>self.room] if self.room else piece

    @property
    def nested_tags(self):
        cdef int number
        if self.nested_count > NESTED_MAX:
            return None
        return tuple([self.nested_in[number] for number in range(self.nested_count)])

    @property
    def in_order(self):
        return not self.wanted.disordered

    def place(self, uint32_t tag):
        cdef int number = place_of(&self.wanted, tag)
        cdef Place* place
        if number < 0:
            raise KeyError(tag)
        place = &self.wanted.rows[number]
        vr = "" if place.vr == NO_VR else chr(place.vr >> 8) + chr(place.vr & 0xFF)
        return vr, place.start, place.value, place.end

    cdef int _measure(self) except -1:
        """The first walk: everything is checked, nothing written."""
        self._restart()
        self.measuring = True
        self.nested_at = OPEN
        if self.size < GIL_KEPT_BELOW:
            self._run()
            self._check_end()
        else:
            with nogil:
                self._run()
                self._check_end()
        if self.fault != NO_FAULT:
            raise_fault(self.fault, self.fault_tag, self.fault_at)
        self.nested_fragments = None if self.nested_at == OPEN else self.nested_at
        self.length = self.written
        self.measuring = False
        self.data_set_is_signed = self.stack[0].is_signed
        self._restart()
        return 0

    cdef void _restart(self) noexcept:
        cdef Frame* frame = &self.stack[0]
        self.offset = self.written = self.value_left = 0
        self.length_count = 0
        self.top = self.sequences = 0
        frame.end = OPEN
        frame.limit = self.size
        frame.coding = self.source_coding
        frame.kind = DATASET
        frame.tag = 0
        frame.is_signed = self.data_set_is_signed
        frame.bits_allocated = frame.waveform_bits = 16

    cdef void _check_end(self) noexcept nogil:
        if self.fault != NO_FAULT:
            return
        self._close_ended()
        if self.top:
            self._fail_at(NOT_CLOSED, self.stack[self.top].tag, self.offset)

    cdef Outcome _fail(self, Fault fault) noexcept nogil:
        return self._fail_at(fault, self.element.tag, self.element_at)

    cdef Outcome _fail_at(self, Fault fault, uint32_t tag, uint64_t at) noexcept nogil:
        self.fault = fault
        self.fault_tag = tag
        self.fault_at = at
        return MALFORMED

    # ---- the walk ----

    cdef void _run(self) noexcept nogil:
        """Go on until the source ends, a fault, or (when writing) the piece is full or a view is due."""
        while self.fault == NO_FAULT:
            if self.value_left:
                if self._value_is_view():
                    return
                self._copy_value()
                if self.value_left:
                    return
            self._close_ended()
            if self.offset == self.size:
                return
            if not self.measuring and self.room < HEAD_LONG and self.room < self.length - self.written:
                return
            if not self._take_plain():
                self._take_element()

    cdef bint _take_plain(self) noexcept nogil:
        """Take the plain elements that follow; False when the next one is none. See plain.pxd.

        Everything is in local variables: a store to the output may, for all that the compiler knows, change
        what `self` holds.
        """
        cdef Frame* frame = &self.stack[self.top]
        cdef bint explicit_vr = frame.coding.explicit_vr, big_endian = frame.coding.big_endian
        cdef bint to_explicit_vr = self.target.explicit_vr, to_big_endian = self.target.big_endian
        cdef bint measuring = self.measuring
        cdef const uint8_t* at = self.start + self.offset
        cdef const uint8_t* begin = at
        cdef const uint8_t* stop = self.start + frame.limit
        cdef const uint8_t* end = self.start + self.size
        cdef uint8_t* to = self.to
        cdef uint64_t written = 0
        cdef size_t room = self.room, head_length
        cdef Plain element
        if frame.kind != DATASET and frame.kind != SEQUENCE_ITEM:
            return False
        if measuring and self.wanted.count and self.top == 0:
            return False                                         # places are noted one by one
        while read_plain(at, <size_t>(stop - at), explicit_vr, big_endian, &element):
            if decides_others(element.tag):
                break
            head_length = plain_head_length(&element, to_explicit_vr)
            if not measuring:
                if room < head_length + max(<size_t>element.length, <size_t>WIDE_COPY):
                    break
                write_plain_head(to, &element, to_explicit_vr, to_big_endian)
                at += element.head_length
                copy_plain_value(
                    to + head_length, at, <size_t>(end - at), &element, big_endian != to_big_endian
                )
                at += element.length
                to += head_length + element.length
                room -= head_length + element.length
            else:
                at += element.head_length + element.length
            written += head_length + element.length
        self.offset += <uint64_t>(at - begin)
        self.to = to
        self.room = room
        self.written += written
        return at != begin

    cdef bint _value_is_view(self) noexcept nogil:
        return not self.measuring and self.value_unit == 1 and self.value_left >= VIEW_MIN

    cdef void _copy_value(self) noexcept nogil:
        """Write as much of the value as there is room for, in whole numbers."""
        cdef uint64_t count = self.value_left
        if not self.measuring:
            if count > self.room:
                count = self.room - self.room % 8
            swap_copy(self.to, self.start + self.offset, <size_t>count, self.value_unit)
            self.to += count
            self.room -= <size_t>count
        self.offset += count
        self.written += count
        self.value_left -= count

    cdef Outcome _take_element(self) noexcept nogil:
        cdef Frame* frame = &self.stack[self.top]
        cdef Element* element = &self.element
        cdef Outcome outcome = read_head(
            self.start + self.offset, <size_t>(self.size - self.offset),
            frame.coding.explicit_vr, frame.coding.big_endian, element,
        )
        self.element_at = self.offset
        if self.top == 0 and self.measuring and self.wanted.count:
            note_place(&self.wanted, &self.element, self.element_at, self.size)
        if outcome == NEED_MORE:
            return self._fail(CUT_HEAD)
        if outcome == MALFORMED:
            return self._fail(BAD_VR)
        if frame.limit - self.offset < element.head_length:
            return self._fail(HEAD_CROSSES_END)
        self.offset += element.head_length
        if element.length != LENGTH_UNDEFINED and element.length > frame.limit - self.offset:
            return self._fail(CUT_VALUE if frame.limit == self.size else BAD_LENGTH)
        if frame.kind == SEQUENCE or frame.kind == FRAGMENTS:
            return self._take_item()
        if (element.tag >> 16) == GROUP_OF_ITEMS:
            return self._take_delimiter()
        find_vr(element)
        if is_sequence(element):
            return self._open_sequence()
        if element.length == LENGTH_UNDEFINED:
            return self._open_fragments()
        return self._open_value()

    cdef Outcome _take_delimiter(self) noexcept nogil:
        """An item's end; a superfluous one behind what is not delimited is left out."""
        cdef Frame* frame = &self.stack[self.top]
        cdef Role role = NOTHING
        cdef Fault fault = role_of_delimiter(&self.element, frame.kind, frame.end == OPEN, &role)
        if fault != NO_FAULT:
            return self._fail(fault)
        if role == CLOSES:
            self._put_head(ITEM_END, NO_VR, 0)
            self._close()
        return DONE

    cdef Outcome _take_item(self) noexcept nogil:
        """An item of the sequence on top, a fragment of the pixels, or the end of either. PS3.5 7.5, A.4."""
        cdef Frame* frame = &self.stack[self.top]
        cdef Role role = NOTHING
        cdef Fault fault = role_of_item(&self.element, frame.kind, frame.end == OPEN, &role)
        if fault != NO_FAULT:
            return self._fail(fault)
        if role == OPENS_ITEM:
            return self._open(SEQUENCE_ITEM, NO_VR, frame.coding)
        if role == CLOSES:
            self._put_head(SEQUENCE_END, NO_VR, 0)
            self._close()
        elif role == IS_FRAGMENT:
            self._put_head(ITEM, NO_VR, self.element.length)
            self.value_left = self.element.length
            self.value_unit = 1
        return DONE

    cdef Outcome _open_sequence(self) noexcept nogil:
        """Enter a sequence. One that came as UN of undefined length is written as what it is, SQ."""
        cdef Coding inside = self.stack[self.top].coding
        if self.element.vr == VR_UN:
            inside.explicit_vr = inside.big_endian = False       # PS3.5 6.2.2
        if self.sequences >= self.depth_max:
            return self._fail(TOO_DEEP)
        self.sequences += 1
        return self._open(SEQUENCE, VR_SQ, inside)

    cdef Outcome _open_fragments(self) noexcept nogil:
        if self.element.tag != PIXEL_DATA and self.element.vr not in (VR_OB, VR_OW):
            return self._fail(LENGTH_NOT_DEFINED)
        if self.top == 0 and not self.encapsulated:
            return self._fail(ENCAPSULATED)
        if self.top and self.measuring:
            self._note_nested()
        return self._open(FRAGMENTS, VR_OB, self.stack[self.top].coding)

    cdef void _note_nested(self) noexcept nogil:
        """Fragments inside a sequence: where the first are, and in which element of the top level."""
        cdef uint32_t tag = self.stack[1].tag
        if self.nested_at == OPEN:
            self.nested_at = self.element_at
        if self.nested_count and self.nested_in[min(self.nested_count, NESTED_MAX) - 1] == tag:
            return
        if self.nested_count < NESTED_MAX:
            self.nested_in[self.nested_count] = tag
        self.nested_count = min(self.nested_count, NESTED_MAX) + 1

    cdef Outcome _open(self, Kind kind, uint16_t vr, Coding inside) noexcept nogil:
        """Push what the element opens and write its head, with a stated length where it came with one."""
        cdef Frame* frame = &self.stack[self.top + 1]
        cdef uint32_t length = self.element.length
        frame[0] = self.stack[self.top]                          # what the elements around say holds inside
        frame.end = OPEN
        if length != LENGTH_UNDEFINED:
            frame.end = self.offset + length
            frame.limit = frame.end
            frame.length_index = self.length_count
            if self._next_length(&length) == MALFORMED:
                return MALFORMED
        self._put_head(self.element.tag, vr, length)
        frame.written_at = self.written
        frame.coding = inside
        frame.tag = self.element.tag
        frame.kind = kind
        self.top += 1
        return DONE

    cdef Outcome _next_length(self, uint32_t* length) noexcept nogil:
        """The measured length of the sequence or item that opens; in the first walk, a place for it."""
        cdef uint32_t* moved
        if self.measuring and self.length_count == self.length_room:
            moved = <uint32_t*>realloc(self.lengths, 2 * self.length_room * sizeof(uint32_t))
            if moved == NULL:
                return self._fail(NO_MEMORY)
            self.lengths = moved
            self.length_room *= 2
        if not self.measuring:
            length[0] = self.lengths[self.length_count]
        self.length_count += 1
        return DONE

    cdef void _close_ended(self) noexcept nogil:
        """Leave every item and sequence whose length says that it ends here."""
        while self.stack[self.top].end == self.offset:
            self._close()

    cdef void _close(self) noexcept nogil:
        cdef Frame* frame = &self.stack[self.top]
        cdef uint64_t length = self.written - frame.written_at
        if frame.kind == SEQUENCE:
            self.sequences -= 1
        if frame.end != OPEN and self.measuring:
            if length >= LENGTH_UNDEFINED:
                self._fail_at(TOO_LONG, frame.tag, self.offset)
            self.lengths[frame.length_index] = <uint32_t>length
        self.top -= 1

    # ---- values ----

    cdef Outcome _open_value(self) noexcept nogil:
        cdef Frame* frame = &self.stack[self.top]
        cdef uint16_t vr = self._vr(frame)
        if (self.element.tag & 0xFFFF) == 0:                     # a Group Length would be wrong: retired
            self.offset += self.element.length
            return DONE
        self._note(frame)
        self.value_unit = unit_of(vr) if frame.coding.big_endian != self.target.big_endian else 1
        if self.element.length > SHORT_LENGTH_LIMIT and has_short_length(vr) and self.target.explicit_vr:
            vr = VR_UN                                           # PS3.5 6.2.2: too long for its own VR
            self.value_unit = 1                                  # and then little endian, as it came
        self._put_head(self.element.tag, vr, self.element.length)
        self.value_left = self.element.length
        return DONE

    cdef void _note(self, Frame* frame) noexcept nogil:
        """Remember what decides the VR of elements to come. PS3.5 A.1, 8."""
        cdef const uint8_t* at = self.start + self.offset
        cdef uint16_t number
        if self.element.tag not in (BITS_ALLOCATED, PIXEL_REPRESENTATION, WAVEFORM_BITS_ALLOCATED):
            return
        if self.element.length != 2:
            return
        number = get_u16be(at) if frame.coding.big_endian else get_u16le(at)
        if self.element.tag == BITS_ALLOCATED:
            frame.bits_allocated = number
        elif self.element.tag == PIXEL_REPRESENTATION:
            frame.is_signed = number == 1
        else:
            frame.waveform_bits = number

    cdef uint16_t _vr(self, Frame* frame) noexcept nogil:
        """The VR of a value: as stated, else from PS3.6 and what the elements around it say."""
        cdef uint16_t vr = self.element.known_vr
        if vr == VR_US_OR_SS:
            return VR_SS if frame.is_signed else VR_US
        if vr in (VR_US_OR_OW, VR_US_OR_SS_OR_OW):
            return VR_OW
        if vr != VR_OB_OR_OW:
            return vr
        if (self.element.tag >> 16) == WAVEFORM_GROUP:
            return VR_OB if frame.waveform_bits <= 8 else VR_OW
        if (self.element.tag >> 24) == 0x7F:
            return VR_OB if frame.bits_allocated <= 8 else VR_OW
        return VR_OW

    cdef void _put_head(self, uint32_t tag, uint16_t vr, uint32_t length) noexcept nogil:
        cdef size_t count = head_length_of(tag, vr, self.target.explicit_vr)
        self.written += count
        if self.measuring:
            return
        write_head(self.to, tag, vr, length, self.target.explicit_vr, self.target.big_endian)
        self.to += count
        self.room -= count
