"""Lossless JPEG with Huffman codes, both ways: ISO/IEC 10918-1 (T.81) Annex H, SOF3; PS3.5 A.4.1.

Decodes what DICOM calls JPEG Lossless, Process 14 (.57) and its Selection Value 1 (.70); encodes the latter
and, when asked, the other predictors. Colour is left alone: DICOM's lossless JPEG carries samples as they
are. Hierarchical and arithmetic processes are refused.
"""
cimport cython
from cpython.bytearray cimport PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from crew cimport Crew, Scratch, Task, do_now, end_task, hand_in, take_scratch
from huffman cimport Bits, decode_mixed, decode_shared, fill_pairs, fill_singles
from jpeg cimport DAC, DHP, DHT, DNL, DRI, EOI, EXP, RST0, RST7, SOF0, SOF3, SOF15, SOI, SOS, TEM, Fault, fault
from jpeg_lossless_encoder cimport (
    HEADER_SIZE_MAX, WRITE_AHEAD, Encoder, choose_codes, write_header, write_plain,
)
from jpeg_lossless_segments cimport (
    COMPONENTS_MAX, TABLES, Decoder, Scan, all_decoded, read_frame, read_line_count, read_marker,
    read_restart_interval, read_scan, read_segment, read_tables,
)
from prediction cimport undo_prediction
from stuffing cimport stuff, stuffed_offset, stuffing_size, unstuff
from wire cimport DONE, MALFORMED, Outcome

import os

from fastdicom.errors import CodecError, UsageError

cdef enum:
    THREADS_MAX = 8
    SIDE_MAX = 65535
    PAIRS_WORTH = 16384      # samples from which building the table of pairs pays
    READ_AHEAD = 32          # bytes that the bit buffer may look past the end

cdef Crew crew                   # decodes frames ahead
crew.owner = 0
cdef int threads = min(<int>THREADS_MAX, len(os.sched_getaffinity(0)) - 1)   # a processor for who waits


# ---- entropy-coded data ---------------------------------------------------------------------------------

cdef bint tables_shared(Scan* scan) noexcept nogil:
    cdef int k
    for k in range(1, scan.components):
        if scan.table[k] != scan.table[0]:
            return False
    return True


cdef size_t decode_line(
    Decoder* d, Scan* scan, Bits* bits, uint16_t* line, const uint16_t* above, bint shared, bint pairs
) noexcept nogil:
    """One line of samples, `above` NULL for the first one. Returns the count decoded; short: no such code."""
    cdef size_t count = d.columns * <size_t>scan.components
    cdef uint16_t origin = <uint16_t>(1 << (d.precision - scan.shift - 1))
    cdef size_t done
    if scan.components == 1 and (above == NULL or scan.selection == 1):
        if above != NULL:
            origin = above[0]
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


cdef void store_line(Decoder* d, Scan* scan, const uint16_t* line, size_t row) noexcept nogil:
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

cdef Outcome decode_interval(
    Decoder* d, Scan* scan, size_t row, size_t end, bint shared, bint pairs
) noexcept nogil:
    """The lines of one restart interval or of the whole scan; d.at is left behind the coded bytes."""
    cdef size_t line_count = d.columns * <size_t>scan.components
    cdef size_t start = d.at
    cdef size_t size = unstuff(d.data, d.size, &d.at, d.plain)
    cdef size_t used
    cdef const uint16_t* above = NULL
    cdef uint16_t* line
    cdef Bits bits
    memset(d.plain + size, 0, 4 * line_count + READ_AHEAD)
    bits.at = d.plain
    bits.window = 0
    bits.count = 0
    while row < end:
        line = d.lines + (row & 1) * line_count
        if decode_line(d, scan, &bits, line, above, shared, pairs) < line_count:
            used = ((bits.at - d.plain) * 8 - bits.count) >> 3
            start = stuffed_offset(d.data, d.size, start, used)
            return fault(&d.fault, "a pattern that is no Huffman code", start)
        if <size_t>((bits.at - d.plain) * 8 - bits.count) > 8 * size:
            return fault(&d.fault, "the entropy-coded data end before the image", d.at)
        store_line(d, scan, line, row)
        above = line
        row += 1
    return DONE


cdef Outcome decode_scan(Decoder* d, Scan* scan) noexcept nogil:
    """Entropy-coded segments with their restart markers, T.81 B.2.1; d.at is the first byte behind SOS."""
    cdef bint shared = tables_shared(scan)
    cdef bint pairs = shared and d.rows * d.columns * <size_t>scan.components >= PAIRS_WORTH
    cdef size_t row = 0
    cdef size_t step = d.restart_interval // d.columns if d.restart_interval else d.rows
    cdef int number = 0
    cdef int k
    for k in range(scan.components):
        fill_singles(scan.table[k])
    if pairs:
        fill_pairs(scan.table[0])
    while True:
        if decode_interval(d, scan, row, min(row + step, d.rows), shared, pairs) != DONE:
            return MALFORMED
        row += step
        if row >= d.rows:
            return DONE
        if d.size - d.at < 2 or d.data[d.at + 1] != RST0 + number:
            return fault(&d.fault, "a restart marker is missing or out of order", d.at)
        d.at += 2
        number = (number + 1) & 7


cdef Outcome read_marker_segment(Decoder* d, int marker) noexcept nogil:
    """One marker segment, and the entropy-coded data when it is a scan header; d.at is left behind it."""
    cdef Scan scan
    cdef size_t length
    if marker <= TEM or RST0 <= marker <= RST7 or marker == SOI:
        return fault(&d.fault, "a marker that has no place here", d.at - 1)
    if marker == DAC or marker == DHP or marker == EXP or SOF0 <= marker <= SOF15 and not (
        marker == SOF3 or marker == DHT
    ):
        return fault(&d.fault, "not lossless JPEG with Huffman codes", d.at - 1)
    if read_segment(d, &length) != DONE:
        return MALFORMED
    if marker == SOF3 and read_frame(d, length) != DONE:
        return MALFORMED
    if marker == DHT and read_tables(d, length) != DONE:
        return MALFORMED
    if marker == DRI and read_restart_interval(d, length) != DONE:
        return MALFORMED
    if marker == DNL and read_line_count(d, length) != DONE:
        return MALFORMED
    if marker != SOS:
        d.at += length
        return DONE
    if read_scan(d, &scan, length) != DONE:
        return MALFORMED
    d.at += length
    return decode_scan(d, &scan)


cdef Outcome decode_image(Decoder* d, bint end_required) noexcept nogil:
    """SOI to EOI. Once every component is decoded the end may be missing, unless it is required."""
    cdef int marker
    if d.size < 2 or d.data[0] != 0xFF or d.data[1] != SOI:
        return fault(&d.fault, "no JPEG codestream", 0)
    d.at = 2
    while True:
        if all_decoded(d) and not end_required:
            return check_line_count(d)
        if read_marker(d, &marker) != DONE:
            return MALFORMED
        if marker == EOI and all_decoded(d):
            return DONE
        if marker == EOI or marker == 0:
            return fault(&d.fault, "the codestream ends before the image", d.at)
        if read_marker_segment(d, marker) != DONE:
            return MALFORMED


cdef Outcome check_line_count(Decoder* d) noexcept nogil:
    """A DNL right behind the last scan has to agree with Rows; anything else there is not looked at."""
    cdef size_t length
    if d.size - d.at < 6 or d.data[d.at] != 0xFF or d.data[d.at + 1] != DNL:
        return DONE
    d.at += 2
    if read_segment(d, &length) != DONE:
        return MALFORMED
    return read_line_count(d, length)


# ---- entries --------------------------------------------------------------------------------------------

cdef check_size(Py_ssize_t rows, Py_ssize_t columns, int samples, int bits_allocated):
    if not (0 < rows <= SIDE_MAX and 0 < columns <= SIDE_MAX):
        raise CodecError(f"{rows} rows of {columns} columns are no image that JPEG can carry")
    if not 0 < samples <= COMPONENTS_MAX:
        raise CodecError(f"{samples} samples per pixel are not 1-{COMPONENTS_MAX}")
    if bits_allocated != 8 and bits_allocated != 16:
        raise CodecError(f"lossless JPEG carries 8 or 16 bits allocated, not {bits_allocated}")


cdef take_output(object out, Py_ssize_t size):
    """`out` checked, or a new bytearray that is not filled in."""
    if out is None:
        return PyByteArray_FromStringAndSize(NULL, size)
    cdef uint8_t[::1] view = out
    if view.shape[0] != size:
        raise UsageError(f"out has {view.shape[0]} bytes, the frame {size}")
    return out


cdef struct Order:                # a frame to decode, and what came of it
    const uint8_t* data
    size_t size
    size_t rows
    size_t columns
    int samples
    int sample_bytes
    bint planar
    bint end_required
    uint8_t* out
    bint no_memory
    Outcome outcome
    Fault fault


cdef void carry_out(void* what, Scratch* scratch) noexcept nogil:
    """Decode the frame of an Order."""
    cdef Order* order = <Order*>what
    cdef size_t lines = 2 * order.columns * <size_t>order.samples * sizeof(uint16_t)
    cdef Decoder* d = <Decoder*>take_scratch(scratch, sizeof(Decoder) + 2 * lines + order.size + READ_AHEAD)
    cdef int i
    order.no_memory = d == NULL
    if d == NULL:
        return
    d.data = order.data
    d.size = order.size
    d.rows = order.rows
    d.columns = order.columns
    d.samples = order.samples
    d.sample_bytes = order.sample_bytes
    d.planar = order.planar
    d.out = order.out
    d.precision = 0
    d.restart_interval = 0
    d.lines = <uint16_t*>(d + 1)
    d.plain = <uint8_t*>d.lines + lines
    for i in range(TABLES):
        d.table[i].defined = False
    order.outcome = decode_image(d, order.end_required)
    order.fault = d.fault


@cython.final
@cython.no_gc_clear                           # a thread may write to what the object refers to until the end
cdef class Decoding:
    """See the .pyi file."""

    cdef Order order
    cdef Task task
    cdef const uint8_t[::1] data
    cdef uint8_t[::1] pixels
    cdef object out
    cdef bint begun                           # a thread has it, or will
    cdef bint ended

    def __cinit__(
        self, const uint8_t[::1] data not None, Py_ssize_t rows, Py_ssize_t columns, int samples,
        int bits_allocated, out=None, bint planar=False, bint end_required=False,
    ):
        check_size(rows, columns, samples, bits_allocated)
        # Every sample takes one bit or more: nothing is allocated for a frame that the data cannot hold.
        if rows * columns * samples > 8 * data.shape[0]:
            raise CodecError(f"{data.shape[0]} bytes are too few for {rows} x {columns} x {samples} samples", 0)
        self.out = take_output(out, rows * columns * samples * (bits_allocated // 8))
        self.pixels = self.out
        self.data = data
        self.order.data = &data[0]
        self.order.size = data.shape[0]
        self.order.rows = rows
        self.order.columns = columns
        self.order.samples = samples
        self.order.sample_bytes = bits_allocated // 8
        self.order.planar = planar
        self.order.end_required = end_required
        self.order.out = &self.pixels[0]
        self.task.order = &self.order
        self.task.run = carry_out

    def __dealloc__(self):
        self._stop()

    cdef void _stop(self) noexcept:
        if self.ended:
            return
        if self.begun:
            with nogil:
                end_task(&crew, &self.task, False)
        self.order.outcome = fault(&self.order.fault, "given up before it was decoded", 0)
        self.ended = True

    def stop(self):
        """See the .pyi file."""
        self._stop()
        self.data = self.pixels = None            # their owners may do with them what they want

    def begin(self):
        """See the .pyi file."""
        if not self.begun and not self.ended and threads:
            self.begun = True
            hand_in(&crew, &self.task, threads)

    def wait(self):
        """See the .pyi file."""
        if not self.ended:
            with nogil:
                if self.begun:
                    end_task(&crew, &self.task, True)
                else:
                    do_now(&self.task)
            self.ended = True
            self.data = self.pixels = None
        if self.order.no_memory:
            raise MemoryError
        if self.order.outcome != DONE:
            raise CodecError(self.order.fault.what.decode("ascii"), self.order.fault.offset)
        return self.out


def threads_max():
    """See the .pyi file."""
    return threads


def decode_frame(
    const uint8_t[::1] data not None, Py_ssize_t rows, Py_ssize_t columns, int samples, int bits_allocated,
    out=None, bint planar=False, bint end_required=False,
):
    return Decoding(data, rows, columns, samples, bits_allocated, out, planar, end_required).wait()


cdef bytes finish_codestream(const uint8_t* header, size_t header_size, const uint8_t* plain, size_t size):
    """Header, stuffed data and EOI."""
    cdef size_t stuffing
    cdef uint8_t* out
    with nogil:
        stuffing = stuffing_size(plain, size)
    result = PyBytes_FromStringAndSize(NULL, header_size + size + stuffing + 2)
    out = <uint8_t*>PyBytes_AS_STRING(result)
    with nogil:
        memcpy(out, header, header_size)
        stuff(out + header_size, plain, size)
        out[header_size + size + stuffing] = 0xFF
        out[header_size + size + stuffing + 1] = EOI
    return result


def encode_frame(
    const uint8_t[::1] pixels not None, Py_ssize_t rows, Py_ssize_t columns, int samples, int bits_allocated,
    int precision, int predictor=1, bint planar=False,
):
    check_size(rows, columns, samples, bits_allocated)
    if not 2 <= precision <= bits_allocated:
        raise CodecError(f"precision {precision} is not 2-{bits_allocated}")
    if not 1 <= predictor <= 7:
        raise UsageError(f"predictor {predictor} is not 1-7")
    if pixels.shape[0] != rows * columns * samples * (bits_allocated // 8):
        raise CodecError(f"{pixels.shape[0]} bytes are no {rows} x {columns} x {samples} samples")
    cdef uint8_t header[HEADER_SIZE_MAX]
    cdef size_t header_size
    cdef size_t size = 0
    cdef uint8_t* plain = NULL
    cdef Encoder* e = <Encoder*>malloc(sizeof(Encoder))
    cdef uint16_t* lines = <uint16_t*>malloc(3 * columns * samples * sizeof(uint16_t))
    try:
        if e == NULL or lines == NULL:
            raise MemoryError
        e.pixels = &pixels[0]
        e.rows = rows
        e.columns = columns
        e.samples = samples
        e.sample_bytes = bits_allocated // 8
        e.planar = planar
        e.precision = precision
        e.selection = predictor
        e.lines = lines
        with nogil:
            size = choose_codes(e)
            if size:
                plain = <uint8_t*>malloc(size + WRITE_AHEAD)
            if plain:
                size = write_plain(e, plain)
        if size == 0:
            raise CodecError(f"a sample has more than {precision} bits")
        if plain == NULL:
            raise MemoryError
        header_size = write_header(e, header)
        return finish_codestream(header, header_size, plain, size)
    finally:
        free(e)
        free(lines)
        free(plain)
