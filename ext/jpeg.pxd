# Markers of ISO/IEC 10918-1 (T.81) Table B.1 and ISO/IEC 14495-1 (T.87), and the fault that the
# codestream kernels hand from their nogil functions to their `def`. Header-only.
from wire cimport Outcome, MALFORMED


cdef enum Marker:
    TEM = 0x01
    SOF0 = 0xC0
    SOF2 = 0xC2
    SOF3 = 0xC3
    DHT = 0xC4
    JPG = 0xC8
    DAC = 0xCC
    SOF15 = 0xCF
    RST0 = 0xD0
    RST7 = 0xD7
    SOI = 0xD8
    EOI = 0xD9
    SOS = 0xDA
    DQT = 0xDB
    DNL = 0xDC
    DRI = 0xDD
    DHP = 0xDE
    EXP = 0xDF
    APP0 = 0xE0
    APP14 = 0xEE
    APP15 = 0xEF
    SOF55 = 0xF7
    LSE = 0xF8
    COM = 0xFE


cdef struct Fault:
    const char* what
    size_t offset         # bytes from the codestream's start


cdef inline Outcome fault(Fault* out, const char* what, size_t offset) noexcept nogil:
    out.what = what
    out.offset = offset
    return MALFORMED
