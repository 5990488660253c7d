/* Where equal neighbours are: the search half of run-length encoding, 64 bytes a step.
 *
 * runs_equal64(path, at) gives a word whose bit i is set when at[i] == at[i + 1]; it reads at[0:65]. Runs
 * are then found by counting zero bits, so the cost goes with the number of runs, not of bytes. */
#ifndef FASTDICOM_RUNS_H
#define FASTDICOM_RUNS_H

#include <stdint.h>
#include <string.h>

#include "vector.h"

/* Bit i of the result: are bytes i of x and y equal? The eight answers of a 64-bit word are exact (no
 * borrow runs from byte to byte) and a multiplication collects them. */
static inline uint64_t runs_equal8(const uint8_t *at) {
    const uint64_t low7 = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t x, y, differ, equal;
    memcpy(&x, at, 8);
    memcpy(&y, at + 1, 8);
    differ = x ^ y;
    equal = ~(((differ & low7) + low7) | differ | low7); /* 0x80 in every byte that is zero in `differ` */
    return ((equal >> 7) * UINT64_C(0x0102040810204080)) >> 56;
}

static inline uint64_t runs_equal64_scalar(const uint8_t *at) {
    uint64_t mask = 0;
    int block;
    for (block = 0; block < 8; block++) mask |= runs_equal8(at + 8 * block) << (8 * block);
    return mask;
}

#if defined(VECTOR_SSE2)

static inline __m128i runs_load(const uint8_t *at) {
    return _mm_loadu_si128((const __m128i *)at);
}

static inline uint64_t runs_equal64_vector(const uint8_t *at) {
    uint64_t mask = 0;
    int block;
    for (block = 0; block < 4; block++) {
        const __m128i same = _mm_cmpeq_epi8(runs_load(at + 16 * block), runs_load(at + 16 * block + 1));
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(same) << (16 * block);
    }
    return mask;
}

#elif defined(VECTOR_NEON)

/* NEON has no movemask: weigh each byte with its bit and add neighbours until 64 bytes are 8. */
static inline uint64_t runs_equal64_vector(const uint8_t *at) {
    static const uint8_t weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t weight = vld1q_u8(weights);
    uint8x16_t same[4], sum;
    int block;
    for (block = 0; block < 4; block++)
        same[block] = vandq_u8(vceqq_u8(vld1q_u8(at + 16 * block), vld1q_u8(at + 16 * block + 1)), weight);
    sum = vpaddq_u8(vpaddq_u8(same[0], same[1]), vpaddq_u8(same[2], same[3]));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
}

#endif

static inline uint64_t runs_equal64(int path, const uint8_t *at) {
#if defined(VECTOR_SSE2) || defined(VECTOR_NEON)
    if (path >= VECTOR_BASELINE) return runs_equal64_vector(at);
#endif
    (void)path;
    return runs_equal64_scalar(at);
}

/* The place of the lowest set bit; `word` is not 0. */
static inline int runs_lowest_bit(uint64_t word) {
    return __builtin_ctzll(word);
}

#endif
