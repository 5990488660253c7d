# Huffman codes of lossless JPEG for the decoder, ISO/IEC 10918-1 (T.81) Annexes C, F.2.2 and H, and the bit
# buffer that reads them. Header-only.
#
# A symbol SSSS (0-16) is followed by SSSS bits that give the difference (16: none). The decoder looks
# at LOOKUP_BITS bits at once; an entry holds the difference itself, or two of them when both fit. That
# shortens the one dependency that bounds the speed: window -> entry -> shift the window.
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from wire cimport get_u32be


cdef enum:
    CODE_BITS_MAX = 16
    SYMBOL_COUNT_MAX = 256
    SSSS_MAX = 16
    SSSS_COUNT = 17
    LOOKUP_BITS = 12
    LOOKUP_SIZE = 4096
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
    """One difference from a window of 31 bits: bits taken below, difference << 16; 0: no such code."""
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


cdef inline bint take_indirect(
    Bits* bits, const Huffman* table, uint32_t entry, uint16_t* difference
) noexcept nogil:
    """Take a difference that an INDIRECT entry stands for; False: there is no such code."""
    cdef int taken = <int>(entry & 63)
    cdef int ssss = <int>(entry >> 8 & 31)
    refill(bits)
    if taken:
        difference[0] = <uint16_t>extend(<uint32_t>((bits.window << (taken - ssss)) >> (64 - ssss)), ssss)
    else:
        entry = long_code(table, bits.window)
        difference[0] = <uint16_t>(entry >> 16)
    take(bits, entry)
    return entry != 0


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


# ---- lines of differences -------------------------------------------------------------------------------

cdef inline uint16_t add_difference(uint16_t* at, int32_t difference, bint sums, uint16_t sum) noexcept nogil:
    """Write a difference, or the sum with it; returns the sum to go on from."""
    at[0] = <uint16_t>(sum + difference)
    return at[0] if sums else sum


cdef inline size_t decode_shared(
    Bits* bits, Huffman* table, uint16_t* line, size_t count, bint pairs, bint sums, uint16_t sum
) noexcept nogil:
    """`count` differences of one table; `sums`: their running sums from `sum` on, which is predictor 1.

    `pairs`: fill_pairs was called for the table. Callers pass constants, so each way is a loop of its own.
    Returns how many were decoded: less than `count` when a pattern is no code.
    """
    cdef Bits b = bits[0]
    cdef size_t i = 0
    cdef int k
    cdef uint32_t entry
    cdef uint16_t difference
    while i < count:
        refill(&b)
        if count - i < 8:                    # a pair could reach past the line
            entry = table.singles[b.window >> 52]
            if not entry & INDIRECT:
                take(&b, entry)
                sum = add_difference(line + i, first_difference(entry), sums, sum)
                i += 1
        else:
            for k in range(4):               # 4 x 12 bits: no refill between them
                entry = table.pairs[b.window >> 52] if pairs else table.singles[b.window >> 52]
                if entry & INDIRECT:
                    break
                take(&b, entry)
                sum = add_difference(line + i, first_difference(entry), sums, sum)
                i += 1
                if pairs:                    # written in any case, counted without a branch
                    sum = add_difference(line + i, second_difference(entry), sums, sum)
                    i += (entry & PAIR) >> 6
        if entry & INDIRECT:
            if not take_indirect(&b, table, entry, &difference):
                break
            sum = add_difference(line + i, difference, sums, sum)
            i += 1
    bits[0] = b
    return i


cdef inline bint decode_two(
    Bits* one, Huffman* one_table, uint16_t* one_line, uint16_t one_sum,
    Bits* two, Huffman* two_table, uint16_t* two_line, uint16_t two_sum, size_t count,
) noexcept nogil:
    """As decode_shared with pairs and sums, a line of each of two codestreams; False: a pattern is no code.

    In one codestream each step waits for the one before it; two keep the processor busy.
    """
    cdef Bits a = one[0]
    cdef Bits b = two[0]
    cdef size_t i = 0
    cdef size_t j = 0
    cdef int k
    cdef uint32_t first = 0
    cdef uint32_t second = 0
    cdef uint16_t difference
    while count - i >= 8 and count - j >= 8:
        refill(&a)
        refill(&b)
        for k in range(4):
            first = one_table.pairs[a.window >> 52]
            second = two_table.pairs[b.window >> 52]
            if (first | second) & INDIRECT:
                break
            take(&a, first)
            take(&b, second)
            one_sum = add_difference(one_line + i, first_difference(first), True, one_sum)
            two_sum = add_difference(two_line + j, first_difference(second), True, two_sum)
            one_sum = add_difference(one_line + i + 1, second_difference(first), True, one_sum)
            two_sum = add_difference(two_line + j + 1, second_difference(second), True, two_sum)
            i += 1 + ((first & PAIR) >> 6)
            j += 1 + ((second & PAIR) >> 6)
        if first & INDIRECT:
            if not take_indirect(&a, one_table, first, &difference):
                return False
            one_sum = add_difference(one_line + i, difference, True, one_sum)
            i += 1
        if second & INDIRECT:
            if not take_indirect(&b, two_table, second, &difference):
                return False
            two_sum = add_difference(two_line + j, difference, True, two_sum)
            j += 1
    one[0] = a
    two[0] = b
    i += decode_shared(one, one_table, one_line + i, count - i, True, True, one_sum)
    j += decode_shared(two, two_table, two_line + j, count - j, True, True, two_sum)
    return i == count and j == count


cdef inline size_t decode_mixed(
    Bits* bits, Huffman** tables, int table_count, uint16_t* line, size_t count
) noexcept nogil:
    """As decode_shared without sums, for interleaved components that have tables of their own."""
    cdef Bits b = bits[0]
    cdef size_t i = 0
    cdef int k = 0
    cdef uint32_t entry
    while i < count:
        refill(&b)
        entry = tables[k].singles[b.window >> 52]
        if not entry & INDIRECT:
            line[i] = <uint16_t>first_difference(entry)
            take(&b, entry)
        elif not take_indirect(&b, tables[k], entry, &line[i]):
            break
        i += 1
        k = k + 1 if k + 1 < table_count else 0
    bits[0] = b
    return i
