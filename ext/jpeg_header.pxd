# What a JPEG or JPEG-LS codestream claims, from SOI to EOI, without decoding a sample: ISO/IEC 10918-1
# (T.81) Annex B and ISO/IEC 14495-1 (T.87) Annex C. Header-only; codestream.pyx has the entry.
#
# Every loop here moves on by at least one byte, so the time is linear in the length of the data.
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcmp

from jpeg cimport (
    APP0, APP14, DAC, DHP, DHT, DNL, DQT, DRI, EOI, EXP, JPG, LSE, RST0, RST7, SOF0, SOF15, SOF55, SOI, SOS,
    Fault, fault,
)
from wire cimport DONE, MALFORMED, Outcome, get_u16be


cdef enum:
    COMPONENTS_MAX = 4


cdef struct JpegHeader:
    const uint8_t* data
    size_t size
    size_t at
    int scans_max
    int process              # the SOF marker, 0: not seen
    int precision
    int lines                # 0: DNL gives them, and it was not found
    int columns
    int components
    uint8_t id[COMPONENTS_MAX]
    uint8_t sampling[COMPONENTS_MAX]      # H in the high half, V in the low one
    int scans
    int components_seen      # one bit for each component that was in a scan
    bint jfif
    int adobe_transform      # -1: no APP14 of Adobe
    int restart_interval
    int selection            # Ss of the first scan: predictor of lossless JPEG, NEAR of JPEG-LS
    int interleave           # Se of the first scan: ILV of JPEG-LS
    int point_transform      # Al of the first scan
    size_t entropy_size      # bytes of entropy-coded data in all scans
    bint complete            # EOI was there
    Fault fault


cdef inline bint is_frame_header(int marker) noexcept nogil:
    return (SOF0 <= marker <= SOF15 and marker != DHT and marker != JPG and marker != DAC) or marker == SOF55


cdef inline bint is_progressive(int process) noexcept nogil:
    return process == 0xC2 or process == 0xCA


cdef inline bint is_lossless(int process) noexcept nogil:
    return process == 0xC3 or process == 0xCB


cdef inline bint precision_allowed(int process, int precision) noexcept nogil:
    """T.81 Table B.2, T.87 C.2.2."""
    if process == SOF0:
        return precision == 8
    if process == SOF55 or is_lossless(process):
        return 2 <= precision <= 16
    return precision == 8 or precision == 12


cdef inline Outcome frame_header(JpegHeader* h, int marker, size_t length) noexcept nogil:
    """SOFn: sizes, precision and components. T.81 B.2.2, T.87 C.2.2."""
    cdef const uint8_t* at = h.data + h.at + 2
    cdef int i
    if h.process:
        return fault(&h.fault, "a second frame header", h.at)
    if length < 8 or length != 8 + 3 * <size_t>at[5]:
        return fault(&h.fault, "frame header with a wrong length", h.at)
    h.process = marker
    h.precision = at[0]
    h.lines = get_u16be(at + 1)
    h.columns = get_u16be(at + 3)
    h.components = at[5]
    if not precision_allowed(marker, h.precision):
        return fault(&h.fault, "a precision that this process does not have", h.at + 2)
    if h.columns == 0:
        return fault(&h.fault, "a frame without columns", h.at + 5)
    if h.components < 1 or h.components > COMPONENTS_MAX:
        return fault(&h.fault, "a frame of no component or more than four", h.at + 7)
    for i in range(h.components):
        h.id[i] = at[6 + 3 * i]
        h.sampling[i] = at[7 + 3 * i]
        if not (0x10 <= h.sampling[i] <= 0x4F and 1 <= h.sampling[i] & 15 <= 4):
            return fault(&h.fault, "sampling factors that are not 1-4", h.at + 9 + 3 * i)
    return DONE


cdef inline int find_component(JpegHeader* h, int id) noexcept nogil:
    cdef int i
    for i in range(h.components):
        if h.id[i] == id:
            return i
    return -1


cdef inline Outcome scan_parameters(JpegHeader* h, int count, const uint8_t* at) noexcept nogil:
    """Ss, Se, Ah and Al, in the meaning that the process gives them. T.81 Table B.3, T.87 C.2.3."""
    cdef int start = at[0], end = at[1], high = at[2] >> 4, low = at[2] & 15
    cdef bint good
    if h.process == SOF55:
        good = end <= 2 and (end == 0 or count > 1) and at[2] == 0
    elif is_lossless(h.process):
        good = 1 <= start <= 7 and low < h.precision
    elif is_progressive(h.process):
        good = start <= end <= 63 and (start > 0 or end == 0) and (start == 0 or count == 1)
        good = good and low <= 13 and (high == 0 or high == low + 1)
    else:
        good = start == 0 and (end == 63 or end == 0) and at[2] == 0     # 0 is wrong, and occurs
    if not good:
        return fault(&h.fault, "scan parameters that this process does not have", at - h.data)
    if h.scans == 1:
        h.selection = start
        h.interleave = end
        h.point_transform = low
    return DONE


cdef inline Outcome scan_header(JpegHeader* h, size_t length) noexcept nogil:
    """SOS: which components; each once, unless the process is progressive. T.81 B.2.3."""
    cdef const uint8_t* at = h.data + h.at + 2
    cdef int k, i, bit
    cdef int here = 0
    if not h.process:
        return fault(&h.fault, "a scan before the frame header", h.at)
    if length < 6 or length != 6 + 2 * <size_t>at[0]:
        return fault(&h.fault, "scan header with a wrong length", h.at)
    if at[0] < 1 or at[0] > h.components:
        return fault(&h.fault, "a scan of no component or of more than the frame has", h.at + 2)
    h.scans += 1
    if h.scans > h.scans_max:
        return fault(&h.fault, "more scans than allowed", h.at)
    for k in range(at[0]):
        i = find_component(h, at[1 + 2 * k])
        bit = 1 << i if i >= 0 else 0
        if bit == 0 or here & bit or (h.components_seen & bit and not is_progressive(h.process)):
            return fault(&h.fault, "a scan of a component that is unknown or done", h.at + 3 + 2 * k)
        here |= bit
    if is_progressive(h.process) and at[1 + 2 * at[0]] and here & ~h.components_seen:
        return fault(&h.fault, "a progressive scan of details before their means", h.at)
    h.components_seen |= here
    return scan_parameters(h, at[0], at + 1 + 2 * at[0])


cdef inline Outcome huffman_tables(JpegHeader* h, size_t length) noexcept nogil:
    """DHT: lengths agree, and no table has more codes than its bits allow. T.81 B.2.4.2, C.2."""
    cdef size_t at = h.at + 2
    cdef size_t end = h.at + length
    cdef size_t total
    cdef uint32_t code
    cdef int i
    while at < end:
        if end - at < 17 or h.data[at] >> 4 > 1 or (h.data[at] & 15) > 3:
            return fault(&h.fault, "a Huffman table that is cut short or has no destination", at)
        total = 0
        code = 0
        for i in range(1, 17):
            total += h.data[at + i]
            code = 2 * code + h.data[at + i]
            if code > <uint32_t>1 << i:
                return fault(&h.fault, "a Huffman table with more codes than bits allow", at)
        if total > 256 or total > end - at - 17:
            return fault(&h.fault, "a Huffman table has more symbols than bytes", at)
        at += 17 + total
    return DONE


cdef inline Outcome quantization_tables(JpegHeader* h, size_t length) noexcept nogil:
    """DQT: lengths agree. T.81 B.2.4.1."""
    cdef size_t at = h.at + 2
    cdef size_t end = h.at + length
    cdef size_t size
    while at < end:
        size = 129 if h.data[at] >> 4 else 65
        if h.data[at] >> 4 > 1 or (h.data[at] & 15) > 3 or end - at < size:
            return fault(&h.fault, "a quantization table that is cut short or has no destination", at)
        at += size
    return DONE


cdef inline Outcome preset_parameters(JpegHeader* h, size_t length) noexcept nogil:
    """LSE: coding parameters in order, T.87 C.2.4.1; mapping tables and oversize images are refused."""
    cdef const uint8_t* at = h.data + h.at + 2
    cdef int maxval, t1, t2, t3
    if length < 3 or at[0] != 1:
        return fault(&h.fault, "JPEG-LS with a mapping table or oversize image", h.at)
    if length != 13:
        return fault(&h.fault, "JPEG-LS coding parameters with a wrong length", h.at)
    maxval = get_u16be(at + 1)
    t1 = get_u16be(at + 3)
    t2 = get_u16be(at + 5)
    t3 = get_u16be(at + 7)
    # 0 stands for the default of each; CharLS and the standard want them in order otherwise.
    if (t1 and t2 and t1 > t2) or (t2 and t3 and t2 > t3) or (maxval and max(t1, t2, t3) > maxval):
        return fault(&h.fault, "JPEG-LS thresholds out of order", h.at + 5)
    return DONE


cdef inline Outcome application_segment(JpegHeader* h, int marker, size_t length) noexcept nogil:
    """Who wrote it: JFIF and Adobe say which colours the components are."""
    cdef const uint8_t* at = h.data + h.at + 2
    if marker == APP0 and length >= 7 and memcmp(at, b"JFIF\x00", 5) == 0:
        h.jfif = True
    if marker == APP14 and length >= 14 and memcmp(at, b"Adobe", 5) == 0:
        h.adobe_transform = at[11]
    return DONE


cdef inline Outcome restart_definition(JpegHeader* h, size_t length) noexcept nogil:
    """DRI. T.81 B.2.4.4; T.87 C.2.5 allows three and four bytes as well, which nobody writes."""
    if length != 4:
        return fault(&h.fault, "restart interval with a wrong length", h.at)
    h.restart_interval = get_u16be(h.data + h.at + 2)
    return DONE


cdef inline Outcome line_count(JpegHeader* h, size_t length) noexcept nogil:
    """DNL. T.81 B.2.5: only behind the first scan."""
    if length != 4 or h.scans != 1:
        return fault(&h.fault, "a number-of-lines segment that is misplaced or has a wrong length", h.at)
    if h.lines and h.lines != get_u16be(h.data + h.at + 2):
        return fault(&h.fault, "two different numbers of lines", h.at + 2)
    h.lines = get_u16be(h.data + h.at + 2)
    return DONE


cdef inline Outcome step_over_entropy(JpegHeader* h) noexcept nogil:
    """From the first byte behind SOS to the marker that ends the scan; restart markers are in order."""
    cdef const uint8_t* found
    cdef size_t start = h.at
    cdef int number = 0
    cdef uint8_t data_max = 0x7F if h.process == SOF55 else 0        # what may follow FFH inside the data
    cdef uint8_t code
    while True:
        found = <const uint8_t*>memchr(h.data + h.at, 0xFF, h.size - h.at)
        h.at = h.size if found == NULL else found - h.data
        if h.size - h.at < 2:
            h.at = h.size
            break
        code = h.data[h.at + 1]
        if code == 0xFF:
            h.at += 1
        elif code <= data_max:
            h.at += 2
        elif RST0 <= code <= RST7:
            if not h.restart_interval or code != RST0 + number:
                return fault(&h.fault, "a restart marker that is unannounced or out of order", h.at)
            number = (number + 1) & 7
            h.at += 2
        else:
            break
    h.entropy_size += h.at - start
    return DONE


cdef inline Outcome segment(JpegHeader* h, int marker) noexcept nogil:
    """One marker segment whose length field is at h.at; h.at is left behind it, or behind its scan."""
    cdef size_t length
    cdef Outcome outcome = DONE
    if h.size - h.at < 2:
        return fault(&h.fault, "the codestream ends inside a marker segment", h.at)
    length = get_u16be(h.data + h.at)
    if length < 2 or length > h.size - h.at:
        return fault(&h.fault, "a marker segment without a possible length", h.at)
    if is_frame_header(marker):
        outcome = frame_header(h, marker, length)
    elif marker == SOS:
        outcome = scan_header(h, length)
    elif marker == DHT:
        outcome = huffman_tables(h, length)
    elif marker == DQT:
        outcome = quantization_tables(h, length)
    elif marker == DRI:
        outcome = restart_definition(h, length)
    elif marker == DNL:
        outcome = line_count(h, length)
    elif marker == LSE:
        outcome = preset_parameters(h, length)
    elif marker == APP0 or marker == APP14:
        outcome = application_segment(h, marker, length)
    elif marker == DHP or marker == EXP or marker == JPG:
        return fault(&h.fault, "a hierarchical or reserved process", h.at - 1)
    h.at += length
    if outcome == DONE and marker == SOS:
        return step_over_entropy(h)
    return outcome


cdef inline Outcome finish(JpegHeader* h) noexcept nogil:
    """At the end of the codestream, with EOI or without: was there an image?"""
    if not h.process or not h.scans:
        return fault(&h.fault, "the codestream ends before the image", h.at)
    if h.components_seen != (1 << h.components) - 1:
        return fault(&h.fault, "a component is in no scan", h.at)
    return DONE


cdef inline Outcome read_jpeg_header(JpegHeader* h) noexcept nogil:
    """The whole codestream. `h` is zeroed but for data, size, scans_max and adobe_transform = -1."""
    cdef int marker
    if h.size < 4 or h.data[0] != 0xFF or h.data[1] != SOI:
        return fault(&h.fault, "no JPEG codestream", 0)
    h.at = 2
    while h.at < h.size:
        if h.data[h.at] != 0xFF:
            return fault(&h.fault, "no marker where one has to be", h.at)
        while h.at < h.size and h.data[h.at] == 0xFF:      # fill bytes, T.81 B.1.1.2
            h.at += 1
        if h.at == h.size:
            break
        marker = h.data[h.at]
        h.at += 1
        if marker == EOI:
            h.complete = True
            break
        # TEM, RSTn and SOI stand alone: one of them here makes careless decoders loop.
        if marker < SOF0 or RST0 <= marker <= SOI:
            return fault(&h.fault, "a marker that has no place here", h.at - 1)
        if segment(h, marker) != DONE:
            return MALFORMED
    return finish(h)
