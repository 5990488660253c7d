# The heads of Data Elements: tag, VR and length, PS3.5 7.1, 7.5 and Table 7.1-1. Header-only.
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from wire cimport (
    DONE, MALFORMED, NEED_MORE, Outcome,
    get_u16be, get_u16le, get_u32be, get_u32le,
    put_u16be, put_u16le, put_u32be, put_u32le,
)


cdef enum:
    HEAD_SHORT = 8                # items, implicit VR, and explicit VRs with a 16-bit length
    HEAD_LONG = 12                # explicit VRs with a 32-bit length
    SHORT_LENGTH_MAX = 0xFFFE     # the longest even value of a VR with a 16-bit length

    GROUP_OF_ITEMS = 0xFFFE
    ITEM = 0xFFFEE000
    ITEM_END = 0xFFFEE00D
    SEQUENCE_END = 0xFFFEE0DD
    PIXEL_DATA = 0x7FE00010
    LENGTH_UNDEFINED = 0xFFFFFFFF

    NO_VR = 0                     # the encoding states none
    VR_AE = 0x4145
    VR_AS = 0x4153
    VR_AT = 0x4154
    VR_CS = 0x4353
    VR_DA = 0x4441
    VR_DS = 0x4453
    VR_DT = 0x4454
    VR_FD = 0x4644
    VR_FL = 0x464C
    VR_IS = 0x4953
    VR_LO = 0x4C4F
    VR_LT = 0x4C54
    VR_OB = 0x4F42
    VR_OD = 0x4F44
    VR_OF = 0x4F46
    VR_OL = 0x4F4C
    VR_OV = 0x4F56
    VR_OW = 0x4F57
    VR_PN = 0x504E
    VR_SH = 0x5348
    VR_SL = 0x534C
    VR_SQ = 0x5351
    VR_SS = 0x5353
    VR_ST = 0x5354
    VR_SV = 0x5356
    VR_TM = 0x544D
    VR_UC = 0x5543
    VR_UI = 0x5549
    VR_UL = 0x554C
    VR_UN = 0x554E
    VR_UR = 0x5552
    VR_US = 0x5553
    VR_UT = 0x5554
    VR_UV = 0x5556
    VR_US_OR_SS = 0x7873          # "xs", "ox", "lw", "lt": dictionary.h
    VR_OB_OR_OW = 0x6F78
    VR_US_OR_OW = 0x6C77
    VR_US_OR_SS_OR_OW = 0x6C74


cdef struct Element:
    uint32_t tag
    uint32_t length               # of the value; LENGTH_UNDEFINED when delimited
    uint16_t vr                   # as stated: two letters, the first in the high byte; NO_VR
    uint16_t known_vr             # the same, or what PS3.6 says where none is stated; see find_vr
    uint16_t head_length          # bytes from the tag to the value


cdef inline bint has_short_length(uint16_t vr) noexcept nogil:
    """True for the VRs whose length has 16 bits. PS3.5 Table 7.1-2."""
    return vr in (
        VR_AE, VR_AS, VR_AT, VR_CS, VR_DA, VR_DS, VR_DT, VR_FD, VR_FL, VR_IS, VR_LO, VR_LT, VR_PN,
        VR_SH, VR_SL, VR_SS, VR_ST, VR_TM, VR_UI, VR_UL, VR_US,
    )


cdef inline bint is_two_letters(uint16_t vr) noexcept nogil:
    """True for any two upper case letters: a VR of this or of a coming edition. PS3.5 6.2."""
    return 0x41 <= (vr >> 8) <= 0x5A and 0x41 <= (vr & 0xFF) <= 0x5A


cdef inline size_t unit_of(uint16_t vr) noexcept nogil:
    """Bytes of one number whose order depends on the byte order; 1 for text and bytes. PS3.5 7.3."""
    if vr in (VR_AT, VR_OW, VR_SS, VR_US):
        return 2
    if vr in (VR_FL, VR_OF, VR_OL, VR_SL, VR_UL):
        return 4
    if vr in (VR_FD, VR_OD, VR_OV, VR_SV, VR_UV):
        return 8
    return 1


cdef inline size_t number_size(uint16_t vr) noexcept nogil:
    """What the length of a value has to be a multiple of: AT counts as one number here."""
    return 4 if vr == VR_AT else unit_of(vr)


cdef inline uint8_t padding_of(uint16_t vr) noexcept nogil:
    """The byte that makes a value of odd length even. PS3.5 6.2."""
    if vr in (VR_UI, VR_OB, VR_UN):
        return 0
    return 0x20


cdef inline Outcome read_head(
    const uint8_t* at, size_t left, bint explicit_vr, bint big_endian, Element* out
) noexcept nogil:
    """Read the head at `at`, of which `left` bytes are there.

    A VR that no table knows but that consists of two letters has a 32-bit length, as all VRs to come
    (PS3.5 7.1.2). MALFORMED: no VR where one has to be; out.tag and out.vr tell what stood there.
    """
    cdef uint16_t group, element
    if left < HEAD_SHORT:
        return NEED_MORE
    group = get_u16be(at) if big_endian else get_u16le(at)
    element = get_u16be(at + 2) if big_endian else get_u16le(at + 2)
    out.tag = (<uint32_t>group << 16) | element
    if group == GROUP_OF_ITEMS or not explicit_vr:
        out.vr = NO_VR
        out.head_length = HEAD_SHORT
        out.length = get_u32be(at + 4) if big_endian else get_u32le(at + 4)
        return DONE
    out.vr = get_u16be(at + 4)
    if has_short_length(out.vr):
        out.head_length = HEAD_SHORT
        out.length = get_u16be(at + 6) if big_endian else get_u16le(at + 6)
        return DONE
    if not is_two_letters(out.vr):
        return MALFORMED
    if left < HEAD_LONG:
        return NEED_MORE
    out.head_length = HEAD_LONG
    out.length = get_u32be(at + 8) if big_endian else get_u32le(at + 8)
    return DONE


cdef inline size_t head_length_of(uint32_t tag, uint16_t vr, bint explicit_vr) noexcept nogil:
    """Bytes that write_head will take."""
    return HEAD_SHORT if not explicit_vr or has_short_length(vr) or (tag >> 16) == GROUP_OF_ITEMS else HEAD_LONG


cdef inline void write_u16(uint8_t* at, uint16_t value, bint big_endian) noexcept nogil:
    if big_endian:
        put_u16be(at, value)
    else:
        put_u16le(at, value)


cdef inline void write_u32(uint8_t* at, uint32_t value, bint big_endian) noexcept nogil:
    if big_endian:
        put_u32be(at, value)
    else:
        put_u32le(at, value)


cdef inline void write_head(
    uint8_t* at, uint32_t tag, uint16_t vr, uint32_t length, bint explicit_vr, bint big_endian
) noexcept nogil:
    """Write an element's head; the caller has checked that a short VR's length fits into 16 bits."""
    write_u16(at, <uint16_t>(tag >> 16), big_endian)
    write_u16(at + 2, <uint16_t>tag, big_endian)
    if not explicit_vr or (tag >> 16) == GROUP_OF_ITEMS:
        write_u32(at + 4, length, big_endian)
        return
    at[4] = <uint8_t>(vr >> 8)
    at[5] = <uint8_t>vr
    if has_short_length(vr):
        write_u16(at + 6, <uint16_t>length, big_endian)
        return
    write_u16(at + 6, 0, big_endian)
    write_u32(at + 8, length, big_endian)
