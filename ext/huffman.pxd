# Huffman codes of lossless JPEG, ISO/IEC 10918-1 (T.81) Annexes C, F.2.2, H and K.2, and the bit
# buffers that read and write them. Header-only.
#
# A symbol SSSS (0-16) is followed by SSSS bits that give the difference (16: none). The decoder looks
# at LOOKUP_BITS bits at once; an entry holds the difference itself, or two of them when both fit. That
# shortens the one dependency that bounds the speed: window -> entry -> shift the window.
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from wire cimport get_u32be, put_u32be


cdef enum:
    CODE_BITS_MAX = 16
    SYMBOL_COUNT_MAX = 256
    SSSS_MAX = 16
    SSSS_COUNT = 17
    LOOKUP_BITS = 12
    LOOKUP_SIZE = 4096
    NEAR = 2047              # differences from -NEAR to NEAR have an entry in Codes
    PAIR = 0x40              # in a lookup entry: it holds two differences
    INDIRECT = 0x80          # in a lookup entry: it holds no difference


# An entry of `singles` or `pairs`: bits 0-5 the bits taken, bit 6 PAIR, bits 8-19 the first difference, bits
# 20-31 the second one or 0, both signed. With INDIRECT, bits 8-12 are SSSS: the additional bits have to be
# read; no bits taken then means that the code is longer than LOOKUP_BITS, or that there is none.
cdef struct Huffman:
    bint defined
    uint8_t symbols[SYMBOL_COUNT_MAX]
    uint32_t limit[CODE_BITS_MAX + 1]     # first 16-bit pattern above the codes of this length or less
    int32_t base[CODE_BITS_MAX + 1]       # symbol index minus code, for the codes of this length
    uint32_t singles[LOOKUP_SIZE]
    uint32_t pairs[LOOKUP_SIZE]


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


cdef struct Bits:
    const uint8_t* at        # first byte that is not in `window` whole
    uint64_t window          # next bit on top
    int count                # bits of `window` that are valid


cdef inline uint64_t get_u64be(const uint8_t* at) noexcept nogil:
    return (<uint64_t>get_u32be(at) << 32) | get_u32be(at + 4)


cdef inline void refill(Bits* bits) noexcept nogil:
    """Have 56 bits or more; eight bytes from `at` on are readable."""
    bits.window |= get_u64be(bits.at) >> bits.count
    bits.at += (63 - bits.count) >> 3
    bits.count |= 56


cdef inline void take(Bits* bits, uint32_t entry) noexcept nogil:
    """Take the bits that an entry covers."""
    bits.window <<= entry & 63
    bits.count -= <int>(entry & 63)


cdef inline int32_t first_difference(uint32_t entry) noexcept nogil:
    return <int32_t>(entry << 12) >> 20


cdef inline int32_t second_difference(uint32_t entry) noexcept nogil:
    return <int32_t>entry >> 20


cdef inline int32_t extend(uint32_t bits, int ssss) noexcept nogil:
    """The difference that `ssss` additional bits stand for. T.81 F.2.2.1, Table H.2."""
    if ssss == SSSS_MAX:
        return 32768
    if ssss == 0 or bits >> (ssss - 1):
        return <int32_t>bits
    return <int32_t>bits - (1 << ssss) + 1


cdef inline uint32_t long_code(const Huffman* table, uint64_t window) noexcept nogil:
    """One difference from a window of at least 31 bits: bits taken below, difference << 16; 0: no such code."""
    cdef uint32_t top = <uint32_t>(window >> 48)
    cdef int length = 1
    cdef int ssss
    cdef uint32_t extra = 0
    while length <= CODE_BITS_MAX and top >= table.limit[length]:
        length += 1
    if length > CODE_BITS_MAX:
        return 0
    ssss = table.symbols[<int32_t>(top >> (16 - length)) + table.base[length]]
    if ssss > SSSS_MAX:
        return 0
    if ssss == SSSS_MAX:
        return (<uint32_t>32768 << 16) | <uint32_t>length
    if ssss:
        extra = <uint32_t>((window << length) >> (64 - ssss))
    return (<uint32_t>extend(extra, ssss) << 16) | <uint32_t>(length + ssss)


cdef inline uint32_t indirect_difference(const Huffman* table, uint32_t entry, uint64_t window) noexcept nogil:
    """The difference for an INDIRECT entry, as long_code gives it; 0: no such code."""
    cdef int taken = <int>(entry & 63)
    cdef int ssss = <int>(entry >> 8 & 31)
    if taken == 0:
        return long_code(table, window)
    return (<uint32_t>extend(<uint32_t>((window << (taken - ssss)) >> (64 - ssss)), ssss) << 16) | <uint32_t>taken


cdef inline bint assign_codes(Huffman* table, const uint8_t* counts) noexcept nogil:
    """Give each symbol its code, T.81 Annex C; False when the counts ask for more codes than there are.

    counts[0:16]: codes of length 1-16. A code of ones only is taken as it comes: it occurs.
    """
    cdef uint32_t code = 0
    cdef int32_t index = 0
    cdef int length
    table.limit[0] = 0
    for length in range(1, CODE_BITS_MAX + 1):
        table.base[length] = index - <int32_t>code
        code += counts[length - 1]
        index += counts[length - 1]
        if code > (<uint32_t>1 << length):
            return False
        table.limit[length] = code << (16 - length)
        code <<= 1
    return True


cdef inline void fill_symbol(Huffman* table, uint32_t code, int length, int ssss) noexcept nogil:
    """The entries of one code of at most LOOKUP_BITS."""
    cdef int spare = LOOKUP_BITS - length - ssss
    cdef uint32_t pattern = code << (LOOKUP_BITS - length)
    cdef uint32_t extra, entry, i
    if ssss >= SSSS_MAX:
        return
    if spare < 0:
        for i in range(<uint32_t>1 << (LOOKUP_BITS - length)):
            table.singles[pattern + i] = (<uint32_t>ssss << 8) | INDIRECT | <uint32_t>(length + ssss)
        return
    for extra in range(<uint32_t>1 << ssss):
        entry = ((<uint32_t>extend(extra, ssss) & 0xFFF) << 8) | <uint32_t>(length + ssss)
        for i in range(<uint32_t>1 << spare):
            table.singles[pattern] = entry
            pattern += 1


cdef inline void fill_singles(Huffman* table) noexcept nogil:
    """One difference an entry, where code and additional bits fit in LOOKUP_BITS."""
    cdef int length
    cdef uint32_t code, end
    for code in range(<uint32_t>LOOKUP_SIZE):
        table.singles[code] = INDIRECT
    for length in range(1, LOOKUP_BITS + 1):
        end = table.limit[length] >> (16 - length)
        for code in range(table.limit[length - 1] >> (16 - length), end):
            fill_symbol(table, code, length, table.symbols[<int32_t>code + table.base[length]])


cdef inline void fill_pairs(Huffman* table) noexcept nogil:
    """Two differences an entry, where both fit."""
    cdef uint32_t pattern, first, second, taken
    for pattern in range(<uint32_t>LOOKUP_SIZE):
        first = table.singles[pattern]
        taken = first & 63
        table.pairs[pattern] = first
        if first & INDIRECT:
            continue
        second = table.singles[(pattern << taken) & (LOOKUP_SIZE - 1)]
        if not second & INDIRECT and taken + (second & 63) <= LOOKUP_BITS:
            taken += second & 63
            table.pairs[pattern] = ((second >> 8 & 0xFFF) << 20) | (first & 0xFFF00) | PAIR | taken


# ---- writing --------------------------------------------------------------------------------------------

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
