"""Lossless JPEG with Huffman codes, both ways: ISO/IEC 10918-1 (T.81) Annex H, SOF3; PS3.5 A.4.1.

Decodes what DICOM calls JPEG Lossless, Process 14 (.57) and its Selection Value 1 (.70); encodes the latter
and, when asked, the other predictors. Colour is left alone: DICOM's lossless JPEG carries samples as they
are. Hierarchical and arithmetic processes are refused.
"""
cimport cython
from cpython.bytearray cimport PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from crew cimport Crew, Scratch, Task, do_now, end_task, hand_in, take_scratch
from jpeg cimport DAC, DHP, DHT, DNL, DRI, EOI, EXP, RST0, RST7, SOF0, SOF3, SOF15, SOI, SOS, TEM, Fault, fault
from jpeg_lossless_encoder cimport (
    HEADER_SIZE_MAX, WRITE_AHEAD, Encoder, choose_codes, write_header, write_plain,
)
from jpeg_lossless_scans cimport READ_AHEAD, decode_scan, decode_scans_of_two, is_pairable
from jpeg_lossless_segments cimport (
    COMPONENTS_MAX, TABLES, Decoder, Scan, all_decoded, read_frame, read_line_count, read_marker,
    read_restart_interval, read_scan, read_segment, read_tables,
)
from stuffing cimport stuff, stuffing_size
from wire cimport DONE, MALFORMED, Outcome

import os

from fastdicom.errors import CodecError, UsageError

cdef enum:
    THREADS_MAX = 8
    SIDE_MAX = 65535
    ALIGNMENT = 16

cdef Crew crew                   # decodes frames ahead
crew.owner = 0
cdef int threads = min(<int>THREADS_MAX, len(os.sched_getaffinity(0)) - 1)   # a processor for who waits


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


cdef enum Due:
    SCAN_DUE                     # entropy-coded data begin here
    NOTHING_DUE                  # the image is whole
    BROKEN


cdef Outcome read_marker_segment(Decoder* d, int marker, Scan* scan) noexcept nogil:
    """One marker segment, of SOS into `scan`; d.at is left behind it."""
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
    if marker == SOS and read_scan(d, scan, length) != DONE:
        return MALFORMED
    d.at += length
    return DONE


cdef Due read_to_scan(Decoder* d, Scan* scan, bint end_required) noexcept nogil:
    """From d.at, 0 at first, to the next scan's data, or to the end of the image.

    Once every component is decoded the EOI may be missing, unless it is required.
    """
    cdef int marker
    if d.at == 0:
        if d.size < 2 or d.data[0] != 0xFF or d.data[1] != SOI:
            fault(&d.fault, "no JPEG codestream", 0)
            return BROKEN
        d.at = 2
    while True:
        if all_decoded(d) and not end_required:
            return NOTHING_DUE if check_line_count(d) == DONE else BROKEN
        if read_marker(d, &marker) != DONE:
            return BROKEN
        if marker == EOI and all_decoded(d):
            return NOTHING_DUE
        if marker == EOI or marker == 0:
            fault(&d.fault, "the codestream ends before the image", d.at)
            return BROKEN
        if read_marker_segment(d, marker, scan) != DONE:
            return BROKEN
        if marker == SOS:
            return SCAN_DUE


cdef Outcome decode_image(Decoder* d, Scan* scan, Due due, bint end_required) noexcept nogil:
    """All that is left of an image of which `due` is what read_to_scan gave."""
    while due == SCAN_DUE:
        due = BROKEN
        if decode_scan(d, scan) == DONE:
            due = read_to_scan(d, scan, end_required)
    return DONE if due == NOTHING_DUE else MALFORMED


cdef void decode_two_images(Decoder* d, Decoder* other, Order* order, Order* other_order) noexcept nogil:
    """Side by side if the codestreams let us, else one after the other."""
    cdef Scan scan, other_scan
    cdef Outcome outcome, other_outcome
    cdef Due due = read_to_scan(d, &scan, order.end_required)
    cdef Due other_due = read_to_scan(other, &other_scan, other_order.end_required)
    if due == SCAN_DUE and other_due == SCAN_DUE and is_pairable(d, &scan) and is_pairable(other, &other_scan):
        outcome = decode_scans_of_two(d, &scan, other, &other_scan, &other_outcome)
        due = read_to_scan(d, &scan, order.end_required) if outcome == DONE else BROKEN
        other_due = read_to_scan(other, &other_scan, other_order.end_required) if other_outcome == DONE else BROKEN
    order.outcome = decode_image(d, &scan, due, order.end_required)
    other_order.outcome = decode_image(other, &other_scan, other_due, other_order.end_required)


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


cdef size_t line_size(const Order* order) noexcept nogil:
    """Bytes of a line of samples."""
    return order.columns * <size_t>order.samples * sizeof(uint16_t)


cdef size_t scratch_size(const Order* order) noexcept nogil:
    """A decoder, two lines, the coded bytes and the zeros behind them; aligned for another decoder."""
    cdef size_t size = sizeof(Decoder) + 2 * line_size(order) + order.size + 2 * line_size(order) + READ_AHEAD
    return (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


cdef Decoder* begin_order(const Order* order, uint8_t* memory) noexcept nogil:
    """A decoder in `scratch_size` bytes of memory."""
    cdef Decoder* d = <Decoder*>memory
    cdef int i
    d.data = order.data
    d.size = order.size
    d.at = 0
    d.rows = order.rows
    d.columns = order.columns
    d.samples = order.samples
    d.sample_bytes = order.sample_bytes
    d.planar = order.planar
    d.out = order.out
    d.precision = 0
    d.restart_interval = 0
    d.lines = <uint16_t*>(d + 1)
    d.plain = <uint8_t*>d.lines + 2 * line_size(order)
    for i in range(TABLES):
        d.table[i].defined = False
    return d


cdef void carry_out(void* what, Scratch* scratch) noexcept nogil:
    """Decode the frame of an Order."""
    cdef Order* order = <Order*>what
    cdef uint8_t* memory = <uint8_t*>take_scratch(scratch, scratch_size(order))
    cdef Decoder* d
    cdef Scan scan
    order.no_memory = memory == NULL
    if memory == NULL:
        return
    d = begin_order(order, memory)
    order.outcome = decode_image(d, &scan, read_to_scan(d, &scan, order.end_required), order.end_required)
    order.fault = d.fault


cdef bint worth_pairing(void* one, void* other) noexcept nogil:
    """Whether the frames of two Orders may be such as are decoded side by side, see is_pairable."""
    cdef Order* order = <Order*>one
    cdef Order* second = <Order*>other
    return (
        order.rows == second.rows
        and order.columns == second.columns
        and order.samples == second.samples == 1
        and order.sample_bytes == second.sample_bytes == 2
    )


cdef void carry_out_two(void* one, void* other, Scratch* scratch) noexcept nogil:
    """Decode the frames of two Orders."""
    cdef Order* order = <Order*>one
    cdef Order* second = <Order*>other
    cdef uint8_t* memory = <uint8_t*>take_scratch(scratch, scratch_size(order) + scratch_size(second))
    cdef Decoder* d
    cdef Decoder* e
    order.no_memory = second.no_memory = memory == NULL
    if memory == NULL:
        return
    d = begin_order(order, memory)
    e = begin_order(second, memory + scratch_size(order))
    decode_two_images(d, e, order, second)
    order.fault = d.fault
    second.fault = e.fault


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
        self.task.run_two = carry_out_two
        self.task.worth_pairing = worth_pairing

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
        if not self.begun and not self.ended:
            self.begun = True
            hand_in(&crew, &self.task, threads)

    def wait(self):
        """See the .pyi file."""
        if not self.ended:
            with nogil:
                if self.begun:
                    end_task(&crew, &self.task, True)
                else:
                    do_now(&self.task, NULL)
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
