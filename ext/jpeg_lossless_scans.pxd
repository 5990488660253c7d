# The scans of lossless JPEG: entropy-coded data to samples in their places, ISO/IEC 10918-1 (T.81) Annex H.
# Header-only; jpeg_lossless.pyx has the markers around them.
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from huffman cimport Bits, decode_mixed, decode_shared, decode_two, fill_pairs, fill_singles
from jpeg cimport RST0, fault
from jpeg_lossless_segments cimport Decoder, Scan
from prediction cimport undo_prediction
from stuffing cimport stuffed_offset, unstuff
from wire cimport DONE, MALFORMED, Outcome


cdef enum:
    PAIRS_WORTH = 16384      # samples from which building the table of pairs pays
    READ_AHEAD = 32          # bytes that the bit buffer may look past the end


cdef struct Interval:             # the lines of one restart interval or of the whole scan
    Bits bits
    size_t row                    # the next one
    size_t end
    size_t start                  # of the coded bytes in the codestream
    size_t size                   # of these without stuffing
    const uint16_t* above         # NULL before the first line
    bint in_place                 # lines are decoded where they belong


# ---- entropy-coded data ---------------------------------------------------------------------------------

cdef inline bint tables_shared(Scan* scan) noexcept nogil:
    cdef int k
    for k in range(1, scan.components):
        if scan.table[k] != scan.table[0]:
            return False
    return True


cdef inline uint16_t origin_of(Decoder* d, Scan* scan, const uint16_t* above) noexcept nogil:
    """What predicts the first sample of a line. T.81 H.1.2.1."""
    return above[0] if above != NULL else <uint16_t>(1 << (d.precision - scan.shift - 1))


cdef inline size_t decode_line(
    Decoder* d, Scan* scan, Bits* bits, uint16_t* line, const uint16_t* above, bint shared, bint pairs
) noexcept nogil:
    """One line of samples, `above` NULL for the first one. Returns the count decoded; short: no such code."""
    cdef size_t count = d.columns * <size_t>scan.components
    cdef uint16_t origin = origin_of(d, scan, NULL)
    cdef size_t done
    if scan.components == 1 and (above == NULL or scan.selection == 1):
        origin = origin_of(d, scan, above)
        if pairs:
            return decode_shared(bits, scan.table[0], line, count, True, True, origin)
        return decode_shared(bits, scan.table[0], line, count, False, True, origin)
    if not shared:
        done = decode_mixed(bits, scan.table, scan.components, line, count)
    elif pairs:
        done = decode_shared(bits, scan.table[0], line, count, True, False, 0)
    else:
        done = decode_shared(bits, scan.table[0], line, count, False, False, 0)
    if done == count:
        undo_prediction(line, above, count, scan.components, scan.selection, origin)
    return done


# ---- output ---------------------------------------------------------------------------------------------

cdef inline void put_samples(
    uint8_t* out, size_t out_stride, const uint16_t* line, size_t stride, size_t count, int shift, bint wide
) noexcept nogil:
    """Every stride-th sample of a line to every out_stride-th place, 8 or 16 bits, little-endian."""
    cdef size_t i
    if wide:
        for i in range(count):
            out[2 * i * out_stride] = <uint8_t>(line[i * stride] << shift)
            out[2 * i * out_stride + 1] = <uint8_t>((<uint32_t>line[i * stride] << shift) >> 8)
    else:
        for i in range(count):
            out[i * out_stride] = <uint8_t>(line[i * stride] << shift)


cdef inline void store_line(Decoder* d, Scan* scan, const uint16_t* line, size_t row) noexcept nogil:
    """A line of a scan to its place in the frame."""
    cdef size_t stride = scan.components
    cdef size_t samples = d.samples
    cdef size_t width = d.sample_bytes
    cdef bint wide = width == 2
    cdef size_t k, component
    if stride == samples and (samples == 1 or not d.planar):
        if scan.shift == 0 and wide:
            memcpy(d.out + row * d.columns * samples * 2, line, d.columns * samples * 2)
        else:
            put_samples(
                d.out + row * d.columns * samples * width, 1, line, 1, d.columns * samples, scan.shift, wide
            )
        return
    for k in range(stride):
        component = scan.component[k]
        if d.planar:
            put_samples(
                d.out + (component * d.rows + row) * d.columns * width, 1, line + k, stride, d.columns,
                scan.shift, wide,
            )
        else:
            put_samples(
                d.out + (row * d.columns * samples + component) * width, samples, line + k, stride, d.columns,
                scan.shift, wide,
            )


# ---- scans ----------------------------------------------------------------------------------------------

cdef inline bint is_plain(Decoder* d, Scan* scan) noexcept nogil:
    """Lines of the scan are lines of the frame as they are: they are decoded where they belong."""
    return d.samples == 1 and d.sample_bytes == 2 and scan.shift == 0 and <size_t>d.out % sizeof(uint16_t) == 0


cdef inline void open_interval(Decoder* d, Scan* scan, Interval* lines, size_t row, size_t end) noexcept nogil:
    """The coded bytes without stuffing; d.at is left behind them."""
    cdef size_t line_count = d.columns * <size_t>scan.components
    lines.row = row
    lines.end = end
    lines.start = d.at
    lines.size = unstuff(d.data, d.size, &d.at, d.plain)
    lines.above = NULL
    lines.in_place = is_plain(d, scan)
    memset(d.plain + lines.size, 0, 4 * line_count + READ_AHEAD)
    lines.bits.at = d.plain
    lines.bits.window = 0
    lines.bits.count = 0


cdef inline uint16_t* next_line(Decoder* d, Scan* scan, Interval* lines) noexcept nogil:
    """Where to decode the next line."""
    if lines.in_place:
        return <uint16_t*>(d.out + lines.row * d.columns * sizeof(uint16_t))
    return d.lines + (lines.row & 1) * d.columns * <size_t>scan.components


cdef inline bint bits_overrun(Decoder* d, Interval* lines) noexcept nogil:
    """More bits were taken than there are."""
    return <size_t>((lines.bits.at - d.plain) * 8 - lines.bits.count) > 8 * lines.size


cdef inline Outcome decode_lines(
    Decoder* d, Scan* scan, Interval* lines, bint shared, bint pairs
) noexcept nogil:
    """The lines that are left of the interval."""
    cdef uint16_t* line
    cdef size_t used
    while lines.row < lines.end:
        line = next_line(d, scan, lines)
        if decode_line(d, scan, &lines.bits, line, lines.above, shared, pairs) < d.columns * <size_t>scan.components:
            used = ((lines.bits.at - d.plain) * 8 - lines.bits.count) >> 3
            return fault(
                &d.fault, "a pattern that is no Huffman code", stuffed_offset(d.data, d.size, lines.start, used)
            )
        if bits_overrun(d, lines):
            return fault(&d.fault, "the entropy-coded data end before the image", d.at)
        if not lines.in_place:
            store_line(d, scan, line, lines.row)
        lines.above = line
        lines.row += 1
    return DONE


cdef inline void decode_lines_of_two(
    Decoder* d, Scan* scan, Interval* lines, Decoder* other, Scan* other_scan, Interval* other_lines
) noexcept nogil:
    """Lines of two frames of one size side by side, for which is_pairable, until one of them is damaged.

    What is left then, the damaged line among it, is for decode_lines.
    """
    cdef Bits before, other_before
    cdef uint16_t* line
    cdef uint16_t* other_line
    while lines.row < lines.end:
        before = lines.bits
        other_before = other_lines.bits
        line = next_line(d, scan, lines)
        other_line = next_line(other, other_scan, other_lines)
        if not decode_two(
            &lines.bits, scan.table[0], line, origin_of(d, scan, lines.above),
            &other_lines.bits, other_scan.table[0], other_line, origin_of(other, other_scan, other_lines.above),
            d.columns,
        ) or bits_overrun(d, lines) or bits_overrun(other, other_lines):
            lines.bits = before
            other_lines.bits = other_before
            return
        lines.above = line
        other_lines.above = other_line
        lines.row += 1
        other_lines.row += 1


cdef inline bint fill_tables(Decoder* d, Scan* scan) noexcept nogil:
    """Make the lookup tables of the scan; whether it uses that of pairs."""
    cdef bint pairs = tables_shared(scan) and d.rows * d.columns * <size_t>scan.components >= PAIRS_WORTH
    cdef int k
    for k in range(scan.components):
        fill_singles(scan.table[k])
    if pairs:
        fill_pairs(scan.table[0])
    return pairs


cdef inline Outcome decode_scan(Decoder* d, Scan* scan) noexcept nogil:
    """Entropy-coded segments with their restart markers, T.81 B.2.1; d.at is the first byte behind SOS."""
    cdef bint shared = tables_shared(scan)
    cdef bint pairs = fill_tables(d, scan)
    cdef size_t row = 0
    cdef size_t step = d.restart_interval // d.columns if d.restart_interval else d.rows
    cdef int number = 0
    cdef Interval lines
    while True:
        open_interval(d, scan, &lines, row, min(row + step, d.rows))
        if decode_lines(d, scan, &lines, shared, pairs) != DONE:
            return MALFORMED
        row += step
        if row >= d.rows:
            return DONE
        if d.size - d.at < 2 or d.data[d.at + 1] != RST0 + number:
            return fault(&d.fault, "a restart marker is missing or out of order", d.at)
        d.at += 2
        number = (number + 1) & 7


cdef inline bint is_pairable(Decoder* d, Scan* scan) noexcept nogil:
    """The common kind: one component of 16 bits allocated, predictor 1, no restarts, and not too small."""
    return (
        is_plain(d, scan)
        and scan.selection == 1
        and d.restart_interval == 0
        and d.rows * d.columns >= PAIRS_WORTH
    )


cdef inline Outcome decode_scans_of_two(
    Decoder* d, Scan* scan, Decoder* other, Scan* other_scan, Outcome* other_outcome
) noexcept nogil:
    """decode_scan for two frames of one size at once; both are pairable."""
    cdef Interval lines, other_lines
    fill_tables(d, scan)
    fill_tables(other, other_scan)
    open_interval(d, scan, &lines, 0, d.rows)
    open_interval(other, other_scan, &other_lines, 0, other.rows)
    decode_lines_of_two(d, scan, &lines, other, other_scan, &other_lines)
    other_outcome[0] = decode_lines(other, other_scan, &other_lines, True, True)
    return decode_lines(d, scan, &lines, True, True)
