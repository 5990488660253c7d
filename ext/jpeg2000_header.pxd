# What a JPEG 2000 or HTJ2K codestream claims, tile-part by tile-part, without decoding a packet:
# ISO/IEC 15444-1 (T.800) Annexes A and I, 15444-15 (T.814) Annex A. Header-only; codestream.pyx has the
# entry.
#
# Bounds what decoders allocate: tiles, code-blocks and packets are counted from the parameters and compared
# with what the data could hold. Part 2 extensions are refused.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from jpeg cimport Fault, fault
from wire cimport DONE, MALFORMED, Outcome, get_u16be, get_u32be


cdef enum Jpeg2000Marker:
    SOC = 0xFF4F
    CAP = 0xFF50
    SIZ = 0xFF51
    COD = 0xFF52
    COC = 0xFF53
    CPF = 0xFF59
    QCD = 0xFF5C
    QCC = 0xFF5D
    RGN = 0xFF5E
    POC = 0xFF5F
    SOT = 0xFF90
    SOD = 0xFF93
    EOC = 0xFFD9


cdef enum:
    COMPONENTS_MAX = 4
    SIDE_MAX = 65535
    LEVELS_MAX = 32
    BLOCKS_MAX = 1 << 20     # code-blocks: 64 x 64 samples each they make 4 gigapixels
    PACKETS_FREE = 1 << 16   # so many packets may be claimed whatever the length of the data
    TILE_PART_HEAD = 12      # SOT marker and segment
    HT_CAPABILITY = 1 << 17  # Pcap15, T.814 A.3


# COD, or COC for one component.
cdef struct Coding:
    bint defined
    int levels
    int block_width          # exponents
    int block_height
    int style
    int transform            # 0: 9-7, lossy; 1: 5-3, lossless
    uint8_t precinct[LEVELS_MAX + 1]      # PPx below, PPy above; 15 each when not given


cdef struct Jpeg2000Header:
    const uint8_t* data
    size_t size
    size_t at
    size_t start             # of the codestream inside a JP2 file
    int tiles_max
    int components_max
    uint32_t columns
    uint32_t rows
    uint32_t tile_columns    # of a whole tile, cut to the image
    uint32_t tile_rows
    uint32_t tiles
    int components
    int precision
    bint is_signed
    Coding coding[COMPONENTS_MAX]
    bint quantized           # QCD was there
    int levels
    int layers
    int progression
    int component_transform
    bint reversible
    bint high_throughput     # some code-blocks are coded with the HT coder
    bint capable             # CAP announces it
    int colour_space         # EnumCS of JP2's colr box, 0: none
    uint64_t blocks
    uint64_t packets
    uint32_t tiles_seen
    uint8_t* next_part       # for each tile, the tile-part that has to come
    bint complete            # EOC was there
    Fault fault


cdef inline uint32_t divide_up(uint64_t value, uint64_t by) noexcept nogil:
    return <uint32_t>((value + by - 1) // by)


cdef inline uint32_t halve_up(uint32_t value, int times) noexcept nogil:
    """ceil(value / 2^times), for times up to 32."""
    return <uint32_t>((<uint64_t>value + (<uint64_t>1 << times) - 1) >> times)


# ---- main header ----------------------------------------------------------------------------------------

cdef inline Outcome tile_grid(Jpeg2000Header* h, const uint8_t* siz) noexcept nogil:
    """Image and tiles on the reference grid. T.800 B.2, B.3; siz is the byte behind Lsiz."""
    cdef uint32_t x1 = get_u32be(siz + 2), y1 = get_u32be(siz + 6)
    cdef uint32_t x0 = get_u32be(siz + 10), y0 = get_u32be(siz + 14)
    cdef uint32_t width = get_u32be(siz + 18), height = get_u32be(siz + 22)
    cdef uint32_t tx0 = get_u32be(siz + 26), ty0 = get_u32be(siz + 30)
    cdef uint64_t tiles
    if x1 <= x0 or y1 <= y0:
        return fault(&h.fault, "SIZ with an empty image", siz + 2 - h.data)
    if width == 0 or height == 0 or tx0 > x0 or ty0 > y0:
        return fault(&h.fault, "SIZ with tiles that do not cover the image", siz + 18 - h.data)
    if <uint64_t>tx0 + width <= x0 or <uint64_t>ty0 + height <= y0:
        return fault(&h.fault, "SIZ with a first tile outside the image", siz + 18 - h.data)
    if x1 - x0 > SIDE_MAX or y1 - y0 > SIDE_MAX:
        return fault(&h.fault, "SIZ with an image larger than Rows and Columns can say", siz + 2 - h.data)
    h.columns = x1 - x0
    h.rows = y1 - y0
    h.tile_columns = min(width, h.columns)
    h.tile_rows = min(height, h.rows)
    tiles = <uint64_t>divide_up(<uint64_t>x1 - tx0, width) * divide_up(<uint64_t>y1 - ty0, height)
    if tiles > <uint64_t>h.tiles_max:
        return fault(&h.fault, "more tiles than allowed", siz + 18 - h.data)
    h.tiles = <uint32_t>tiles
    return DONE


cdef inline Outcome image_size(Jpeg2000Header* h, size_t length) noexcept nogil:
    """SIZ. T.800 A.5.1. All components have one precision and one sign, and none is subsampled."""
    cdef const uint8_t* at = h.data + h.at + 2
    cdef int i
    if length < 41 or length != 38 + 3 * <size_t>get_u16be(at + 34):
        return fault(&h.fault, "SIZ with a wrong length", h.at)
    if get_u16be(at) & 0x8000:
        return fault(&h.fault, "JPEG 2000 Part 2", h.at + 2)
    h.components = get_u16be(at + 34)
    if h.components > h.components_max:
        return fault(&h.fault, "more components than allowed", h.at + 36)
    h.precision = (at[36] & 0x7F) + 1
    h.is_signed = at[36] >> 7
    if h.precision > 32:
        return fault(&h.fault, "components of more than 32 bits", h.at + 38)
    for i in range(h.components):
        if at[36 + 3 * i] != at[36]:
            return fault(&h.fault, "components of different precision", h.at + 38 + 3 * i)
        if at[37 + 3 * i] != 1 or at[38 + 3 * i] != 1:
            return fault(&h.fault, "subsampled components", h.at + 39 + 3 * i)
    return tile_grid(h, at)


cdef inline Outcome capabilities(Jpeg2000Header* h, size_t length) noexcept nogil:
    """CAP. T.800 A.5.2, T.814 A.3: high throughput and nothing else."""
    if length < 8:
        return fault(&h.fault, "CAP with a wrong length", h.at)
    if get_u32be(h.data + h.at + 2) & ~<uint32_t>HT_CAPABILITY:
        return fault(&h.fault, "a JPEG 2000 extension that is not high throughput", h.at + 2)
    h.capable = True
    return DONE


cdef inline Outcome coding_style(
    Jpeg2000Header* h, Coding* coding, const uint8_t* at, size_t left, bint precincts
) noexcept nogil:
    """SPcod or SPcoc, `left` bytes of it. T.800 Table A.15, A.18, A.21."""
    cdef int i
    if left < 5:
        return fault(&h.fault, "coding style with a wrong length", at - h.data)
    coding.levels = at[0]
    coding.block_width = (at[1] & 15) + 2
    coding.block_height = (at[2] & 15) + 2
    coding.style = at[3]
    coding.transform = at[4]
    if coding.levels > LEVELS_MAX:
        return fault(&h.fault, "more than 32 decomposition levels", at - h.data)
    if left != <size_t>(6 + coding.levels if precincts else 5):
        return fault(&h.fault, "coding style with a wrong length", at - h.data)
    if coding.block_width > 10 or coding.block_height > 10 or coding.block_width + coding.block_height > 12:
        return fault(&h.fault, "code-blocks larger than 4,096 samples", at + 1 - h.data)
    if coding.transform > 1:
        return fault(&h.fault, "a wavelet that Part 1 does not have", at + 4 - h.data)
    for i in range(coding.levels + 1):
        coding.precinct[i] = at[5 + i] if precincts else 0xFF
        if i and (coding.precinct[i] & 15 == 0 or coding.precinct[i] >> 4 == 0):
            return fault(&h.fault, "precincts of one sample", at + 5 + i - h.data)
    coding.defined = True
    return DONE


cdef inline Outcome default_coding(Jpeg2000Header* h, Coding* coding, size_t length) noexcept nogil:
    """COD, into each component. T.800 A.6.1."""
    cdef const uint8_t* at = h.data + h.at + 2
    cdef int i
    if length < 12:
        return fault(&h.fault, "COD with a wrong length", h.at)
    h.progression = at[1]
    h.layers = get_u16be(at + 2)
    h.component_transform = at[4]
    if at[0] > 7 or h.progression > 4 or h.layers == 0 or h.component_transform > 1:
        return fault(&h.fault, "COD with values that Part 1 does not have", h.at + 2)
    if h.component_transform and h.components < 3:
        return fault(&h.fault, "a component transform of fewer than three components", h.at + 6)
    if coding_style(h, &coding[0], at + 5, length - 7, at[0] & 1) != DONE:
        return MALFORMED
    for i in range(1, h.components):
        coding[i] = coding[0]
    return DONE


cdef inline Outcome component_coding(Jpeg2000Header* h, Coding* coding, size_t length) noexcept nogil:
    """COC, into one component. T.800 A.6.2; component indices have one byte below 257 components."""
    cdef const uint8_t* at = h.data + h.at + 2
    if length < 9 or at[0] >= h.components or at[1] > 1:
        return fault(&h.fault, "COC for an unknown component or with a wrong length", h.at)
    return coding_style(h, &coding[at[0]], at + 2, length - 4, at[1])


cdef inline Outcome component_segment(Jpeg2000Header* h, size_t length) noexcept nogil:
    """QCC and RGN name a component first."""
    if length < 4 or h.data[h.at + 2] >= h.components:
        return fault(&h.fault, "a segment for an unknown component", h.at)
    return DONE


# ---- what a decoder will have to allocate ---------------------------------------------------------------

cdef inline void count_component(
    Jpeg2000Header* h, const Coding* coding, uint64_t* blocks, uint64_t* precincts
) noexcept nogil:
    """Code-blocks and precincts of one component of one tile. T.800 B.6, B.7."""
    cdef int r, shift
    cdef uint32_t width, height
    blocks[0] += <uint64_t>(halve_up(h.tile_columns, coding.block_width)) * halve_up(
        h.tile_rows, coding.block_height
    )
    for r in range(coding.levels + 1):
        shift = coding.levels - r
        width = halve_up(h.tile_columns, shift)
        height = halve_up(h.tile_rows, shift)
        precincts[0] += <uint64_t>halve_up(width, coding.precinct[r] & 15) * halve_up(
            height, coding.precinct[r] >> 4
        )


cdef inline Outcome count_work(Jpeg2000Header* h, const Coding* coding, uint32_t tiles) noexcept nogil:
    """Add the code-blocks and packets of `tiles` tiles, and compare: a packet has a byte or more."""
    cdef uint64_t blocks = 0, precincts = 0
    cdef int i
    for i in range(h.components):
        count_component(h, &coding[i], &blocks, &precincts)
        if coding[i].style & 0x40:
            h.high_throughput = True
        if coding[i].transform == 0:
            h.reversible = False
    if h.high_throughput and not h.capable:
        return fault(&h.fault, "HT code-blocks without CAP", h.at)
    if blocks > BLOCKS_MAX or precincts > <uint64_t>1 << 32:
        return fault(&h.fault, "more code-blocks or precincts than allowed", h.at)
    h.blocks += blocks * tiles
    h.packets += precincts * h.layers * tiles
    if h.blocks > BLOCKS_MAX:
        return fault(&h.fault, "more code-blocks than allowed", h.at)
    if h.packets > PACKETS_FREE + h.size:
        return fault(&h.fault, "more packets than the data can hold", h.at)
    return DONE


# ---- headers and tile-parts -----------------------------------------------------------------------------

cdef inline Outcome header_segment(
    Jpeg2000Header* h, Coding* coding, uint32_t marker, size_t length, bint main
) noexcept nogil:
    if marker == COD:
        return default_coding(h, coding, length)
    if marker == COC:
        if not coding[0].defined:
            return fault(&h.fault, "COC before COD", h.at)
        return component_coding(h, coding, length)
    if marker == QCD:
        h.quantized = True
        return DONE if length >= 4 else fault(&h.fault, "QCD with a wrong length", h.at)
    if marker == QCC or marker == RGN:
        return component_segment(h, length)
    if marker == CAP and main:
        return capabilities(h, length)
    if marker == SIZ or marker == SOC:
        return fault(&h.fault, "a second start of the image", h.at - 2)
    # 0xFF74-0xFF79: component transforms and other extensions of Part 2, T.801 Annex A.
    if 0xFF70 <= marker <= 0xFF7F:
        return fault(&h.fault, "JPEG 2000 Part 2", h.at - 2)
    return DONE


cdef inline Outcome read_header(
    Jpeg2000Header* h, Coding* coding, size_t end, bint main, bint* coded
) noexcept nogil:
    """Segments until SOT (main header) or SOD (tile-part header); h.at is left behind that marker."""
    cdef uint32_t marker
    cdef uint32_t last = SOT if main else SOD
    cdef size_t length
    while end - h.at >= 2:
        marker = get_u16be(h.data + h.at)
        h.at += 2
        if marker == last:
            return DONE
        if marker < 0xFF4F or 0xFF30 <= marker <= 0xFF3F or marker == SOT or marker == SOD or marker == EOC:
            return fault(&h.fault, "a marker that has no place here", h.at - 2)
        if end - h.at < 2:
            break
        length = get_u16be(h.data + h.at)
        if length < 2 or length > end - h.at:
            return fault(&h.fault, "a marker segment without a possible length", h.at)
        if header_segment(h, coding, marker, length, main) != DONE:
            return MALFORMED
        coded[0] = coded[0] or marker == COD or marker == COC
        h.at += length
    return fault(&h.fault, "the codestream ends inside a header", h.at)


cdef inline Outcome tile_part_header(Jpeg2000Header* h, size_t end) noexcept nogil:
    """Until SOD; a tile that brings a coding style of its own is counted with it."""
    cdef Coding coding[COMPONENTS_MAX]
    cdef int i, progression = h.progression, layers = h.layers, transform = h.component_transform
    cdef bint coded = False
    cdef Outcome outcome
    for i in range(h.components):
        coding[i] = h.coding[i]
    outcome = read_header(h, coding, end, False, &coded)
    if outcome == DONE and coded:
        outcome = count_work(h, coding, 1)
    h.progression = progression
    h.layers = layers
    h.component_transform = transform
    return outcome


cdef inline Outcome tile_part(Jpeg2000Header* h) noexcept nogil:
    """One tile-part; h.at is behind its SOT marker and is left behind its data. T.800 A.4.2."""
    cdef size_t start = h.at - 2
    cdef size_t left = h.size - start
    cdef size_t end, length
    cdef uint32_t tile
    cdef int part
    if left < TILE_PART_HEAD or get_u16be(h.data + h.at) != 10:
        return fault(&h.fault, "a tile-part header that is cut short", start)
    tile = get_u16be(h.data + h.at + 2)
    length = get_u32be(h.data + h.at + 4)
    part = h.data[h.at + 8]
    if tile >= h.tiles:
        return fault(&h.fault, "a tile-part of no tile", h.at + 2)
    if part != h.next_part[tile] or part == 255 or (h.data[h.at + 9] and part >= h.data[h.at + 9]):
        return fault(&h.fault, "a tile-part out of order", h.at + 8)
    if length == 0:                                  # the last one: to the end of the codestream
        length = left
    if length < TILE_PART_HEAD + 2 or length > left:
        return fault(&h.fault, "a tile-part longer than the data", h.at + 4)
    h.tiles_seen += part == 0
    h.next_part[tile] += 1
    end = start + length
    h.at += 10
    if tile_part_header(h, end) != DONE:
        return MALFORMED
    h.at = end
    return DONE


cdef inline Outcome tile_parts(Jpeg2000Header* h) noexcept nogil:
    """All tile-parts and EOC; h.at is behind the first SOT. Data may follow EOC, padding does."""
    cdef uint32_t marker = SOT
    while marker == SOT:
        if tile_part(h) != DONE:
            return MALFORMED
        if h.size - h.at < 2:
            break
        marker = get_u16be(h.data + h.at)
        h.at += 2
    if marker == EOC:
        h.complete = True
    elif marker != SOT:
        return fault(&h.fault, "no tile-part where one has to be", h.at - 2)
    if h.tiles_seen < h.tiles:
        return fault(&h.fault, "a tile is missing", h.at)
    return DONE


cdef inline Outcome read_codestream(Jpeg2000Header* h) noexcept nogil:
    """SOC to EOC; h.at is the first byte."""
    cdef size_t length
    cdef bint coded = False
    cdef Outcome outcome
    if h.size - h.at < 6 or get_u16be(h.data + h.at) != SOC or get_u16be(h.data + h.at + 2) != SIZ:
        return fault(&h.fault, "no JPEG 2000 codestream", h.at)
    h.at += 4
    length = get_u16be(h.data + h.at)
    if length > h.size - h.at:
        return fault(&h.fault, "the codestream ends inside SIZ", h.at)
    if image_size(h, length) != DONE:
        return MALFORMED
    h.at += length
    if read_header(h, h.coding, h.size, True, &coded) != DONE:
        return MALFORMED
    if not h.coding[0].defined or not h.quantized:
        return fault(&h.fault, "a main header without COD or QCD", h.at)
    h.levels = h.coding[0].levels
    h.reversible = True
    if count_work(h, h.coding, h.tiles) != DONE:
        return MALFORMED
    h.next_part = <uint8_t*>calloc(h.tiles, 1)
    if h.next_part == NULL:
        return fault(&h.fault, "out of memory", h.at)
    outcome = tile_parts(h)
    free(h.next_part)
    h.next_part = NULL
    return outcome


# ---- JP2 boxes ------------------------------------------------------------------------------------------

cdef enum Box:
    BOX_COLR = 0x636F6C72
    BOX_JP2C = 0x6A703263
    BOX_JP2H = 0x6A703268
    BOX_PCLR = 0x70636C72


cdef inline Outcome open_box(Jpeg2000Header* h, uint32_t* kind, size_t* end) noexcept nogil:
    """The box at h.at: h.at is left at its content, which lies inside the data. T.800 I.4."""
    cdef size_t left = h.size - h.at
    cdef size_t head = 8
    cdef uint64_t length
    if left < 8:
        return fault(&h.fault, "a JP2 box that is cut short", h.at)
    length = get_u32be(h.data + h.at)
    kind[0] = get_u32be(h.data + h.at + 4)
    if length == 1:
        if left < 16:
            return fault(&h.fault, "a JP2 box that is cut short", h.at)
        length = (<uint64_t>get_u32be(h.data + h.at + 8) << 32) | get_u32be(h.data + h.at + 12)
        head = 16
    elif length == 0:
        length = left
    if length < head or length > left:
        return fault(&h.fault, "a JP2 box longer than the data", h.at)
    end[0] = h.at + length
    h.at += head
    return DONE


cdef inline Outcome jp2_header_box(Jpeg2000Header* h, size_t end) noexcept nogil:
    """jp2h: the colour space; a palette would change the number of samples and is refused. T.800 I.5.3."""
    cdef uint32_t kind = 0
    cdef size_t box_end = 0
    while h.at < end:
        if open_box(h, &kind, &box_end) != DONE:
            return MALFORMED
        if box_end > end:
            return fault(&h.fault, "a JP2 box longer than the one around it", h.at)
        if kind == BOX_PCLR:
            return fault(&h.fault, "a JP2 palette", h.at)
        if kind == BOX_COLR and box_end - h.at >= 7 and h.data[h.at] == 1:
            h.colour_space = <int>(get_u32be(h.data + h.at + 3) & 0x7FFFFFFF)
        h.at = box_end
    return DONE


cdef inline Outcome find_codestream(Jpeg2000Header* h) noexcept nogil:
    """Walk the boxes to the codestream; h.at is left at its first byte, h.size at the end of its box."""
    cdef uint32_t kind = 0
    cdef size_t end = 0
    while open_box(h, &kind, &end) == DONE:
        if kind == BOX_JP2C:
            h.size = end
            return DONE
        if kind == BOX_JP2H and jp2_header_box(h, end) != DONE:
            return MALFORMED
        h.at = end
        if h.at == h.size:
            return fault(&h.fault, "a JP2 file without a codestream", h.at)
    return MALFORMED


cdef inline Outcome read_jpeg2000_header(Jpeg2000Header* h) noexcept nogil:
    """A codestream, or a JP2 file around one. `h` is zeroed but for data, size and the ceilings."""
    if h.size >= 12 and get_u32be(h.data) == 12 and get_u32be(h.data + 4) == 0x6A502020:
        if find_codestream(h) != DONE:
            return MALFORMED
    h.start = h.at
    return read_codestream(h)
