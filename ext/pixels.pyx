"""Pixel data rearranged: byte order, planes, bits and sign.

Every function takes a whole buffer and gives a new bytearray, or fills `out`. Samples are little-endian
and 8, 16 or 32 bits unless it says otherwise. Work is done in strips that stay in the first-level cache;
because a strip is copied there first, buffers need no alignment. What samples mean as colour is known in
colour.pyx.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from bits cimport gather_byte, spread_byte
from buffers cimport first_byte, result_buffer, writable
from planes cimport planes_interleave, planes_split
from vector cimport path_named, vector_best_path
from wire cimport get_u64le, put_u64le

from fastdicom.errors import CodecError, UsageError

cdef enum:
    STRIP = 8192                # bytes worked on at a time
    STRIP_WORDS = 1024
    PLANE_COUNT_MAX = 16        # four samples of 32 bits

# The vector path in use. Tests and benches choose another with use_path().
cdef int path = vector_best_path()

ctypedef fused sample:
    uint8_t
    uint16_t
    uint32_t

cdef struct Strip:
    uint64_t words[STRIP_WORDS]  # aligned for every sample


def use_path(str name not None):
    """Choose a vector path; see pixels.pyi."""
    global path
    path = path_named(name)


cdef size_t sample_bytes(long long bits_allocated) except 0:
    if bits_allocated not in (8, 16, 32):
        raise CodecError(f"samples of {bits_allocated} bits are not 8, 16 or 32 bits wide")
    return <size_t>bits_allocated // 8


cdef int check_whole(size_t size, size_t unit, str what) except -1:
    if size % unit:
        raise CodecError(f"{size} bytes are not a whole number of {what}", <object>(size - size % unit))
    return 0


# ---- byte order ---------------------------------------------------------------------------------

cdef void swap16(uint16_t* at, size_t count) noexcept nogil:
    cdef size_t i
    for i in range(count):
        at[i] = <uint16_t>((at[i] << 8) | (at[i] >> 8))


cdef void swap32(uint32_t* at, size_t count) noexcept nogil:
    cdef size_t i
    cdef uint32_t x
    for i in range(count):      # bytes within halves, then the halves: no step needs a byte shuffle
        x = ((at[i] & 0x00ff00ffu) << 8) | ((at[i] >> 8) & 0x00ff00ffu)
        at[i] = (x << 16) | (x >> 16)


cdef void swap64(uint64_t* at, size_t count) noexcept nogil:
    cdef size_t i
    cdef uint64_t x
    for i in range(count):
        x = ((at[i] & 0x00ff00ff00ff00ffu) << 8) | ((at[i] >> 8) & 0x00ff00ff00ff00ffu)
        x = ((x & 0x0000ffff0000ffffu) << 16) | ((x >> 16) & 0x0000ffff0000ffffu)
        at[i] = (x << 32) | (x >> 32)


def swap_bytes(const uint8_t[::1] data not None, long long bits, out=None):
    """Reverse the bytes of every word; see pixels.pyi."""
    cdef size_t size = <size_t>data.shape[0], done = 0, count
    cdef const uint8_t* source = first_byte(data)
    cdef uint8_t[::1] target
    cdef uint8_t* into
    cdef Strip strip
    if bits not in (16, 32, 64):
        raise UsageError(f"words of {bits} bits have no byte order to swap")
    check_whole(size, <size_t>bits // 8, f"{bits}-bit words")
    result = result_buffer(out, size)
    target = result
    into = writable(target, size)
    with nogil:
        while done < size:
            count = min(<size_t>STRIP, size - done)
            memcpy(strip.words, source + done, count)
            if bits == 16:
                swap16(<uint16_t*>strip.words, count // 2)
            elif bits == 32:
                swap32(<uint32_t*>strip.words, count // 4)
            else:
                swap64(strip.words, count // 8)
            memcpy(into + done, strip.words, count)
            done += count
    return result


# ---- Planar Configuration -----------------------------------------------------------------------

cdef void gather_words(
    sample* out, const uint8_t* data, size_t samples, size_t pixel_count, size_t first, size_t count
) noexcept nogil:
    """Interleave pixels [first, first + count) of `samples` planes at `data` into `out`."""
    cdef size_t i, s
    cdef sample word
    for s in range(samples):
        for i in range(count):
            memcpy(&word, data + (s * pixel_count + first + i) * sizeof(sample), sizeof(sample))
            out[i * samples + s] = word


cdef void scatter_words(
    uint8_t* out, const sample* data, size_t samples, size_t pixel_count, size_t first, size_t count
) noexcept nogil:
    """The inverse of gather_words: `data` holds the interleaved pixels."""
    cdef size_t i, s
    cdef sample word
    for s in range(samples):
        for i in range(count):
            word = data[i * samples + s]
            memcpy(out + (s * pixel_count + first + i) * sizeof(sample), &word, sizeof(sample))


cdef void interleave_samples(
    uint8_t* out, const uint8_t* data, size_t samples, size_t width, size_t pixel_count
) noexcept nogil:
    cdef const uint8_t* planes[PLANE_COUNT_MAX]
    cdef Strip strip
    cdef size_t s, done = 0, count
    if width == 1:
        memset(planes, 0, sizeof(planes))
        for s in range(samples):
            planes[s] = data + s * pixel_count
        planes_interleave(path, out, planes, samples, pixel_count)
        return
    while done < pixel_count:
        count = min(STRIP // (samples * width), pixel_count - done)
        if width == 2:
            gather_words(<uint16_t*>strip.words, data, samples, pixel_count, done, count)
        else:
            gather_words(<uint32_t*>strip.words, data, samples, pixel_count, done, count)
        memcpy(out + done * samples * width, strip.words, count * samples * width)
        done += count


cdef void split_samples(
    uint8_t* out, const uint8_t* data, size_t samples, size_t width, size_t pixel_count
) noexcept nogil:
    cdef uint8_t* planes[PLANE_COUNT_MAX]
    cdef Strip strip
    cdef size_t s, done = 0, count
    if width == 1:
        memset(planes, 0, sizeof(planes))
        for s in range(samples):
            planes[s] = out + s * pixel_count
        planes_split(path, planes, data, samples, pixel_count)
        return
    while done < pixel_count:
        count = min(STRIP // (samples * width), pixel_count - done)
        memcpy(strip.words, data + done * samples * width, count * samples * width)
        if width == 2:
            scatter_words(out, <const uint16_t*>strip.words, samples, pixel_count, done, count)
        else:
            scatter_words(out, <const uint32_t*>strip.words, samples, pixel_count, done, count)
        done += count


cdef size_t pixels_of(size_t size, long long samples, size_t width) except? 0:
    if not 1 <= samples <= 4:
        raise CodecError(f"{samples} samples per pixel are not 1 to 4")
    check_whole(size, <size_t>samples * width, f"pixels of {samples} samples")
    return size // (<size_t>samples * width)


def to_interleaved(const uint8_t[::1] data not None, long long samples, long long bits_allocated, out=None):
    """Planar Configuration 1 to 0; see pixels.pyi."""
    cdef size_t size = <size_t>data.shape[0], width = sample_bytes(bits_allocated)
    cdef size_t pixel_count = pixels_of(size, samples, width)
    cdef const uint8_t* source = first_byte(data)
    result = result_buffer(out, size)
    cdef uint8_t[::1] target = result
    cdef uint8_t* into = writable(target, size)
    with nogil:
        interleave_samples(into, source, <size_t>samples, width, pixel_count)
    return result


def to_planar(const uint8_t[::1] data not None, long long samples, long long bits_allocated, out=None):
    """Planar Configuration 0 to 1; see pixels.pyi."""
    cdef size_t size = <size_t>data.shape[0], width = sample_bytes(bits_allocated)
    cdef size_t pixel_count = pixels_of(size, samples, width)
    cdef const uint8_t* source = first_byte(data)
    result = result_buffer(out, size)
    cdef uint8_t[::1] target = result
    cdef uint8_t* into = writable(target, size)
    with nogil:
        split_samples(into, source, <size_t>samples, width, pixel_count)
    return result


# ---- one bit a pixel ----------------------------------------------------------------------------

cdef inline uint8_t bits_from(const uint8_t* data, size_t bit, size_t count) noexcept nogil:
    """`count` (1 to 8) bits from place `bit` on; no byte is read that holds none of them."""
    cdef size_t shift = bit % 8
    cdef unsigned int bits = data[bit // 8] >> shift
    if shift + count > 8:
        bits |= <unsigned int>data[bit // 8 + 1] << (8 - shift)
    return <uint8_t>(bits & (0xffu >> (8 - count)))


cdef void unpack(uint8_t* out, const uint8_t* data, size_t first, size_t count) noexcept nogil:
    cdef size_t i
    cdef uint8_t last[8]
    for i in range(count // 8):
        put_u64le(out + 8 * i, spread_byte(bits_from(data, first + 8 * i, 8)))
    if count % 8:
        put_u64le(last, spread_byte(bits_from(data, first + count - count % 8, count % 8)))
        memcpy(out + count - count % 8, last, count % 8)


cdef inline void put_bits(uint8_t* out, size_t bit, unsigned int bits, size_t count) noexcept nogil:
    """Replace `count` (1 to 8) bits from place `bit` on and keep their neighbours."""
    cdef size_t shift = bit % 8
    cdef unsigned int mask = (0xffu >> (8 - count)) << shift
    bits <<= shift
    out[bit // 8] = <uint8_t>((out[bit // 8] & ~mask) | bits)
    if mask > 0xff:
        out[bit // 8 + 1] = <uint8_t>((out[bit // 8 + 1] & ~(mask >> 8)) | (bits >> 8))


cdef size_t pack(uint8_t* out, const uint8_t* pixels, size_t first, size_t count) noexcept nogil:
    """Pack and return `count`, or stop at the first pixel that is neither 0 nor 1 and return its place."""
    cdef size_t i = 0, part
    cdef uint64_t eight
    cdef uint8_t last[8]
    while i < count:
        part = min(<size_t>8, count - i)
        if part == 8:
            eight = get_u64le(pixels + i)
        else:
            memset(last, 0, 8)
            memcpy(last, pixels + i, part)
            eight = get_u64le(last)
        if eight & 0xfefefefefefefefeu:
            while pixels[i] <= 1:
                i += 1
            return i
        if part == 8 and first % 8 == 0:
            out[(first + i) // 8] = gather_byte(eight)
        else:
            put_bits(out, first + i, gather_byte(eight), part)
        i += part
    return count


def unpack_bits(const uint8_t[::1] data not None, long long count, long long first=0, out=None):
    """One-bit pixels to a byte each; see pixels.pyi."""
    cdef const uint8_t* source = first_byte(data)
    cdef uint8_t[::1] target
    cdef uint8_t* into
    if first < 0 or count < 0 or first > 8 * data.shape[0] or count > 8 * data.shape[0] - first:
        raise CodecError(f"{data.shape[0]} bytes do not hold {count} bits from bit {first} on")
    result = result_buffer(out, <size_t>count)
    target = result
    into = writable(target, <size_t>count)
    with nogil:
        unpack(into, source, <size_t>first, <size_t>count)
    return result


def pack_bits(const uint8_t[::1] pixels not None, long long first=0, out=None):
    """Bytes of 0 and 1 to one bit each; see pixels.pyi."""
    cdef size_t count = <size_t>pixels.shape[0], done
    cdef const uint8_t* source = first_byte(pixels)
    cdef uint8_t[::1] view
    cdef uint8_t* into
    if first < 0:
        raise UsageError(f"there is no bit {first}")
    if out is None:
        out = bytearray((<size_t>first + count + 7) // 8)
    view = out
    if first > 8 * view.shape[0] or <long long>count > 8 * view.shape[0] - first:
        raise UsageError(f"{view.shape[0]} bytes have no room for {count} bits from bit {first} on")
    if count == 0:
        return out
    into = &view[0]
    with nogil:
        done = pack(into, source, <size_t>first, count)
    if done < count:
        raise CodecError(f"a pixel value of {pixels[done]} does not fit in one bit", done)
    return out


# ---- Bits Stored, High Bit, Pixel Representation, PS3.5 8.1.1 -----------------------------------

cdef void align(sample* at, size_t count, int shift, int bits_stored, bint signed) noexcept nogil:
    """Move the stored bits to the bottom, clear or sign-extend the rest."""
    cdef sample mask = <sample>(((<uint64_t>1) << bits_stored) - 1)
    cdef sample sign = <sample>((<uint64_t>1) << (bits_stored - 1)) if signed else 0
    cdef size_t i
    cdef sample stored
    for i in range(count):
        stored = <sample>((at[i] >> shift) & mask)
        at[i] = <sample>((stored ^ sign) - sign)    # turns the sign bit into all the bits above it


cdef uint32_t stray(const sample* at, size_t count, int shift, int bits_stored, bint signed) noexcept nogil:
    """The bits that differ, in any sample, from what `align` and shifting back would leave."""
    cdef sample mask = <sample>(((<uint64_t>1) << bits_stored) - 1)
    cdef sample sign = <sample>((<uint64_t>1) << (bits_stored - 1)) if signed else 0
    cdef sample stored, found = 0
    cdef size_t i
    for i in range(count):
        stored = <sample>((at[i] >> shift) & mask)
        found |= <sample>(at[i] ^ <sample>(<sample>((stored ^ sign) - sign) << shift))
    return found


cdef int check_stored(long long bits_allocated, long long bits_stored, long long high_bit) except -1:
    if not (1 <= bits_stored <= bits_allocated and bits_stored - 1 <= high_bit < bits_allocated):
        raise CodecError(
            f"Bits Stored {bits_stored} and High Bit {high_bit} do not fit in Bits Allocated {bits_allocated}"
        )
    return 0


def align_samples(
    const uint8_t[::1] data not None,
    long long bits_allocated,
    long long bits_stored,
    long long high_bit,
    bint signed,
    out=None,
):
    """Stored values as plain integers; see pixels.pyi."""
    cdef size_t size = <size_t>data.shape[0], width = sample_bytes(bits_allocated), done = 0, count
    cdef const uint8_t* source = first_byte(data)
    cdef int shift, stored
    cdef uint8_t[::1] target
    cdef uint8_t* into
    cdef Strip strip
    check_stored(bits_allocated, bits_stored, high_bit)
    check_whole(size, width, f"{bits_allocated}-bit samples")
    shift = <int>(high_bit + 1 - bits_stored)
    stored = <int>bits_stored
    result = result_buffer(out, size)
    target = result
    into = writable(target, size)
    with nogil:
        while done < size:
            count = min(<size_t>STRIP, size - done)
            memcpy(strip.words, source + done, count)
            if width == 1:
                align(<uint8_t*>strip.words, count, shift, stored, signed)
            elif width == 2:
                align(<uint16_t*>strip.words, count // 2, shift, stored, signed)
            else:
                align(<uint32_t*>strip.words, count // 4, shift, stored, signed)
            memcpy(into + done, strip.words, count)
            done += count
    return result


def stray_bits(
    const uint8_t[::1] data not None,
    long long bits_allocated,
    long long bits_stored,
    long long high_bit,
    bint signed,
):
    """Which unused bits are in use; see pixels.pyi."""
    cdef size_t size = <size_t>data.shape[0], width = sample_bytes(bits_allocated), done = 0, count
    cdef const uint8_t* source = first_byte(data)
    cdef uint32_t found = 0
    cdef int shift, stored
    cdef Strip strip
    check_stored(bits_allocated, bits_stored, high_bit)
    check_whole(size, width, f"{bits_allocated}-bit samples")
    shift = <int>(high_bit + 1 - bits_stored)
    stored = <int>bits_stored
    with nogil:
        while done < size:
            count = min(<size_t>STRIP, size - done)
            memcpy(strip.words, source + done, count)
            if width == 1:
                found |= stray(<uint8_t*>strip.words, count, shift, stored, signed)
            elif width == 2:
                found |= stray(<uint16_t*>strip.words, count // 2, shift, stored, signed)
            else:
                found |= stray(<uint32_t*>strip.words, count // 4, shift, stored, signed)
            done += count
    return found


def overlay_bits(const uint8_t[::1] data not None, long long bits_allocated, long long bit, out=None):
    """One bit of every sample as a bitmap; see pixels.pyi."""
    cdef size_t size = <size_t>data.shape[0], width = sample_bytes(bits_allocated)
    cdef const uint8_t* source = first_byte(data)
    cdef size_t count, i, in_byte
    cdef unsigned int shift
    cdef uint8_t[::1] target
    cdef uint8_t* into
    if not 0 <= bit < bits_allocated:
        raise CodecError(f"samples of {bits_allocated} bits have no bit {bit}")
    check_whole(size, width, f"{bits_allocated}-bit samples")
    count = size // width
    result = result_buffer(out, (count + 7) // 8)
    target = result
    into = writable(target, (count + 7) // 8)
    source += bit // 8              # little-endian: the bit is in this byte of each sample
    in_byte = <size_t>bit % 8
    with nogil:
        memset(into, 0, (count + 7) // 8)
        for i in range(count):
            shift = <unsigned int>(i % 8)
            into[i // 8] |= <uint8_t>(((source[i * width] >> in_byte) & 1) << shift)
    return result
