# PackBits, the coding inside the segments of an RLE frame: PS3.5 G.3.1, G.3.2. Header-only.
#
# A control byte c below 128 is followed by c + 1 literal bytes, one above 128 by a single byte that stands
# for 257 - c of its kind, and 128 means nothing. Copies move whole vectors and may write past what they
# mean, into slack that the next copy overwrites: every row and output has RUN_MAX bytes of it.
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy, memset

from runs cimport runs_equal64, runs_lowest_bit


cdef enum:
    RUN_MAX = 128               # bytes that one control byte can stand for
    RUN_MIN = 3                 # a shorter run is no smaller than the literal it would interrupt
    WIDE = 16                   # bytes moved at once
    MASK_BITS = 64              # neighbours that runs_equal64 compares at once
    LINE_MAX = 65535            # Columns is US
    MASK_WORDS_MAX = LINE_MAX // MASK_BITS + 1

cdef enum Fault:
    NO_FAULT = 0
    SEGMENT_SHORT = 1           # the segment ended before its plane was full
    SEGMENT_LONG = 2            # a run past the plane, or more than a padding byte after it

cdef struct Segment:
    const uint8_t* at           # the next control byte
    const uint8_t* end
    size_t ready                # bytes of the current strip that are unpacked already
    Fault fault
    size_t fault_size           # bytes missing, or bytes too many


# ---- decoding -----------------------------------------------------------------------------------

cdef inline void copy_literal(uint8_t* out, const uint8_t* data, size_t count) noexcept nogil:
    """Copy 1 to RUN_MAX bytes in vectors. Reads and writes up to RUN_MAX bytes whatever `count` is."""
    cdef size_t done = 2 * WIDE
    memcpy(out, data, 2 * WIDE)
    while done < count:
        memcpy(out + done, data + done, 2 * WIDE)
        done += 2 * WIDE


cdef inline void unpack(Segment* segment, uint8_t* row, size_t want) noexcept nogil:
    """Unpack until row[0:want] is full, or until the segment ends; what is missing then becomes zero.

    The last run may go past `want`: the row has RUN_MAX bytes more, and the caller carries what is
    there over to the next strip. A literal that the end of the segment cuts gives the bytes it has.
    """
    cdef const uint8_t* at = segment.at
    cdef const uint8_t* end = segment.end
    cdef uint8_t* out = row + segment.ready
    cdef uint8_t* stop = row + want
    cdef size_t control, count, left

    # While a longest literal fits in what is left of the segment, only the output's end is looked at.
    while out < stop and <size_t>(end - at) > RUN_MAX:
        control = at[0]
        if control < RUN_MAX:
            copy_literal(out, at + 1, control + 1)
            out += control + 1
            at += control + 2
        elif control > RUN_MAX:
            count = 257 - control
            memset(out, at[1], 2 * WIDE)
            if count > 2 * WIDE:                # seldom in noise, always in air: predicted either way
                memset(out + 2 * WIDE, at[1], RUN_MAX - 2 * WIDE)
            out += count
            at += 2
        else:
            at += 1

    while out < stop and at < end:
        control = at[0]
        at += 1
        left = <size_t>(end - at)
        if control < RUN_MAX:
            count = min(control + 1, left)
            memcpy(out, at, count)
            out += count
            at += count
        elif control > RUN_MAX and left > 0:
            count = 257 - control
            memset(out, at[0], count)
            out += count
            at += 1

    if out < stop:
        segment.fault = SEGMENT_SHORT
        segment.fault_size += <size_t>(stop - out)
        memset(out, 0, <size_t>(stop - out))
        out = stop
    segment.at = at
    segment.ready = <size_t>(out - row)


cdef inline size_t unpacked_size(const Segment* segment) noexcept nogil:
    """How many bytes the whole segment unpacks to."""
    cdef const uint8_t* at = segment.at
    cdef size_t total = 0, control, left
    while at < segment.end:
        control = at[0]
        at += 1
        left = <size_t>(segment.end - at)
        if control < RUN_MAX:
            total += min(control + 1, left)
            at += min(control + 1, left)
        elif control > RUN_MAX and left > 0:
            total += 257 - control
            at += 1
    return total


cdef inline void check_end(Segment* segment) noexcept nogil:
    """Note what follows a full plane. One byte may: it pads the segment to an even length, G.2."""
    cdef size_t excess = segment.ready + <size_t>(segment.end - segment.at)
    if segment.fault == NO_FAULT and (segment.ready > 0 or excess > 1):
        segment.fault = SEGMENT_LONG
        segment.fault_size = excess


# ---- encoding -----------------------------------------------------------------------------------

cdef struct Line:
    size_t size                          # bytes of one plane in a line
    # Bit i of `differ`: byte i ends a run, its right neighbour is another. Bit i of `starts`: bytes i,
    # i + 1 and i + 2 are equal. Both have the bits from `size` on undefined.
    uint64_t differ[MASK_WORDS_MAX]
    uint64_t starts[MASK_WORDS_MAX]


cdef inline void find_runs(int path, Line* line, const uint8_t* row) noexcept nogil:
    """Fill the masks for row[0:line.size]; the row has MASK_BITS + 1 readable bytes more."""
    cdef size_t words = (line.size + MASK_BITS - 1) // MASK_BITS
    cdef size_t last = line.size - 1
    cdef uint64_t equal, following
    cdef size_t i
    for i in range(words):
        line.differ[i] = ~runs_equal64(path, row + MASK_BITS * i)
    line.differ[last // MASK_BITS] |= (<uint64_t>1) << (last % MASK_BITS)
    for i in range(words):
        equal = ~line.differ[i]
        following = ~line.differ[i + 1] if i + 1 < words else 0
        line.starts[i] = equal & ((equal >> 1) | (following << (MASK_BITS - 1)))


cdef inline size_t next_bit(const uint64_t* mask, size_t start, size_t stop) noexcept nogil:
    """The place of the first bit set in mask[start:stop], or `stop`."""
    cdef size_t i = start // MASK_BITS
    cdef uint64_t word = mask[i] & (~(<uint64_t>0) << (start % MASK_BITS))
    while word == 0:
        i += 1
        if i * MASK_BITS >= stop:
            return stop
        word = mask[i]
    return min(stop, i * MASK_BITS + <size_t>runs_lowest_bit(word))


cdef inline uint8_t* put_literals(uint8_t* out, const uint8_t* data, size_t count) noexcept nogil:
    cdef size_t part
    while count > 0:
        part = min(count, <size_t>RUN_MAX)
        out[0] = <uint8_t>(part - 1)
        copy_literal(out + 1, data, part)
        out += 1 + part
        data += part
        count -= part
    return out


cdef inline uint8_t* pack_line(int path, Line* line, const uint8_t* row, uint8_t* out) noexcept nogil:
    """Pack row[0:line.size] and return where the next line goes.

    Writes at most packed_line_max(line.size) bytes that count, and RUN_MAX bytes of slack after them.
    """
    cdef size_t at = 0, start, left, part
    find_runs(path, line, row)
    while at < line.size:
        start = next_bit(line.starts, at, line.size)
        out = put_literals(out, row + at, start - at)
        if start == line.size:
            break
        at = next_bit(line.differ, start, line.size) + 1
        left = at - start
        while left >= RUN_MIN:
            part = min(left, <size_t>RUN_MAX)
            out[0] = <uint8_t>(257 - part)
            out[1] = row[start]
            out += 2
            left -= part
        at -= left                       # the end of a long run may be too short to be one
    return out


cdef inline size_t packed_line_max(size_t size) noexcept nogil:
    """The most bytes that a line of `size` can take.

    A literal costs its bytes and one for every 128 begun. A run costs 2 for at least 3 bytes, which pays
    for the control byte of one more literal; only the first literal has no run before it.
    """
    return size + size // RUN_MAX + 1
