/* Which vector instructions this processor has, asked once when a kernel is imported.
 *
 * A build is for the baseline of its architecture; what goes beyond it sits in functions with a target
 * attribute and runs only on a path that says so. Kernels take the path as an argument, so tests and
 * benches can compare all of them in one process. */
#ifndef FASTDICOM_VECTOR_H
#define FASTDICOM_VECTOR_H

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the pixel kernels read little-endian samples as the processor's own"
#endif

#if defined(__SSE2__) && (defined(__GNUC__) || defined(__clang__))
#define VECTOR_SSE2 1
#include <immintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define VECTOR_NEON 1
#include <arm_neon.h>
#endif

enum {
    VECTOR_SCALAR = 0,
    VECTOR_BASELINE = 1, /* SSE2 or NEON: in every x86-64 and aarch64 processor */
    VECTOR_SSSE3 = 2,    /* a byte shuffle, which three planes need on x86-64 */
    VECTOR_AVX2 = 3      /* 32-bit multiplication, eight at a time */
};

static int vector_best_path(void) {
#if defined(VECTOR_SSE2)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) return VECTOR_AVX2;
    return __builtin_cpu_supports("ssse3") ? VECTOR_SSSE3 : VECTOR_BASELINE;
#elif defined(VECTOR_NEON)
    return VECTOR_BASELINE;
#else
    return VECTOR_SCALAR;
#endif
}

#endif
