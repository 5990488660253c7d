"""The gate: what a codestream claims about itself, read before any decoder sees it.

One walk over the markers of JPEG, JPEG-LS, JPEG 2000, HTJ2K or the header of an RLE frame. Syntax is judged
here; whether the claims fit the Data Set is for transcoding/gate.py to say. Nothing is decoded, nothing is
allocated from a length field, and the time is linear in the length of the data.
"""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from jpeg_header cimport JpegHeader, read_jpeg_header
from jpeg2000_header cimport Jpeg2000Header, read_jpeg2000_header
from wire cimport DONE, GIL_KEPT_BELOW, Outcome, get_u32le

from fastdicom.errors import CodecError

cdef enum:
    RLE_HEADER_SIZE = 64
    RLE_SEGMENTS_MAX = 15


def read_jpeg(const uint8_t[::1] data not None, int scans_max=100):
    cdef JpegHeader h
    cdef Outcome outcome
    if data.shape[0] == 0:
        raise CodecError("no JPEG codestream", 0)
    memset(&h, 0, sizeof(h))
    h.data = &data[0]
    h.size = data.shape[0]
    h.scans_max = scans_max
    h.adobe_transform = -1
    if data.shape[0] < GIL_KEPT_BELOW:
        outcome = read_jpeg_header(&h)
    else:
        with nogil:
            outcome = read_jpeg_header(&h)
    if outcome != DONE:
        raise CodecError(h.fault.what.decode("ascii"), h.fault.offset)
    return (
        h.process, h.precision, h.lines, h.columns, bytes(h.id[:h.components]),
        tuple([(h.sampling[i] >> 4, h.sampling[i] & 15) for i in range(h.components)]), h.scans, h.jfif,
        h.adobe_transform, h.restart_interval, h.selection, h.interleave, h.point_transform, h.entropy_size,
        h.at, h.complete,
    )


def read_jpeg2000(const uint8_t[::1] data not None, int tiles_max=4096, int components_max=4):
    cdef Jpeg2000Header h
    cdef Outcome outcome
    if data.shape[0] == 0:
        raise CodecError("no JPEG 2000 codestream", 0)
    memset(&h, 0, sizeof(h))
    h.data = &data[0]
    h.size = data.shape[0]
    h.tiles_max = tiles_max
    h.components_max = min(components_max, 4)
    if data.shape[0] < GIL_KEPT_BELOW:
        outcome = read_jpeg2000_header(&h)
    else:
        with nogil:
            outcome = read_jpeg2000_header(&h)
    if outcome != DONE:
        raise CodecError(h.fault.what.decode("ascii"), h.fault.offset)
    return (
        h.start, h.at, h.rows, h.columns, h.components, h.precision, h.is_signed, h.tiles, h.levels, h.layers,
        h.progression, h.component_transform, h.reversible, h.high_throughput, h.colour_space, h.complete,
    )


def read_rle(const uint8_t[::1] data not None):
    cdef uint32_t count, offset
    cdef uint32_t before = RLE_HEADER_SIZE - 1
    cdef size_t i
    if data.shape[0] < RLE_HEADER_SIZE:
        raise CodecError("an RLE frame shorter than its header", data.shape[0])
    count = get_u32le(&data[0])
    if count < 1 or count > RLE_SEGMENTS_MAX:
        raise CodecError(f"an RLE header with {count} segments", 0)
    offsets = []
    for i in range(count):
        offset = get_u32le(&data[4 + 4 * i])
        if offset <= before or offset >= data.shape[0]:
            raise CodecError(f"RLE segment {i + 1} is out of order or out of range", 4 + 4 * i)
        before = offset
        offsets.append(offset)
    return tuple(offsets)
