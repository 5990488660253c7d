"""RLE Lossless both ways: PS3.5 Annex G, one frame a call.

A frame is a header of 64 bytes and up to 15 segments. Each segment is one byte plane of the image, most
significant byte first within a sample, packed line by line (packbits.pxd).

Both directions work in pieces that fit the cache: the decoder unpacks the same strip of every segment
and interleaves them, the encoder splits a line into planes and packs each.

Items, fragments and offset tables are not known here (encapsulated.pyx), nor what the samples mean.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from bits cimport spread_byte
from buffers cimport first_byte, result_buffer, writable
from packbits cimport (
    NO_FAULT, RUN_MAX, SEGMENT_SHORT, Line, Segment, check_end, pack_line, packed_line_max, unpack, unpacked_size,
)
from planes cimport planes_interleave, planes_split
from vector cimport path_named, vector_best_path
from wire cimport Outcome, DONE, MALFORMED, get_u32le, put_u32le, put_u64le

from fastdicom.errors import CodecError

cdef enum:
    HEADER_SIZE = 64
    SEGMENT_COUNT_MAX = 15      # what the header has room for
    EXPANSION_MAX = 64          # two bytes of a segment give at most 128
    SIDE_MAX = 65535            # Rows and Columns are US
    STRIP = 4096                # pixels decoded at a time: the strips of all segments stay cached

cdef struct Frame:
    size_t rows
    size_t columns
    size_t pixel_count
    size_t sample_size          # bytes of a sample in the segments
    size_t samples
    size_t plane_count          # samples * sample_size: one segment each
    size_t size                 # bytes of the frame, decoded
    bint one_bit                # a byte a pixel when decoded, maybe eight pixels a byte when not

# The vector path in use. Tests and benches choose another with use_path().
cdef int path = vector_best_path()


def use_path(str name not None):
    """Choose a vector path; see rle.pyi."""
    global path
    path = path_named(name)


cdef Frame describe(
    long long rows, long long columns, long long samples, long long bits_allocated
) except *:
    """Check that RLE can carry such an image, and work out its sizes. They fit in 64 bits."""
    cdef Frame frame
    if not (1 <= rows <= SIDE_MAX and 1 <= columns <= SIDE_MAX):
        raise CodecError(f"RLE cannot carry an image of {rows} rows and {columns} columns")
    if bits_allocated not in (1, 8, 16, 32, 64):
        raise CodecError(f"RLE cannot carry samples of {bits_allocated} bits")
    frame.sample_size = <size_t>(bits_allocated + 7) // 8
    if not 1 <= samples <= SEGMENT_COUNT_MAX // <long long>frame.sample_size:
        raise CodecError(f"{samples} samples of {bits_allocated} bits do not fit in 15 RLE segments")
    if bits_allocated == 1 and samples != 1:
        raise CodecError(f"one-bit pixels have one sample, not {samples}")
    frame.rows = <size_t>rows
    frame.columns = <size_t>columns
    frame.samples = <size_t>samples
    frame.pixel_count = frame.rows * frame.columns
    frame.plane_count = frame.samples * frame.sample_size
    frame.size = frame.pixel_count * frame.plane_count
    frame.one_bit = bits_allocated == 1
    return frame


cdef inline size_t mirrored(size_t index, size_t width) noexcept nogil:
    """Segments have the most significant byte of a sample first, planes the least: the one to the other."""
    return index - index % width + width - 1 - index % width


# ---- decoding -----------------------------------------------------------------------------------

cdef void decode_planes(
    Segment** segments, size_t plane_count, size_t pixel_count, uint8_t* scratch, uint8_t* out
) noexcept nogil:
    """Unpack `plane_count` segments and interleave them into `out`, strip by strip.

    scratch: plane_count rows of STRIP + RUN_MAX bytes.
    """
    cdef const uint8_t* planes[SEGMENT_COUNT_MAX]
    cdef size_t row_size = STRIP + RUN_MAX
    cdef size_t done = 0, count, i
    for i in range(plane_count):
        planes[i] = scratch + i * row_size
    if plane_count == 1 and pixel_count > RUN_MAX:
        # A single plane is unpacked in place, but for its last bytes: no run leaves the image from there.
        done = pixel_count - RUN_MAX
        unpack(segments[0], out, done)
        segments[0].ready -= done
        memcpy(scratch, out + done, segments[0].ready)
    while done < pixel_count:
        count = min(<size_t>STRIP, pixel_count - done)
        for i in range(plane_count):
            unpack(segments[i], scratch + i * row_size, count)
        planes_interleave(path, out + done * plane_count, planes, plane_count, count)
        for i in range(plane_count):
            segments[i].ready -= count      # what a run wrote past the strip opens the next one
            memmove(scratch + i * row_size, planes[i] + count, segments[i].ready)
        done += count
    for i in range(plane_count):
        check_end(segments[i])


cdef void decode_samples(
    const Frame* frame, Segment* segments, bint planar, uint8_t* scratch, uint8_t* out
) noexcept nogil:
    """Decode all segments into little-endian samples, one plane of samples each or interleaved."""
    cdef Segment* order[SEGMENT_COUNT_MAX]
    cdef size_t sample, i, width = frame.sample_size
    for i in range(frame.plane_count):
        order[i] = &segments[mirrored(i, width)]
    if not planar:
        decode_planes(order, frame.plane_count, frame.pixel_count, scratch, out)
        return
    for sample in range(frame.samples):
        decode_planes(order + sample * width, width, frame.pixel_count, scratch, out)
        out += width * frame.pixel_count


cdef void decode_bits(const Frame* frame, Segment* segment, uint8_t* scratch, uint8_t* out) noexcept nogil:
    """Decode one-bit pixels to a byte each.

    Annex G pads a pixel to a byte before it makes segments, but files with eight pixels a byte exist
    (the frame's native bytes, packed). The two differ eightfold in size, so the size tells which it is.
    """
    cdef size_t packed_size = (frame.pixel_count + 7) // 8
    cdef uint8_t* packed
    cdef uint8_t last[8]
    cdef size_t i
    if unpacked_size(segment) >= frame.pixel_count:
        decode_planes(&segment, 1, frame.pixel_count, scratch, out)
        return
    packed = out + frame.pixel_count - packed_size      # at the end, where spreading reads before it writes
    decode_planes(&segment, 1, packed_size, scratch, packed)
    for i in range(frame.pixel_count // 8):
        put_u64le(out + 8 * i, spread_byte(packed[i]))
    if frame.pixel_count % 8:
        put_u64le(last, spread_byte(packed[packed_size - 1]))
        memcpy(out + frame.pixel_count - frame.pixel_count % 8, last, frame.pixel_count % 8)


cdef Outcome open_segments(
    const uint8_t* data, size_t size, size_t plane_count, Segment* segments, size_t* fault_at
) noexcept nogil:
    """Read the RLE header, G.5. MALFORMED leaves the offset of the offending field in fault_at.

    As many segments as planes, the first behind the header, each behind the one before it, all
    of them inside the frame and none of them empty.
    """
    cdef size_t i, offset, previous = HEADER_SIZE - 1
    fault_at[0] = 0
    if size < HEADER_SIZE or get_u32le(data) != plane_count:
        return MALFORMED
    for i in range(plane_count):
        fault_at[0] = 4 + 4 * i
        offset = get_u32le(data + 4 + 4 * i)
        if offset <= previous or offset >= size:
            return MALFORMED
        segments[i] = Segment(data + offset, data + size, 0, NO_FAULT, 0)
        if i > 0:
            segments[i - 1].end = data + offset
        previous = offset
    return DONE


cdef object header_error(const uint8_t[::1] data, size_t plane_count, size_t fault_at):
    """The CodecError that tells what open_segments disliked."""
    if <size_t>data.shape[0] < HEADER_SIZE:
        return CodecError(f"an RLE frame of {data.shape[0]} bytes is shorter than its header", 0)
    value = get_u32le(&data[fault_at])
    if fault_at == 0:
        return CodecError(f"the RLE header counts {value} segments where the image has {plane_count}", 0)
    return CodecError(
        f"RLE segment {fault_at // 4} starts at byte {value}, before the end of what precedes it"
        f" or outside the {data.shape[0]} bytes of the frame", fault_at
    )


cdef int raise_segment_fault(const uint8_t* data, const Segment* segments, size_t plane_count) except -1:
    """Raise for the first segment that does not hold its plane exactly."""
    cdef size_t i
    for i in range(plane_count):
        if segments[i].fault != NO_FAULT:
            what = "ends" if segments[i].fault == SEGMENT_SHORT else "goes on"
            kind = "short of" if segments[i].fault == SEGMENT_SHORT else "past"
            raise CodecError(
                f"RLE segment {i + 1} {what} {segments[i].fault_size} bytes {kind} its plane",
                segments[i].at - data,
            )
    return 0


cdef int check_capacity(const Frame* frame, size_t size) except -1:
    """Raise if `size` bytes of RLE cannot fill the frame.

    Its dimensions come from the Data Set: memory is asked for only where the frame's own bytes vouch.
    """
    cdef size_t least = (frame.size + 7) // 8 if frame.one_bit else frame.size
    if least > size * EXPANSION_MAX:
        raise CodecError(f"{size} bytes of RLE cannot hold an image of {frame.size} bytes")
    return 0


cdef int decode_segments(const Frame* frame, Segment* segments, bint planar, uint8_t* out) except -1:
    cdef uint8_t* scratch = <uint8_t*>PyMem_RawMalloc(frame.plane_count * (STRIP + RUN_MAX))
    if scratch == NULL:
        raise MemoryError
    with nogil:
        if frame.one_bit:
            decode_bits(frame, segments, scratch, out)
        else:
            decode_samples(frame, segments, planar, scratch, out)
        PyMem_RawFree(scratch)
    return 0


def decode_frame(
    const uint8_t[::1] data not None,
    long long rows,
    long long columns,
    long long samples,
    long long bits_allocated,
    bint planar=False,
    out=None,
    bint strict=False,
):
    """Decode one frame; see rle.pyi."""
    cdef Frame frame = describe(rows, columns, samples, bits_allocated)
    cdef Segment segments[SEGMENT_COUNT_MAX]
    cdef size_t size = <size_t>data.shape[0], fault_at
    cdef const uint8_t* start = first_byte(data)
    cdef uint8_t[::1] target
    cdef uint8_t* into

    if open_segments(start, size, frame.plane_count, segments, &fault_at) != DONE:
        raise header_error(data, frame.plane_count, fault_at)
    check_capacity(&frame, size)
    result = result_buffer(out, frame.size)
    target = result
    into = writable(target, frame.size)
    decode_segments(&frame, segments, planar, into)
    if strict:
        raise_segment_fault(start, segments, frame.plane_count)
    return result


# ---- encoding -----------------------------------------------------------------------------------

cdef void encode_planes(
    const uint8_t* pixels, const Frame* frame, size_t plane_count, uint8_t* scratch, Line* line, uint8_t** ends
) noexcept nogil:
    """Pack interleaved planes line by line, each to where its ends[i] points, which moves along."""
    cdef uint8_t* rows[SEGMENT_COUNT_MAX]
    cdef size_t row_size = frame.columns + RUN_MAX
    cdef size_t i, y
    for i in range(plane_count):
        rows[i] = scratch + i * row_size
    for y in range(frame.rows):
        planes_split(path, rows, pixels, plane_count, frame.columns)
        for i in range(plane_count):
            ends[i] = pack_line(path, line, rows[i], ends[i])
        pixels += plane_count * frame.columns


cdef void encode_samples(
    const uint8_t* pixels, const Frame* frame, bint planar, uint8_t* scratch, Line* line, uint8_t** ends
) noexcept nogil:
    """Pack all planes. ends[i] belongs to plane i of the little-endian samples, not to segment i."""
    cdef size_t sample
    if not planar:
        encode_planes(pixels, frame, frame.plane_count, scratch, line, ends)
        return
    for sample in range(frame.samples):
        encode_planes(pixels, frame, frame.sample_size, scratch, line, ends + sample * frame.sample_size)
        pixels += frame.sample_size * frame.pixel_count


cdef bytes join_segments(const Frame* frame, uint8_t** starts, uint8_t** ends):
    """The finished frame: header and segments, most significant byte first, each of an even length."""
    cdef size_t offsets[SEGMENT_COUNT_MAX]
    cdef size_t total = HEADER_SIZE, segment, plane, size
    cdef size_t width = frame.sample_size
    cdef uint8_t* out
    for segment in range(frame.plane_count):
        plane = mirrored(segment, width)
        offsets[segment] = total
        total += <size_t>(ends[plane] - starts[plane])
        total += total % 2
    if total > 0xfffffffe:
        raise CodecError(f"an RLE frame of {total} bytes does not fit in a fragment")
    result = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>total)
    out = <uint8_t*>PyBytes_AS_STRING(result)
    with nogil:
        memset(out, 0, HEADER_SIZE)
        put_u32le(out, <uint32_t>frame.plane_count)
        for segment in range(frame.plane_count):
            plane = mirrored(segment, width)
            size = <size_t>(ends[plane] - starts[plane])
            put_u32le(out + 4 + 4 * segment, <uint32_t>offsets[segment])
            memcpy(out + offsets[segment], starts[plane], size)
            if size % 2:
                out[offsets[segment] + size] = 0
    return result


cdef uint8_t* pack_frame(
    const uint8_t* pixels, const Frame* frame, bint planar, uint8_t** starts, uint8_t** ends
) except NULL:
    """Pack every plane into memory that the caller frees: plane i is at starts[i] up to ends[i].

    The memory is room for the worst case, of which the system provides only what is written to.
    """
    cdef size_t row_size = frame.columns + RUN_MAX
    cdef size_t segment_max = frame.rows * packed_line_max(frame.columns) + RUN_MAX
    cdef size_t i, count = frame.plane_count
    cdef uint8_t* memory = <uint8_t*>PyMem_RawMalloc(sizeof(Line) + count * (row_size + segment_max))
    cdef Line* line = <Line*>memory
    cdef uint8_t* scratch = memory + sizeof(Line)
    if memory == NULL:
        raise MemoryError
    with nogil:
        line.size = frame.columns
        # Whole vectors of a row are compared; what lies behind its pixels must be there, not matter.
        memset(scratch, 0, count * row_size)
        for i in range(count):
            starts[i] = ends[i] = scratch + count * row_size + i * segment_max
        encode_samples(pixels, frame, planar, scratch, line, ends)
    return memory


def encode_frame(
    const uint8_t[::1] pixels not None,
    long long rows,
    long long columns,
    long long samples,
    long long bits_allocated,
    bint planar=False,
):
    """Encode one frame; see rle.pyi."""
    cdef Frame frame = describe(rows, columns, samples, bits_allocated)
    cdef uint8_t* starts[SEGMENT_COUNT_MAX]
    cdef uint8_t* ends[SEGMENT_COUNT_MAX]
    cdef uint8_t* memory
    if <size_t>pixels.shape[0] != frame.size:
        raise CodecError(f"an image of {frame.size} bytes was given as {pixels.shape[0]}")
    memory = pack_frame(&pixels[0], &frame, planar, starts, ends)
    try:
        return join_segments(&frame, starts, ends)
    finally:
        PyMem_RawFree(memory)
