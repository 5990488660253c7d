"""Encapsulated Pixel Data: where the fragments are, and which of them make which frame. PS3.5 A.4.

The value is a row of items: a Basic Offset Table, then fragments, then a Sequence Delimitation Item.
walk() notes where every fragment lies and copies nothing, so the buffer may be an mmap of any size.
Fragments can then be assigned to frames by one of several rules. Which rule to try first, and what to do
when none fits, is decided in transcoding/frames.py; here each rule only says whether it holds. No offset
table is believed: an entry counts if an item starts where it points.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from buffers cimport first_byte
from wire cimport GIL_KEPT_BELOW, get_u32le, get_u64le

from fastdicom.errors import MalformedDataset, UsageError

cdef enum:
    HEAD_SIZE = 8               # tag and length of an item
    RLE_HEADER_SIZE = 64
    SEGMENT_COUNT_MAX = 15
    PADDING_MAX = 16            # zero bytes tolerated between an end marker and the fragment's end
    HOPS_MAX = 128              # fragments looked into for a few bytes: many may be empty
    FRAGMENTS_FIRST = 64        # room for these to begin with

cdef uint32_t ITEM = 0xE000FFFEu                # (FFFE,E000), read as one little-endian word
cdef uint32_t SEQUENCE_DELIMITATION = 0xE0DDFFFEu
cdef uint32_t UNDEFINED_LENGTH = 0xFFFFFFFFu

cdef enum Fault:
    NO_FAULT = 0
    CUT_HEAD = 1                # the data end inside an item's tag or length
    NO_ITEM = 2                 # another tag where an item or the delimiter belongs
    UNDEFINED_ITEM = 3
    CUT_ITEM = 4                # the item goes on past the data
    TOO_MANY = 5
    NO_MEMORY = 6

cdef enum Codestream:
    UNKNOWN = 0
    JPEG = 1                    # and JPEG-LS: SOI ... EOI
    JPEG_2000 = 2               # SOC SIZ ... EOC, which has the value of EOI
    RLE = 3

PIXEL_DATA = 0x7FE00010


cdef Codestream codestream_of(const uint8_t* head, size_t size) noexcept nogil:
    """What a codestream that starts with these bytes is. `size` is up to RLE_HEADER_SIZE."""
    cdef uint32_t segments, offset, previous = RLE_HEADER_SIZE
    cdef size_t i
    if size >= 3 and head[0] == 0xFF and head[1] == 0xD8 and head[2] == 0xFF:
        return JPEG
    if size >= 4 and head[0] == 0xFF and head[1] == 0x4F and head[2] == 0xFF and head[3] == 0x51:
        return JPEG_2000
    if size < RLE_HEADER_SIZE:
        return UNKNOWN
    segments = get_u32le(head)
    if not 1 <= segments <= SEGMENT_COUNT_MAX or get_u32le(head + 4) != RLE_HEADER_SIZE:
        return UNKNOWN
    for i in range(2, <size_t>SEGMENT_COUNT_MAX + 1):    # ascending while segments last, then zero
        offset = get_u32le(head + 4 * i)
        if offset <= previous if i <= segments else offset != 0:
            return UNKNOWN
        previous = offset
    return RLE


cdef inline uint64_t table_entry(const uint8_t* table, size_t width, size_t index) noexcept nogil:
    return get_u64le(table + 8 * index) if width == 8 else get_u32le(table + 4 * index)


cdef class Fragments:
    """The fragments of one Pixel Data value, and their frames once a rule has assigned them."""

    cdef uint64_t* offsets      # where each fragment's bytes start
    cdef uint32_t* lengths
    cdef uint32_t* firsts       # the first fragment of each frame, and one more: where the last one ends
    cdef size_t count
    cdef size_t capacity
    cdef size_t frame_count
    cdef readonly uint64_t end
    cdef readonly bint delimited
    cdef readonly uint64_t table_offset
    cdef readonly uint32_t table_length

    def __dealloc__(self):
        PyMem_RawFree(self.offsets)
        PyMem_RawFree(self.lengths)
        PyMem_RawFree(self.firsts)

    def __len__(self):
        return self.count

    def __getitem__(self, Py_ssize_t index):
        """(offset, length) of a fragment."""
        if not 0 <= index < <Py_ssize_t>self.count:
            raise IndexError(f"fragment {index} of {self.count}")
        return self.offsets[index], self.lengths[index]

    # ---- collecting

    cdef Fault add(self, uint64_t offset, uint32_t length, size_t fragments_max) noexcept nogil:
        cdef size_t capacity
        cdef void* grown
        if self.count == fragments_max:
            return TOO_MANY
        if self.count == self.capacity:
            capacity = max(<size_t>FRAGMENTS_FIRST, 2 * self.capacity)
            grown = PyMem_RawRealloc(self.offsets, capacity * sizeof(uint64_t))
            if grown == NULL:
                return NO_MEMORY
            self.offsets = <uint64_t*>grown
            grown = PyMem_RawRealloc(self.lengths, capacity * sizeof(uint32_t))
            if grown == NULL:
                return NO_MEMORY
            self.lengths = <uint32_t*>grown
            self.capacity = capacity
        self.offsets[self.count] = offset
        self.lengths[self.count] = length
        self.count += 1
        return NO_FAULT

    cdef Fault walk(
        self, const uint8_t* data, size_t size, size_t start, size_t fragments_max, size_t* fault_at
    ) noexcept nogil:
        """Collect every item up to the delimiter, or up to the end of the data."""
        cdef size_t at = start
        cdef uint32_t tag, length
        cdef bint table_due = True
        cdef Fault fault
        while True:
            fault_at[0] = at
            self.end = at
            if at == size:
                return NO_FAULT
            if size - at < HEAD_SIZE:
                return CUT_HEAD
            tag = get_u32le(data + at)
            length = get_u32le(data + at + 4)
            at += HEAD_SIZE
            if tag == SEQUENCE_DELIMITATION:    # its length is 0; what else it says leads nowhere
                self.delimited = True
                self.end = at
                return NO_FAULT
            if tag != ITEM:
                return NO_ITEM
            if length == UNDEFINED_LENGTH:
                return UNDEFINED_ITEM
            if length > size - at:
                return CUT_ITEM
            # A codestream in the table's place: the writer left the table out. No table looks like one,
            # its first entry is 0.
            if table_due and codestream_of(data + at, min(length, <uint32_t>RLE_HEADER_SIZE)) == UNKNOWN:
                self.table_offset = at
                self.table_length = length
            else:
                fault = self.add(at, length, fragments_max)
                if fault != NO_FAULT:
                    return fault
            table_due = False
            at += length

    # ---- frames

    cdef int start_frames(self, size_t frame_count) except -1:
        """Room for the frames. There are never more than fragments, so no number from outside counts."""
        cdef void* grown = PyMem_RawRealloc(self.firsts, (frame_count + 1) * sizeof(uint32_t))
        if grown == NULL:
            raise MemoryError
        self.firsts = <uint32_t*>grown
        return 0

    cdef bint end_frames(self, size_t placed, size_t frame_count) noexcept:
        """Close the last frame if all were placed."""
        if placed != frame_count:
            return False
        self.firsts[frame_count] = <uint32_t>self.count
        self.frame_count = frame_count
        return True

    def assign_one_each(self, size_t frame_count):
        """Every fragment is a frame; False if there are more or fewer than `frame_count`."""
        cdef size_t i
        self.frame_count = 0
        if frame_count != self.count or frame_count == 0:
            return False
        self.start_frames(frame_count)
        for i in range(frame_count):
            self.firsts[i] = <uint32_t>i
        return self.end_frames(frame_count, frame_count)

    def assign_all(self):
        """All fragments are the one frame; False if there are none."""
        self.frame_count = 0
        if self.count == 0:
            return False
        self.start_frames(1)
        self.firsts[0] = 0
        return self.end_frames(1, 1)

    def assign_offsets(
        self, const uint8_t[::1] data not None, const uint8_t[::1] table not None, size_t width,
        size_t frame_count,
    ):
        """Frames start where an offset table says; see encapsulated.pyi."""
        cdef size_t placed = 0, fragment = 0, size = <size_t>data.shape[0]
        cdef const uint8_t* source = first_byte(data)
        cdef const uint8_t* entries
        cdef Codestream kind
        cdef uint64_t offset, origin
        self.frame_count = 0
        if width != 4 and width != 8:
            raise UsageError(f"offset tables have entries of 4 or 8 bytes, not {width}")
        if not 1 <= frame_count <= self.count or <size_t>table.shape[0] != width * frame_count:
            return False
        entries = &table[0]
        if table_entry(entries, width, 0) != 0:
            return False
        origin = self.offsets[0]        # entries count from the first fragment's item, so between starts
        kind = self.codestream_at(source, size, 0)
        self.start_frames(frame_count)
        with nogil:
            while placed < frame_count:
                offset = table_entry(entries, width, placed)
                while fragment < self.count and self.offsets[fragment] - origin < offset:
                    fragment += 1
                if fragment == self.count or self.offsets[fragment] - origin != offset:
                    break
                if kind != UNKNOWN and self.codestream_at(source, size, fragment) != kind:
                    break
                self.firsts[placed] = <uint32_t>fragment
                placed += 1
                fragment += 1           # the next entry must point further on
        return self.end_frames(placed, frame_count)

    def assign_codestreams(self, const uint8_t[::1] data not None, size_t frame_count, bint ended):
        """Frames start where a codestream does; see encapsulated.pyi."""
        cdef Codestream kind
        cdef size_t i, placed, size = <size_t>data.shape[0]
        cdef const uint8_t* source = first_byte(data)
        cdef bint begun
        self.frame_count = 0
        if not 1 <= frame_count <= self.count:
            return False
        kind = self.codestream_at(source, size, 0)
        if kind == UNKNOWN:
            return False
        self.start_frames(frame_count)
        self.firsts[0] = 0
        placed = 1
        begun = self.lengths[0] > 0
        with nogil:
            for i in range(1, self.count):
                if self.lengths[i] == 0:
                    continue
                if not begun:           # the bytes of the first codestream, after empty fragments
                    begun = True
                    continue
                if self.codestream_at(source, size, i) != kind:
                    continue
                if ended and kind != RLE and not self.ends_before(source, size, i):
                    continue
                if placed < frame_count:
                    self.firsts[placed] = <uint32_t>i
                placed += 1
        return self.end_frames(placed, frame_count)

    def frame(self, Py_ssize_t index):
        """The fragments of a frame: (first, behind the last)."""
        if not 0 <= index < <Py_ssize_t>self.frame_count:
            raise IndexError(f"frame {index} of {self.frame_count}")
        return self.firsts[index], self.firsts[index + 1]

    def join(self, const uint8_t[::1] data not None, Py_ssize_t index):
        """The bytes of a frame, copied; see encapsulated.pyi."""
        cdef size_t first, stop, i, total = 0
        cdef const uint8_t* source = first_byte(data)
        cdef uint8_t* out
        first, stop = self.frame(index)
        for i in range(first, stop):
            if self.offsets[i] + self.lengths[i] > <size_t>data.shape[0]:
                raise UsageError("these are not the data that were walked")
            total += self.lengths[i]
        joined = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>total)
        out = <uint8_t*>PyBytes_AS_STRING(joined)
        with nogil:
            for i in range(first, stop):
                memcpy(out, source + self.offsets[i], self.lengths[i])
                out += self.lengths[i]
        return joined

    # ---- looking into the data. It may be a file that somebody changes meanwhile, so the places noted by
    # walk() are all that is relied on, and the caller passes a buffer of the same size.

    cdef Codestream codestream_at(self, const uint8_t* data, size_t size, size_t fragment) noexcept nogil:
        """What starts with this fragment. The bytes that tell may be spread over several."""
        cdef uint8_t head[RLE_HEADER_SIZE]
        cdef size_t have = 0, hop = 0, i
        while fragment < self.count and have < RLE_HEADER_SIZE and hop < HOPS_MAX:
            if self.offsets[fragment] + self.lengths[fragment] > size:
                return UNKNOWN
            for i in range(min(<size_t>self.lengths[fragment], RLE_HEADER_SIZE - have)):
                head[have + i] = data[self.offsets[fragment] + i]
            have += min(<size_t>self.lengths[fragment], RLE_HEADER_SIZE - have)
            fragment += 1
            hop += 1
        return codestream_of(head, have)

    cdef bint ends_before(self, const uint8_t* data, size_t size, size_t fragment) noexcept nogil:
        """Is the end of a codestream (FFD9H, zero bytes after it) right before this fragment?"""
        cdef size_t left, padding = 0, hop
        cdef bint marker = False        # D9H was seen, its FFH is still to come
        cdef uint8_t byte
        for hop in range(min(fragment, <size_t>HOPS_MAX)):
            fragment -= 1
            left = self.lengths[fragment]
            if self.offsets[fragment] + left > size:
                return False
            while left > 0:
                left -= 1
                byte = data[self.offsets[fragment] + left]
                if marker:
                    return byte == 0xFF
                if byte == 0xD9:
                    marker = True
                elif byte != 0 or padding == PADDING_MAX:
                    return False
                else:
                    padding += 1
        return False


cdef object walk_error(Fault fault, const uint8_t[::1] data, size_t at, size_t fragments_max):
    """The exception for a fault whose item starts at `at`."""
    if fault == NO_MEMORY:
        return MemoryError()
    if fault == TOO_MANY:
        message = f"Pixel Data has more than {fragments_max} fragments"
    elif fault == CUT_HEAD:
        message = f"Pixel Data ends {data.shape[0] - at} bytes into an item's head"
    elif fault == NO_ITEM:
        tag = get_u32le(&data[at])
        message = f"({tag & 0xFFFF:04X},{tag >> 16:04X}) where an item of Pixel Data belongs"
    elif fault == UNDEFINED_ITEM:
        message = "an item of Pixel Data has an undefined length"
    else:
        length = get_u32le(&data[at + 4])
        left = data.shape[0] - at - HEAD_SIZE
        message = f"an item of Pixel Data claims {length} bytes, {left} are left"
    return MalformedDataset(f"{message} (at byte {at})", at, PIXEL_DATA)


def walk(const uint8_t[::1] data not None, size_t start=0, size_t fragments_max=1 << 22):
    """Find the fragments; see encapsulated.pyi."""
    cdef Fragments fragments = Fragments.__new__(Fragments)
    cdef size_t size = <size_t>data.shape[0], fault_at = start
    cdef const uint8_t* source = first_byte(data)
    cdef Fault fault
    if start > size:
        raise MalformedDataset(f"Pixel Data would start at byte {start} of {size}", start, PIXEL_DATA)
    fragments_max = min(fragments_max, <size_t>0xFFFFFFFE)      # `firsts` counts in 32 bits
    if size < GIL_KEPT_BELOW:
        fault = fragments.walk(source, size, start, fragments_max, &fault_at)
    else:
        with nogil:
            fault = fragments.walk(source, size, start, fragments_max, &fault_at)
    if fault != NO_FAULT:
        raise walk_error(fault, data, fault_at, fragments_max)
    return fragments
