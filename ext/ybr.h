/* YBR_FULL to RGB and back, 8 bits, PS3.3 C.7.6.3.1.2; one row of each component at a time.
 *
 * The equations are those of the standard with the coefficients that its four digits round (ITU-R
 * BT.601, as JFIF has them), so that one direction is the inverse of the other. Fixed point with 22
 * fractional bits gives the correctly rounded result, halves up, for every input: results are fractions
 * with small denominators (Y: 1/1000, Cb: 1/1772, G: 1/587000), so a little more than one half pushes the
 * exact halves over what the coefficients' own rounding takes away, and pushes nothing else. Tests try
 * every input. No intermediate leaves 32 bits.
 *
 * The loops are plain C that compilers turn into vectors; the AVX2 functions are the same source. */
#ifndef FASTDICOM_YBR_H
#define FASTDICOM_YBR_H

#include <stddef.h>
#include <stdint.h>

#include "vector.h"

#define YBR_BITS 22
#define YBR_FIXED(x) ((int32_t)((x) * (1 << YBR_BITS) + ((x) < 0 ? -0.5 : 0.5)))
#define YBR_HALF ((1 << (YBR_BITS - 1)) + 128)

static inline uint8_t ybr_clip(int32_t fixed) {
    const int32_t value = fixed >> YBR_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static inline void ybr_to_rgb_loop(const uint8_t *restrict y, const uint8_t *restrict cb, const uint8_t *restrict cr,
                                   uint8_t *restrict r, uint8_t *restrict g, uint8_t *restrict b, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        const int32_t luma = (int32_t)y[i] * (1 << YBR_BITS) + YBR_HALF;
        const int32_t blue = cb[i] - 128, red = cr[i] - 128;
        r[i] = ybr_clip(luma + YBR_FIXED(1.402) * red);
        g[i] = ybr_clip(luma - YBR_FIXED(0.114 * 1.772 / 0.587) * blue - YBR_FIXED(0.299 * 1.402 / 0.587) * red);
        b[i] = ybr_clip(luma + YBR_FIXED(1.772) * blue);
    }
}

static inline void ybr_from_rgb_loop(const uint8_t *restrict r, const uint8_t *restrict g, const uint8_t *restrict b,
                                     uint8_t *restrict y, uint8_t *restrict cb, uint8_t *restrict cr, size_t count) {
    const int32_t middle = 128 * (1 << YBR_BITS) + YBR_HALF;
    size_t i;
    for (i = 0; i < count; i++) {
        const int32_t red = r[i], green = g[i], blue = b[i];
        y[i] = ybr_clip(YBR_FIXED(0.299) * red + YBR_FIXED(0.587) * green + YBR_FIXED(0.114) * blue + YBR_HALF);
        cb[i] = ybr_clip(middle - YBR_FIXED(0.299 / 1.772) * red - YBR_FIXED(0.587 / 1.772) * green +
                         YBR_FIXED(0.5) * blue);
        cr[i] = ybr_clip(middle + YBR_FIXED(0.5) * red - YBR_FIXED(0.587 / 1.402) * green -
                         YBR_FIXED(0.114 / 1.402) * blue);
    }
}

#if defined(VECTOR_SSE2)

__attribute__((target("avx2"))) static void ybr_to_rgb_avx2(const uint8_t *const *ybr, uint8_t *const *rgb,
                                                            size_t count) {
    ybr_to_rgb_loop(ybr[0], ybr[1], ybr[2], rgb[0], rgb[1], rgb[2], count);
}

__attribute__((target("avx2"))) static void ybr_from_rgb_avx2(const uint8_t *const *rgb, uint8_t *const *ybr,
                                                              size_t count) {
    ybr_from_rgb_loop(rgb[0], rgb[1], rgb[2], ybr[0], ybr[1], ybr[2], count);
}

#endif

static void ybr_to_rgb(int path, const uint8_t *const *ybr, uint8_t *const *rgb, size_t count) {
#if defined(VECTOR_SSE2)
    if (path >= VECTOR_AVX2) {
        ybr_to_rgb_avx2(ybr, rgb, count);
        return;
    }
#endif
    (void)path;
    ybr_to_rgb_loop(ybr[0], ybr[1], ybr[2], rgb[0], rgb[1], rgb[2], count);
}

static void ybr_from_rgb(int path, const uint8_t *const *rgb, uint8_t *const *ybr, size_t count) {
#if defined(VECTOR_SSE2)
    if (path >= VECTOR_AVX2) {
        ybr_from_rgb_avx2(rgb, ybr, count);
        return;
    }
#endif
    (void)path;
    ybr_from_rgb_loop(rgb[0], rgb[1], rgb[2], ybr[0], ybr[1], ybr[2], count);
}

#endif
