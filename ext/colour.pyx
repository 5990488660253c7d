"""YBR_FULL and YBR_FULL_422 to RGB and back, 8 bits: PS3.3 C.7.6.3.1.2.

Every function takes a whole buffer of interleaved pixels and gives a new bytearray, or fills `out`. Pixels
are split into rows of each component that stay in the first-level cache, converted (ybr.h) and put back.

YBR_RCT and YBR_ICT are transforms inside a JPEG 2000 codestream: its decoder undoes them and gives RGB.
Palette colour is left as it is: the samples are indices. Neither has a function here.
"""
from libc.stdint cimport uint8_t

from buffers cimport first_byte, result_buffer, writable
from planes cimport planes_interleave, planes_split
from vector cimport path_named, vector_best_path
from ybr cimport ybr_from_rgb, ybr_to_rgb

from fastdicom.errors import CodecError

cdef enum:
    ROW = 2048                  # pixels of a component converted at a time
    PAIR_ROW = 4096             # and twice as many, where two share a colour

# The vector path in use. Tests and benches choose another with use_path().
cdef int path = vector_best_path()


def use_path(str name not None):
    """Choose a vector path; see colour.pyi."""
    global path
    path = path_named(name)


cdef int check_whole(size_t size, size_t unit, str what) except -1:
    if size % unit:
        raise CodecError(f"{size} bytes are not a whole number of {what}", <object>(size - size % unit))
    return 0


cdef struct Rows:
    uint8_t input[4][ROW]
    uint8_t output[4][ROW]


cdef void convert_full(uint8_t* out, const uint8_t* data, size_t pixel_count, bint to_rgb) noexcept nogil:
    """Interleaved YBR_FULL to interleaved RGB, or back."""
    cdef Rows rows
    cdef uint8_t* inputs[3]
    cdef uint8_t* outputs[3]
    cdef size_t done = 0, count, i
    for i in range(3):
        inputs[i] = rows.input[i]
        outputs[i] = rows.output[i]
    while done < pixel_count:
        count = min(<size_t>ROW, pixel_count - done)
        planes_split(path, inputs, data + 3 * done, 3, count)
        if to_rgb:
            ybr_to_rgb(path, <const uint8_t**>inputs, outputs, count)
        else:
            ybr_from_rgb(path, <const uint8_t**>inputs, outputs, count)
        planes_interleave(path, out + 3 * done, <const uint8_t**>outputs, 3, count)
        done += count


cdef void expand_422(uint8_t* out, const uint8_t* data, size_t pair_count) noexcept nogil:
    """Y1 Y2 Cb Cr to RGB RGB: both pixels of a pair have its Cb and Cr."""
    cdef Rows rows
    cdef uint8_t* quads[4]
    cdef uint8_t* full[3]
    cdef const uint8_t* twice[2]
    cdef uint8_t* rgb[3]
    cdef size_t done = 0, count, i
    cdef uint8_t components[3][PAIR_ROW]
    cdef uint8_t colours[3][PAIR_ROW]
    for i in range(4):
        quads[i] = rows.input[i]
    for i in range(3):
        full[i] = components[i]
        rgb[i] = colours[i]
    while done < pair_count:
        count = min(<size_t>ROW, pair_count - done)
        planes_split(path, quads, data + 4 * done, 4, count)
        for i in range(3):
            twice[0] = quads[i + 1] if i else quads[0]
            twice[1] = quads[i + 1]
            planes_interleave(path, full[i], twice, 2, count)
        ybr_to_rgb(path, <const uint8_t**>full, rgb, 2 * count)
        planes_interleave(path, out + 6 * done, <const uint8_t**>rgb, 3, 2 * count)
        done += count


cdef void reduce_422(uint8_t* out, const uint8_t* data, size_t pair_count) noexcept nogil:
    """RGB RGB to Y1 Y2 Cb Cr: the pair's Cb and Cr are the means of its pixels', halves up."""
    cdef uint8_t colours[3][PAIR_ROW]
    cdef uint8_t components[3][PAIR_ROW]
    cdef uint8_t* rgb[3]
    cdef uint8_t* full[3]
    cdef size_t done = 0, count, i
    for i in range(3):
        rgb[i] = colours[i]
        full[i] = components[i]
    while done < pair_count:
        count = min(<size_t>ROW, pair_count - done)
        planes_split(path, rgb, data + 6 * done, 3, 2 * count)
        ybr_from_rgb(path, <const uint8_t**>rgb, full, 2 * count)
        for i in range(count):
            out[4 * (done + i)] = full[0][2 * i]
            out[4 * (done + i) + 1] = full[0][2 * i + 1]
            out[4 * (done + i) + 2] = <uint8_t>((full[1][2 * i] + full[1][2 * i + 1] + 1) >> 1)
            out[4 * (done + i) + 3] = <uint8_t>((full[2][2 * i] + full[2][2 * i + 1] + 1) >> 1)
        done += count


def ybr_full_to_rgb(const uint8_t[::1] data not None, out=None):
    """8-bit YBR_FULL to RGB; see colour.pyi."""
    cdef size_t size = <size_t>data.shape[0]
    cdef const uint8_t* source = first_byte(data)
    cdef uint8_t[::1] target
    cdef uint8_t* into
    check_whole(size, 3, "pixels of 3 samples")
    result = result_buffer(out, size)
    target = result
    into = writable(target, size)
    with nogil:
        convert_full(into, source, size // 3, True)
    return result


def rgb_to_ybr_full(const uint8_t[::1] data not None, out=None):
    """8-bit RGB to YBR_FULL; see colour.pyi."""
    cdef size_t size = <size_t>data.shape[0]
    cdef const uint8_t* source = first_byte(data)
    cdef uint8_t[::1] target
    cdef uint8_t* into
    check_whole(size, 3, "pixels of 3 samples")
    result = result_buffer(out, size)
    target = result
    into = writable(target, size)
    with nogil:
        convert_full(into, source, size // 3, False)
    return result


cdef int check_even(long long columns) except -1:
    if columns < 2 or columns % 2:
        raise CodecError(f"YBR_FULL_422 shares colour between pairs of pixels, {columns} columns are not pairs")
    return 0


def ybr_full_422_to_rgb(const uint8_t[::1] data not None, long long columns, out=None):
    """Native 8-bit YBR_FULL_422 to RGB; see colour.pyi."""
    cdef size_t size = <size_t>data.shape[0]
    cdef const uint8_t* source = first_byte(data)
    cdef uint8_t[::1] target
    cdef uint8_t* into
    check_even(columns)
    check_whole(size, 2 * <size_t>columns, f"rows of {columns} columns")
    result = result_buffer(out, size // 2 * 3)
    target = result
    into = writable(target, size // 2 * 3)
    with nogil:
        expand_422(into, source, size // 4)
    return result


def rgb_to_ybr_full_422(const uint8_t[::1] data not None, long long columns, out=None):
    """8-bit RGB to native YBR_FULL_422; see colour.pyi."""
    cdef size_t size = <size_t>data.shape[0]
    cdef const uint8_t* source = first_byte(data)
    cdef uint8_t[::1] target
    cdef uint8_t* into
    check_even(columns)
    check_whole(size, 3 * <size_t>columns, f"rows of {columns} columns")
    result = result_buffer(out, size // 3 * 2)
    target = result
    into = writable(target, size // 3 * 2)
    with nogil:
        reduce_422(into, source, size // 6)
    return result
