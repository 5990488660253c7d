# The encoder of lossless JPEG, ISO/IEC 10918-1 (T.81) Annex H: two passes over the frame, one to count
# differences, one to write them with the code that fits. Header-only; jpeg_lossless.pyx has the entry.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from huffman cimport CODE_BITS_MAX, LOOKUP_SIZE, SSSS_COUNT, SSSS_MAX
from huffman_encoder cimport (
    NEAR, NEAR_BITS, Codes, Writer, build_codes, fill_entries, put_bits, put_difference,
)
from jpeg cimport APP14, DHT, SOF3, SOI, SOS, Marker
from prediction cimport differences
from wire cimport put_u16be


cdef enum:
    HEADER_SIZE_MAX = 128
    WRITE_AHEAD = 16         # bytes that the bit buffer may write past the end
    COUNTED_AT_ONCE = 4096


cdef struct Encoder:
    const uint8_t* pixels
    size_t rows
    size_t columns
    int samples
    int sample_bytes
    bint planar
    int precision
    int selection
    uint16_t* lines          # two lines of samples, one of differences
    uint16_t magnitudes[COUNTED_AT_ONCE]
    uint64_t at_least[SSSS_COUNT + 1]     # how many differences have this SSSS or more
    Codes codes


cdef inline void get_samples(
    uint16_t* line, size_t stride, const uint8_t* at, size_t count, bint wide
) noexcept nogil:
    """`count` samples, 8 or 16 bits little-endian, to every stride-th place of a line."""
    cdef size_t i
    if wide:
        for i in range(count):
            line[i * stride] = <uint16_t>(at[2 * i] | (<uint32_t>at[2 * i + 1] << 8))
    else:
        for i in range(count):
            line[i * stride] = at[i]


cdef inline void load_line(Encoder* e, uint16_t* line, size_t row) noexcept nogil:
    """One line of the frame, its components interleaved."""
    cdef size_t samples = e.samples
    cdef size_t line_size = e.columns * e.sample_bytes
    cdef size_t k
    if samples > 1 and e.planar:
        for k in range(samples):
            get_samples(
                line + k, samples, e.pixels + (k * e.rows + row) * line_size, e.columns, e.sample_bytes == 2
            )
    elif e.sample_bytes == 2:
        memcpy(line, e.pixels + row * samples * line_size, samples * line_size)
    else:
        get_samples(line, 1, e.pixels + row * samples * line_size, e.columns * samples, False)


cdef inline uint16_t* line_differences(Encoder* e, size_t row) noexcept nogil:
    """The differences of one line. Rows come in order: the line above was loaded by the call before."""
    cdef size_t count = e.columns * <size_t>e.samples
    cdef uint16_t* line = e.lines + (row & 1) * count
    cdef uint16_t* above = e.lines + (~row & 1) * count
    load_line(e, line, row)
    differences(
        e.lines + 2 * count, line, above if row else NULL, count, e.samples, e.selection,
        <uint16_t>(1 << (e.precision - 1)),
    )
    return e.lines + 2 * count


cdef inline uint16_t bits_used(const uint16_t* line, size_t count) noexcept nogil:
    """The bits that are set in any sample."""
    cdef uint16_t used = 0
    cdef size_t i
    for i in range(count):
        used |= line[i]
    return used


cdef inline uint16_t magnitudes(uint16_t* out, const uint16_t* difference, size_t count) noexcept nogil:
    """|difference| modulo 2^16, 0-32768; returns the bits that any of them uses."""
    cdef uint16_t used = 0
    cdef uint16_t negative
    cdef size_t i
    for i in range(count):
        negative = <uint16_t>(0 - difference[i])
        out[i] = difference[i] if difference[i] < negative else negative
        used |= out[i]
    return used


cdef inline void count_four(
    uint64_t* at_least, const uint16_t* magnitude, size_t count, uint16_t least
) noexcept nogil:
    """Add to at_least[0:4] how many magnitudes reach least, 2 least, 4 least and 8 least; count < 2^16."""
    cdef uint16_t first = 0, second = 0, third = 0, fourth = 0
    cdef uint16_t twice = <uint16_t>(2 * least), four = <uint16_t>(4 * least), eight = <uint16_t>(8 * least)
    cdef size_t i
    for i in range(count):
        first = <uint16_t>(first + (magnitude[i] >= least))
        second = <uint16_t>(second + (magnitude[i] >= twice))
        third = <uint16_t>(third + (magnitude[i] >= four))
        fourth = <uint16_t>(fourth + (magnitude[i] >= eight))
    at_least[0] += first
    at_least[1] += second
    at_least[2] += third
    at_least[3] += fourth


cdef inline void count_line(Encoder* e, const uint16_t* difference, size_t count) noexcept nogil:
    """Add a line to e.at_least.

    Passes over a block that stays in the cache, for four SSSS each, as far as they occur: the compiler makes
    vectors of them, which is faster than a look at each sample.
    """
    cdef size_t start = 0
    cdef size_t size
    cdef uint16_t used
    cdef int ssss
    while start < count:
        size = min(count - start, <size_t>COUNTED_AT_ONCE)
        used = magnitudes(e.magnitudes, difference + start, size)
        e.at_least[0] += size
        ssss = 1
        while ssss <= SSSS_MAX and used >> (ssss - 1):
            count_four(e.at_least + ssss, e.magnitudes, size, <uint16_t>(1 << (ssss - 1)))
            ssss += 4
        start += size


cdef inline size_t choose_codes(Encoder* e) noexcept nogil:
    """The first pass. Returns the bytes that the entropy-coded data will take without stuffing.

    0: a sample has bits above the precision.
    """
    cdef size_t count = e.columns * <size_t>e.samples
    cdef size_t row
    cdef uint64_t bits = 7
    cdef uint16_t used = 0
    cdef int i
    memset(e.at_least, 0, sizeof(e.at_least))
    memset(&e.codes, 0, sizeof(e.codes))
    for row in range(e.rows):
        count_line(e, line_differences(e, row), count)
        used |= bits_used(e.lines + (row & 1) * count, count)
    if <uint32_t>used >> e.precision:
        return 0
    for i in range(SSSS_COUNT):
        e.codes.frequency[i] = e.at_least[i] - e.at_least[i + 1]
    build_codes(&e.codes)
    fill_entries(&e.codes)
    for i in range(SSSS_COUNT):
        bits += e.codes.frequency[i] * (e.codes.length[i] + (i if i < SSSS_MAX else 0))
    return bits >> 3


cdef inline void write_near_line(
    Writer* writer, Codes* codes, const uint16_t* difference, size_t count
) noexcept nogil:
    """A line of differences that all have an entry, two at a time: what a frame of 8 bits always has."""
    cdef Writer w = writer[0]
    cdef const uint32_t* entries = codes.entries
    cdef size_t i = 0
    cdef uint32_t first, second
    while count - i >= 2:
        first = entries[<uint16_t>(difference[i] + NEAR)]
        second = entries[<uint16_t>(difference[i + 1] + NEAR)]
        put_two(&w, first, second)
        i += 2
    if i < count:
        put_difference(&w, codes, difference[i])
    writer[0] = w


cdef inline void put_two(Writer* w, uint32_t first, uint32_t second) noexcept nogil:
    """Two entries at once: twice 27 bits, with those that wait below 64."""
    put_bits(
        w, (<uint64_t>(first & 0x7FFFFFF) << (second >> 27)) | (second & 0x7FFFFFF),
        <int>((first >> 27) + (second >> 27)),
    )


cdef inline void write_line(
    Writer* writer, const Codes* codes, const uint16_t* difference, size_t count
) noexcept nogil:
    """A line of any differences."""
    cdef Writer w = writer[0]
    cdef size_t i = 0
    cdef uint32_t a, b, first, second
    while count - i >= 2:
        a = <uint16_t>(difference[i] + NEAR)
        b = <uint16_t>(difference[i + 1] + NEAR)
        first = codes.entries[a] if a < LOOKUP_SIZE else 0
        second = codes.entries[b] if b < LOOKUP_SIZE else 0
        if first and second:
            put_two(&w, first, second)
        else:
            put_difference(&w, codes, difference[i])
            put_difference(&w, codes, difference[i + 1])
        i += 2
    if i < count:
        put_difference(&w, codes, difference[i])
    writer[0] = w


cdef inline bint all_near(const Codes* codes) noexcept nogil:
    """No difference of the frame is above NEAR, which has NEAR_BITS."""
    cdef int ssss
    for ssss in range(NEAR_BITS + 1, SSSS_COUNT):
        if codes.frequency[ssss]:
            return False
    return True


cdef inline size_t write_plain(Encoder* e, uint8_t* plain) noexcept nogil:
    """The second pass: the entropy-coded data without stuffing, ones in the bits left over. T.81 F.1.2.3."""
    cdef size_t row
    cdef size_t count = e.columns * <size_t>e.samples
    cdef bint near = all_near(&e.codes)
    cdef Writer w
    w.at = plain
    w.window = 0
    w.count = 0
    for row in range(e.rows):
        if near:
            write_near_line(&w, &e.codes, line_differences(e, row), count)
        else:
            write_line(&w, &e.codes, line_differences(e, row), count)
    if w.count:
        put_bits(&w, (<uint64_t>1 << (8 - w.count)) - 1, 8 - w.count)
    return w.at - plain


cdef inline uint8_t* put_segment(uint8_t* at, Marker marker, size_t length) noexcept nogil:
    """Marker and length of a segment; returns where its content goes."""
    at[0] = 0xFF
    at[1] = <uint8_t>marker
    put_u16be(at + 2, <uint16_t>length)
    return at + 4


cdef inline uint8_t component_id(const Encoder* e, int i) noexcept nogil:
    """R, G, B for three components: what decoders take for "do not convert". T.81 leaves the ids open."""
    if e.samples == 3:
        return (<const uint8_t*>b"RGB")[i]
    return <uint8_t>(i + 1)


cdef inline size_t write_header(Encoder* e, uint8_t* out) noexcept nogil:
    """SOI to SOS; at most HEADER_SIZE_MAX bytes."""
    cdef uint8_t* at = out + 2
    cdef int i
    out[0] = 0xFF
    out[1] = SOI
    if e.samples == 3:                       # Adobe: no colour transform
        at = put_segment(at, APP14, 14)
        memcpy(at, b"Adobe\x00\x64\x00\x00\x00\x00\x00", 12)
        at += 12
    at = put_segment(at, SOF3, 8 + 3 * e.samples)
    at[0] = <uint8_t>e.precision
    put_u16be(at + 1, <uint16_t>e.rows)
    put_u16be(at + 3, <uint16_t>e.columns)
    at[5] = <uint8_t>e.samples
    at += 6
    for i in range(e.samples):
        at[0] = component_id(e, i)
        at[1] = 0x11
        at[2] = 0
        at += 3
    at = put_segment(at, DHT, 19 + e.codes.symbol_count)
    at[0] = 0
    memcpy(at + 1, e.codes.counts, CODE_BITS_MAX)
    memcpy(at + 17, e.codes.symbols, e.codes.symbol_count)
    at += 17 + e.codes.symbol_count
    at = put_segment(at, SOS, 6 + 2 * e.samples)
    at[0] = <uint8_t>e.samples
    at += 1
    for i in range(e.samples):
        at[0] = component_id(e, i)
        at[1] = 0
        at += 2
    at[0] = <uint8_t>e.selection
    at[1] = 0
    at[2] = 0
    return at + 3 - out
