# Huffman codes of lossless JPEG for the encoder: the optimal code of a frame, ISO/IEC 10918-1 (T.81) K.2, and
# the bit buffer that writes it. Header-only.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from huffman cimport CODE_BITS_MAX, LOOKUP_SIZE, SSSS_COUNT, SSSS_MAX
from wire cimport put_u32be


cdef enum:
    NEAR_BITS = 11
    NEAR = 2047              # differences from -NEAR to NEAR have an entry in Codes


# What the encoder needs: a code for each SSSS, and code and additional bits together for small differences.
cdef struct Codes:
    uint64_t frequency[SSSS_COUNT]
    uint8_t counts[CODE_BITS_MAX]         # codes of length 1-16: BITS of DHT
    uint8_t symbols[SSSS_COUNT]           # in the order of their codes: HUFFVAL of DHT
    int symbol_count
    uint16_t code[SSSS_COUNT]
    uint8_t length[SSSS_COUNT]
    uint32_t entries[LOOKUP_SIZE]         # at difference + NEAR: bits below, their count from bit 27 on


cdef struct Writer:
    uint8_t* at
    uint64_t window          # bits that wait, on top
    int count                # how many: less than 8


cdef extern from *:
    int leading_zeros "__builtin_clz"(unsigned int) noexcept nogil


cdef inline int ssss_of(uint16_t difference) noexcept nogil:
    """How many bits the magnitude of a difference modulo 2^16 has. T.81 Table H.2."""
    cdef uint32_t magnitude = difference if difference < 32768 else 65536 - <uint32_t>difference
    return 31 - leading_zeros(2 * magnitude + 1)


cdef inline uint64_t code_of(const Codes* codes, uint16_t difference, int* length) noexcept nogil:
    """Code and additional bits of a difference; at most 31 bits. T.81 F.1.2.1, H.1.2.2."""
    cdef int ssss = ssss_of(difference)
    cdef uint32_t extra
    length[0] = codes.length[ssss]
    if ssss == SSSS_MAX:
        return codes.code[ssss]
    extra = difference if difference < 32768 else <uint32_t>difference - 1
    length[0] += ssss
    return (<uint64_t>codes.code[ssss] << ssss) | (extra & ((<uint32_t>1 << ssss) - 1))


cdef inline void put_bits(Writer* w, uint64_t bits, int length) noexcept nogil:
    """Append up to 56 bits; eight bytes from w.at on are writable."""
    cdef int count = w.count + length
    w.window |= bits << (64 - count)
    put_u32be(w.at, <uint32_t>(w.window >> 32))
    put_u32be(w.at + 4, <uint32_t>w.window)
    w.at += count >> 3
    w.window <<= count & 56
    w.count = count & 7


cdef inline void put_difference(Writer* w, const Codes* codes, uint16_t difference) noexcept nogil:
    cdef int length = 0
    cdef uint64_t bits = code_of(codes, difference, &length)
    put_bits(w, bits, length)


cdef inline int rarest(const uint64_t* frequency, int count) noexcept nogil:
    """The last of the rarest nodes that occur; -1: none."""
    cdef int best = -1
    cdef int i
    for i in range(count):
        if frequency[i] and (best < 0 or frequency[i] <= frequency[best]):
            best = i
    return best


cdef inline void code_lengths(const uint64_t* wanted, int* size) noexcept nogil:
    """Lengths of an optimal code for 17 symbols and a last one that nobody uses, T.81 Figure K.1.

    That last one keeps the code of ones free, which T.81 forbids; its length is size[SSSS_COUNT].
    """
    cdef uint64_t frequency[SSSS_COUNT + 1]
    cdef int group[SSSS_COUNT + 1]
    cdef int i, first, second
    cdef uint64_t kept
    for i in range(SSSS_COUNT + 1):
        frequency[i] = wanted[i] if i < SSSS_COUNT else 1
        group[i] = i
        size[i] = 0
    while True:
        first = rarest(frequency, SSSS_COUNT + 1)
        kept = frequency[first]
        frequency[first] = 0
        second = rarest(frequency, SSSS_COUNT + 1)
        if second < 0:
            return
        frequency[second] += kept
        for i in range(SSSS_COUNT + 1):
            if group[i] == first or group[i] == second:
                group[i] = second
                size[i] += 1


cdef inline void shorten_codes(int* counts) noexcept nogil:
    """Bring codes of 17 bits, the longest that 18 symbols can have, to 16 at most. T.81 Figure K.3."""
    cdef int shorter = CODE_BITS_MAX - 1
    while counts[CODE_BITS_MAX + 1] > 0:
        shorter = CODE_BITS_MAX - 1
        while counts[shorter] == 0:
            shorter -= 1
        counts[CODE_BITS_MAX + 1] -= 2
        counts[CODE_BITS_MAX] += 1
        counts[shorter + 1] += 2
        counts[shorter] -= 1


cdef inline void build_codes(Codes* codes) noexcept nogil:
    """The optimal code for codes.frequency. T.81 K.2 and Annex C."""
    cdef int size[SSSS_COUNT + 1]
    cdef int counts[CODE_BITS_MAX + 2]
    cdef int i, length, index
    cdef uint32_t code = 0
    code_lengths(codes.frequency, size)
    memset(counts, 0, sizeof(counts))
    for i in range(SSSS_COUNT + 1):
        if size[i]:
            counts[size[i]] += 1
    shorten_codes(counts)
    length = CODE_BITS_MAX
    while counts[length] == 0:
        length -= 1
    counts[length] -= 1             # the symbol that nobody uses has the last of the longest codes
    codes.symbol_count = 0
    for length in range(1, CODE_BITS_MAX + 2):
        for i in range(SSSS_COUNT):
            if size[i] == length:
                codes.symbols[codes.symbol_count] = <uint8_t>i
                codes.symbol_count += 1
    index = 0
    for length in range(1, CODE_BITS_MAX + 1):
        codes.counts[length - 1] = <uint8_t>counts[length]
        for i in range(counts[length]):
            codes.code[codes.symbols[index]] = <uint16_t>code
            codes.length[codes.symbols[index]] = <uint8_t>length
            code += 1
            index += 1
        code <<= 1


cdef inline void fill_entries(Codes* codes) noexcept nogil:
    """Code and additional bits of every small difference; 0: it is not small (2048) or has no code."""
    cdef int i
    cdef int length = 0
    cdef uint64_t bits
    for i in range(LOOKUP_SIZE):
        codes.entries[i] = 0
        if i <= 2 * NEAR and codes.frequency[ssss_of(<uint16_t>(i - NEAR))]:
            bits = code_of(codes, <uint16_t>(i - NEAR), &length)
            codes.entries[i] = <uint32_t>bits | (<uint32_t>length << 27)
