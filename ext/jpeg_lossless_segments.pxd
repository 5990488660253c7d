# Marker segments of lossless JPEG, ISO/IEC 10918-1 (T.81) Annex B: what they say, checked against the image
# that the Data Set describes. Header-only; jpeg_lossless.pyx decodes what lies between them.
from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memcpy, memset

from huffman cimport SYMBOL_COUNT_MAX, Huffman, assign_codes
from jpeg cimport Fault, fault
from wire cimport DONE, MALFORMED, Outcome, get_u16be


cdef enum:
    TABLES = 4
    COMPONENTS_MAX = 4


cdef struct Component:
    uint8_t id
    bint decoded


cdef struct Scan:
    int components
    int component[COMPONENTS_MAX]         # index into Decoder.component
    Huffman* table[COMPONENTS_MAX]
    int selection                         # predictor 1-7
    int shift                             # point transform


cdef struct Decoder:
    const uint8_t* data
    size_t size
    size_t at
    # What the Data Set says and the codestream must agree with.
    size_t rows
    size_t columns
    int samples
    int sample_bytes
    bint planar
    uint8_t* out
    # What the codestream says.
    int precision                         # 0: no frame header yet
    size_t restart_interval               # MCUs, 0: none
    Component component[COMPONENTS_MAX]
    Huffman table[TABLES]
    # Scratch.
    uint8_t* plain                        # entropy-coded bytes without stuffing, then zeros
    uint16_t* lines                       # two lines
    Fault fault


cdef inline Outcome read_segment(Decoder* d, size_t* length) noexcept nogil:
    """Length of the segment whose length field is at d.at, the field included; it lies inside the data."""
    if d.size - d.at < 2:
        return fault(&d.fault, "the codestream ends inside a marker segment", d.at)
    length[0] = get_u16be(d.data + d.at)
    if length[0] < 2:
        return fault(&d.fault, "a marker segment is shorter than its length field", d.at)
    if length[0] > d.size - d.at:
        return fault(&d.fault, "a marker segment reaches past the end", d.at)
    return DONE


cdef inline Outcome read_frame(Decoder* d, size_t length) noexcept nogil:
    """SOF3, T.81 B.2.2. Lines 0 means that DNL gives them; the Data Set has told us already."""
    cdef const uint8_t* at = d.data + d.at + 2
    cdef size_t lines
    cdef int i
    if d.precision:
        return fault(&d.fault, "a second frame header", d.at)
    if length < 8 or length != 8 + 3 * <size_t>at[5]:
        return fault(&d.fault, "frame header with a wrong length", d.at)
    lines = get_u16be(at + 1)
    if lines != d.rows and lines != 0:
        return fault(&d.fault, "number of lines differs from Rows", d.at + 3)
    if get_u16be(at + 3) != d.columns:
        return fault(&d.fault, "samples per line differ from Columns", d.at + 5)
    if at[5] != d.samples:
        return fault(&d.fault, "number of components differs from Samples per Pixel", d.at + 7)
    if at[0] < 2 or at[0] > 8 * d.sample_bytes:
        return fault(&d.fault, "precision does not fit Bits Allocated", d.at + 2)
    for i in range(d.samples):
        if d.samples > 1 and at[7 + 3 * i] != 0x11:
            return fault(&d.fault, "subsampled components in lossless JPEG", d.at + 9 + 3 * i)
        d.component[i].id = at[6 + 3 * i]
        d.component[i].decoded = False
    d.precision = at[0]
    return DONE


cdef inline Outcome read_tables(Decoder* d, size_t length) noexcept nogil:
    """DHT, T.81 B.2.4.2: any number of tables. Those of class 1 (AC) are stepped over."""
    cdef size_t at = d.at + 2
    cdef size_t end = d.at + length
    cdef size_t i, total
    cdef Huffman* table
    while at < end:
        if end - at < 17:
            return fault(&d.fault, "a Huffman table is cut short", at)
        total = 0
        for i in range(1, 17):
            total += d.data[at + i]
        if total > SYMBOL_COUNT_MAX or total > end - at - 17:
            return fault(&d.fault, "a Huffman table has more symbols than bytes", at)
        if d.data[at] >= TABLES and d.data[at] >> 4 != 1:
            return fault(&d.fault, "a Huffman table for no destination", at)
        if d.data[at] < TABLES:
            table = &d.table[d.data[at]]
            if not assign_codes(table, d.data + at + 1):
                return fault(&d.fault, "a Huffman table with more codes than bits allow", at)
            memset(table.symbols, 0, SYMBOL_COUNT_MAX)
            memcpy(table.symbols, d.data + at + 17, total)
            table.defined = True
        at += 17 + total
    return DONE


cdef inline Outcome read_restart_interval(Decoder* d, size_t length) noexcept nogil:
    """DRI, T.81 B.2.4.4 and H.1.1: whole lines of MCUs."""
    if length != 4:
        return fault(&d.fault, "restart interval with a wrong length", d.at)
    d.restart_interval = get_u16be(d.data + d.at + 2)
    if d.restart_interval % d.columns:
        return fault(&d.fault, "restart interval is no multiple of a line", d.at + 2)
    return DONE


cdef inline Outcome read_line_count(Decoder* d, size_t length) noexcept nogil:
    """DNL, T.81 B.2.5."""
    if length != 4:
        return fault(&d.fault, "number-of-lines segment with a wrong length", d.at)
    if get_u16be(d.data + d.at + 2) != d.rows:
        return fault(&d.fault, "number of lines differs from Rows", d.at + 2)
    return DONE


cdef inline Outcome read_scan_component(Decoder* d, Scan* scan, int k) noexcept nogil:
    """One component of SOS: which, with which table."""
    cdef const uint8_t* at = d.data + d.at + 3 + 2 * k
    cdef int i = 0
    while i < d.samples and (d.component[i].id != at[0] or d.component[i].decoded):
        i += 1
    if i == d.samples:
        return fault(&d.fault, "a scan of a component that is unknown or done", d.at + 3 + 2 * k)
    if at[1] >> 4 >= TABLES or not d.table[at[1] >> 4].defined:
        return fault(&d.fault, "a scan with a Huffman table that is not defined", d.at + 4 + 2 * k)
    d.component[i].decoded = True
    scan.component[k] = i
    scan.table[k] = &d.table[at[1] >> 4]
    return DONE


cdef inline Outcome read_scan(Decoder* d, Scan* scan, size_t length) noexcept nogil:
    """SOS, T.81 B.2.3 and H.1.2: Ss is the predictor, Al the point transform."""
    cdef const uint8_t* at = d.data + d.at + 2
    cdef int k
    if not d.precision:
        return fault(&d.fault, "a scan before the frame header", d.at)
    if length < 6 or length != 6 + 2 * <size_t>at[0]:
        return fault(&d.fault, "scan header with a wrong length", d.at)
    scan.components = at[0]
    if scan.components < 1 or scan.components > d.samples:
        return fault(&d.fault, "a scan of more components than the frame has", d.at + 2)
    for k in range(scan.components):
        if read_scan_component(d, scan, k) != DONE:
            return MALFORMED
    scan.selection = at[1 + 2 * scan.components]
    scan.shift = at[3 + 2 * scan.components] & 15
    if scan.selection < 1 or scan.selection > 7:
        return fault(&d.fault, "no predictor of lossless JPEG", d.at + length - 3)
    if scan.shift >= d.precision:
        return fault(&d.fault, "point transform as large as the precision", d.at + length - 1)
    return DONE


cdef inline bint all_decoded(Decoder* d) noexcept nogil:
    cdef int i
    if not d.precision:
        return False
    for i in range(d.samples):
        if not d.component[i].decoded:
            return False
    return True


cdef inline Outcome read_marker(Decoder* d, int* marker) noexcept nogil:
    """The marker at d.at, behind its fill bytes; 0 when the data end instead."""
    marker[0] = 0
    if d.at >= d.size:
        return DONE
    if d.data[d.at] != 0xFF:
        return fault(&d.fault, "no marker where one has to be", d.at)
    while d.at < d.size and d.data[d.at] == 0xFF:
        d.at += 1
    if d.at < d.size:
        marker[0] = d.data[d.at]
        d.at += 1
    return DONE
