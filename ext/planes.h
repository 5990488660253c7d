/* Byte planes to interleaved bytes and back.
 *
 * A plane holds one byte of every pixel: the red samples of an 8-bit image, the high bytes of a 16-bit
 * one. RLE segments are planes, and so is Planar Configuration 1. Interleaving k planes puts byte i of
 * plane p at i * k + p; splitting is the inverse. Two, three and four planes have vector code, any other
 * number takes the scalar loops, which also finish what does not fill a vector.
 *
 * Every function does the same on every path; the path is an argument, so tests and benches can compare
 * them in one process. Nothing here reads or writes past `count` pixels. */
#ifndef FASTDICOM_PLANES_H
#define FASTDICOM_PLANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vector.h"

/* The vector functions handle whole blocks of 16 pixels and return how many pixels they did. */

#if defined(VECTOR_SSE2)

static inline __m128i planes_load(const uint8_t *from) {
    return _mm_loadu_si128((const __m128i *)from);
}

static inline void planes_store(uint8_t *to, __m128i value) {
    _mm_storeu_si128((__m128i *)to, value);
}

static size_t planes_interleave2_vector(uint8_t *out, const uint8_t *const *planes, size_t count) {
    size_t i;
    for (i = 0; i + 16 <= count; i += 16) {
        const __m128i a = planes_load(planes[0] + i), b = planes_load(planes[1] + i);
        planes_store(out + 2 * i, _mm_unpacklo_epi8(a, b));
        planes_store(out + 2 * i + 16, _mm_unpackhi_epi8(a, b));
    }
    return i;
}

static size_t planes_interleave4_vector(uint8_t *out, const uint8_t *const *planes, size_t count) {
    size_t i;
    for (i = 0; i + 16 <= count; i += 16) {
        const __m128i a = planes_load(planes[0] + i), b = planes_load(planes[1] + i);
        const __m128i c = planes_load(planes[2] + i), d = planes_load(planes[3] + i);
        const __m128i ab_low = _mm_unpacklo_epi8(a, b), ab_high = _mm_unpackhi_epi8(a, b);
        const __m128i cd_low = _mm_unpacklo_epi8(c, d), cd_high = _mm_unpackhi_epi8(c, d);
        planes_store(out + 4 * i, _mm_unpacklo_epi16(ab_low, cd_low));
        planes_store(out + 4 * i + 16, _mm_unpackhi_epi16(ab_low, cd_low));
        planes_store(out + 4 * i + 32, _mm_unpacklo_epi16(ab_high, cd_high));
        planes_store(out + 4 * i + 48, _mm_unpackhi_epi16(ab_high, cd_high));
    }
    return i;
}

static size_t planes_split2_vector(uint8_t *const *planes, const uint8_t *in, size_t count) {
    const __m128i low_bytes = _mm_set1_epi16(0x00ff);
    size_t i;
    for (i = 0; i + 16 <= count; i += 16) {
        const __m128i x = planes_load(in + 2 * i), y = planes_load(in + 2 * i + 16);
        planes_store(planes[0] + i, _mm_packus_epi16(_mm_and_si128(x, low_bytes), _mm_and_si128(y, low_bytes)));
        planes_store(planes[1] + i, _mm_packus_epi16(_mm_srli_epi16(x, 8), _mm_srli_epi16(y, 8)));
    }
    return i;
}

static size_t planes_split4_vector(uint8_t *const *planes, const uint8_t *in, size_t count) {
    const __m128i low_bytes = _mm_set1_epi16(0x00ff);
    size_t i;
    int block;
    for (i = 0; i + 16 <= count; i += 16) {
        __m128i even[4], odd[4]; /* bytes 0 and 2, bytes 1 and 3 of each pixel, as 16-bit words */
        for (block = 0; block < 4; block++) {
            const __m128i x = planes_load(in + 4 * i + 16 * block);
            even[block] = _mm_and_si128(x, low_bytes);
            odd[block] = _mm_srli_epi16(x, 8);
        }
        {
            const __m128i ac0 = _mm_packus_epi16(even[0], even[1]), ac1 = _mm_packus_epi16(even[2], even[3]);
            const __m128i bd0 = _mm_packus_epi16(odd[0], odd[1]), bd1 = _mm_packus_epi16(odd[2], odd[3]);
            planes_store(planes[0] + i, _mm_packus_epi16(_mm_and_si128(ac0, low_bytes), _mm_and_si128(ac1, low_bytes)));
            planes_store(planes[1] + i, _mm_packus_epi16(_mm_and_si128(bd0, low_bytes), _mm_and_si128(bd1, low_bytes)));
            planes_store(planes[2] + i, _mm_packus_epi16(_mm_srli_epi16(ac0, 8), _mm_srli_epi16(ac1, 8)));
            planes_store(planes[3] + i, _mm_packus_epi16(_mm_srli_epi16(bd0, 8), _mm_srli_epi16(bd1, 8)));
        }
    }
    return i;
}

/* Sixteen pixels of three planes are three vectors. Byte j of the interleaved 48 is byte j / 3 of plane
 * j % 3, and each shuffle below picks what its source gives to its target; -1 leaves a zero to OR into. */

__attribute__((target("ssse3"))) static size_t planes_interleave3_vector(uint8_t *out, const uint8_t *const *planes,
                                                                         size_t count) {
    const __m128i a0 = _mm_setr_epi8(0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5);
    const __m128i b0 = _mm_setr_epi8(-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1);
    const __m128i c0 = _mm_setr_epi8(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1);
    const __m128i a1 = _mm_setr_epi8(-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1);
    const __m128i b1 = _mm_setr_epi8(5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10);
    const __m128i c1 = _mm_setr_epi8(-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1);
    const __m128i a2 = _mm_setr_epi8(-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1);
    const __m128i b2 = _mm_setr_epi8(-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1);
    const __m128i c2 = _mm_setr_epi8(10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15);
    size_t i;
    for (i = 0; i + 16 <= count; i += 16) {
        const __m128i a = planes_load(planes[0] + i), b = planes_load(planes[1] + i), c = planes_load(planes[2] + i);
        planes_store(out + 3 * i, _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(a, a0), _mm_shuffle_epi8(b, b0)),
                                               _mm_shuffle_epi8(c, c0)));
        planes_store(out + 3 * i + 16, _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(a, a1), _mm_shuffle_epi8(b, b1)),
                                                    _mm_shuffle_epi8(c, c1)));
        planes_store(out + 3 * i + 32, _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(a, a2), _mm_shuffle_epi8(b, b2)),
                                                    _mm_shuffle_epi8(c, c2)));
    }
    return i;
}

__attribute__((target("ssse3"))) static size_t planes_split3_vector(uint8_t *const *planes, const uint8_t *in,
                                                                    size_t count) {
    const __m128i a0 = _mm_setr_epi8(0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i a1 = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14, -1, -1, -1, -1, -1);
    const __m128i a2 = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 7, 10, 13);
    const __m128i b0 = _mm_setr_epi8(1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i b1 = _mm_setr_epi8(-1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1);
    const __m128i b2 = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14);
    const __m128i c0 = _mm_setr_epi8(2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i c1 = _mm_setr_epi8(-1, -1, -1, -1, -1, 1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1);
    const __m128i c2 = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15);
    size_t i;
    for (i = 0; i + 16 <= count; i += 16) {
        const __m128i x = planes_load(in + 3 * i), y = planes_load(in + 3 * i + 16), z = planes_load(in + 3 * i + 32);
        planes_store(planes[0] + i, _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(x, a0), _mm_shuffle_epi8(y, a1)),
                                                 _mm_shuffle_epi8(z, a2)));
        planes_store(planes[1] + i, _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(x, b0), _mm_shuffle_epi8(y, b1)),
                                                 _mm_shuffle_epi8(z, b2)));
        planes_store(planes[2] + i, _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(x, c0), _mm_shuffle_epi8(y, c1)),
                                                 _mm_shuffle_epi8(z, c2)));
    }
    return i;
}

#elif defined(VECTOR_NEON)

/* NEON loads and stores interleaved vectors with one instruction. */

static size_t planes_interleave2_vector(uint8_t *out, const uint8_t *const *planes, size_t count) {
    size_t i;
    for (i = 0; i + 16 <= count; i += 16) {
        const uint8x16x2_t v = {{vld1q_u8(planes[0] + i), vld1q_u8(planes[1] + i)}};
        vst2q_u8(out + 2 * i, v);
    }
    return i;
}

static size_t planes_interleave3_vector(uint8_t *out, const uint8_t *const *planes, size_t count) {
    size_t i;
    for (i = 0; i + 16 <= count; i += 16) {
        const uint8x16x3_t v = {{vld1q_u8(planes[0] + i), vld1q_u8(planes[1] + i), vld1q_u8(planes[2] + i)}};
        vst3q_u8(out + 3 * i, v);
    }
    return i;
}

static size_t planes_interleave4_vector(uint8_t *out, const uint8_t *const *planes, size_t count) {
    size_t i;
    for (i = 0; i + 16 <= count; i += 16) {
        const uint8x16x4_t v = {{vld1q_u8(planes[0] + i), vld1q_u8(planes[1] + i), vld1q_u8(planes[2] + i),
                                 vld1q_u8(planes[3] + i)}};
        vst4q_u8(out + 4 * i, v);
    }
    return i;
}

static size_t planes_split2_vector(uint8_t *const *planes, const uint8_t *in, size_t count) {
    size_t i;
    for (i = 0; i + 16 <= count; i += 16) {
        const uint8x16x2_t v = vld2q_u8(in + 2 * i);
        vst1q_u8(planes[0] + i, v.val[0]);
        vst1q_u8(planes[1] + i, v.val[1]);
    }
    return i;
}

static size_t planes_split3_vector(uint8_t *const *planes, const uint8_t *in, size_t count) {
    size_t i;
    for (i = 0; i + 16 <= count; i += 16) {
        const uint8x16x3_t v = vld3q_u8(in + 3 * i);
        vst1q_u8(planes[0] + i, v.val[0]);
        vst1q_u8(planes[1] + i, v.val[1]);
        vst1q_u8(planes[2] + i, v.val[2]);
    }
    return i;
}

static size_t planes_split4_vector(uint8_t *const *planes, const uint8_t *in, size_t count) {
    size_t i;
    for (i = 0; i + 16 <= count; i += 16) {
        const uint8x16x4_t v = vld4q_u8(in + 4 * i);
        vst1q_u8(planes[0] + i, v.val[0]);
        vst1q_u8(planes[1] + i, v.val[1]);
        vst1q_u8(planes[2] + i, v.val[2]);
        vst1q_u8(planes[3] + i, v.val[3]);
    }
    return i;
}

#endif

/* How many pixels vector code has done; 0 where the path has none for this number of planes. */

static size_t planes_interleave_blocks(int path, uint8_t *out, const uint8_t *const *planes, size_t plane_count,
                                       size_t count) {
#if defined(VECTOR_SSE2) || defined(VECTOR_NEON)
    if (path >= VECTOR_BASELINE && plane_count == 2) return planes_interleave2_vector(out, planes, count);
    if (path >= VECTOR_BASELINE && plane_count == 4) return planes_interleave4_vector(out, planes, count);
#if defined(VECTOR_NEON)
    if (path >= VECTOR_BASELINE && plane_count == 3) return planes_interleave3_vector(out, planes, count);
#else
    if (path >= VECTOR_SSSE3 && plane_count == 3) return planes_interleave3_vector(out, planes, count);
#endif
#endif
    (void)path, (void)out, (void)planes, (void)plane_count, (void)count;
    return 0;
}

static size_t planes_split_blocks(int path, uint8_t *const *planes, const uint8_t *in, size_t plane_count,
                                  size_t count) {
#if defined(VECTOR_SSE2) || defined(VECTOR_NEON)
    if (path >= VECTOR_BASELINE && plane_count == 2) return planes_split2_vector(planes, in, count);
    if (path >= VECTOR_BASELINE && plane_count == 4) return planes_split4_vector(planes, in, count);
#if defined(VECTOR_NEON)
    if (path >= VECTOR_BASELINE && plane_count == 3) return planes_split3_vector(planes, in, count);
#else
    if (path >= VECTOR_SSSE3 && plane_count == 3) return planes_split3_vector(planes, in, count);
#endif
#endif
    (void)path, (void)planes, (void)in, (void)plane_count, (void)count;
    return 0;
}

/* The pixels from `first` on: `width` (1, 2 or 4) planes that follow each other in a pixel are stored as one
 * word, which is what makes sixteen-bit colour (six planes) and more bearable without vectors. */
static inline void planes_interleave_words(uint8_t *out, const uint8_t *const *planes, size_t plane_count,
                                           size_t first, size_t count, size_t width) {
    size_t i, p, byte;
    for (p = 0; p < plane_count; p += width) {
        for (i = first; i < count; i++) {
            uint32_t word = 0;
            for (byte = 0; byte < width; byte++) word |= (uint32_t)planes[p + byte][i] << (8 * byte);
            memcpy(out + i * plane_count + p, &word, width);
        }
    }
}

/* out[i * plane_count + p] = planes[p][i] for i < count. `out` has plane_count * count bytes and overlaps
 * no plane. */
static void planes_interleave(int path, uint8_t *out, const uint8_t *const *planes, size_t plane_count,
                              size_t count) {
    size_t done;
    if (plane_count == 1) {
        memcpy(out, planes[0], count);
        return;
    }
    done = planes_interleave_blocks(path, out, planes, plane_count, count);
    if (plane_count % 4 == 0)
        planes_interleave_words(out, planes, plane_count, done, count, 4);
    else if (plane_count % 2 == 0)
        planes_interleave_words(out, planes, plane_count, done, count, 2);
    else
        planes_interleave_words(out, planes, plane_count, done, count, 1);
}

/* planes[p][i] = in[i * plane_count + p] for i < count: the inverse. */
static void planes_split(int path, uint8_t *const *planes, const uint8_t *in, size_t plane_count, size_t count) {
    size_t i, p, done;
    if (plane_count == 1) {
        memcpy(planes[0], in, count);
        return;
    }
    done = planes_split_blocks(path, planes, in, plane_count, count);
    for (p = 0; p < plane_count; p++)
        for (i = done; i < count; i++) planes[p][i] = in[i * plane_count + p];
}

#endif
