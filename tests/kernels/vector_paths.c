/* Every path of the headers in ext/ against the scalar one, without Python: for processors that the test
 * machine only emulates. Prints what differs; the exit status is the number of differences, up to 1. */
#include <stdio.h>
#include <stdlib.h>

#include "planes.h"
#include "runs.h"
#include "ybr.h"

enum { COUNT_MAX = 300, PLANES_MAX = 15 };

static uint8_t bytes[PLANES_MAX * COUNT_MAX], interleaved[2][PLANES_MAX * COUNT_MAX];
static uint8_t planes[2][PLANES_MAX][COUNT_MAX];
static int differences;

static void expect(int equal, const char *what, int path, size_t plane_count, size_t count) {
    if (equal) return;
    printf("%s differs on path %d with %zu planes of %zu\n", what, path, plane_count, count);
    differences = 1;
}

static void compare_planes(int path, size_t plane_count, size_t count) {
    uint8_t *scalar[PLANES_MAX], *vector[PLANES_MAX];
    size_t p;
    for (p = 0; p < plane_count; p++) {
        scalar[p] = planes[0][p];
        vector[p] = planes[1][p];
    }
    planes_split(VECTOR_SCALAR, scalar, bytes, plane_count, count);
    planes_split(path, vector, bytes, plane_count, count);
    for (p = 0; p < plane_count; p++) expect(!memcmp(scalar[p], vector[p], count), "split", path, plane_count, count);
    planes_interleave(VECTOR_SCALAR, interleaved[0], (const uint8_t *const *)scalar, plane_count, count);
    planes_interleave(path, interleaved[1], (const uint8_t *const *)scalar, plane_count, count);
    expect(!memcmp(interleaved[0], bytes, plane_count * count), "scalar interleave", path, plane_count, count);
    expect(!memcmp(interleaved[1], bytes, plane_count * count), "interleave", path, plane_count, count);
}

static void compare_colours(int path, size_t count) {
    const uint8_t *in[3] = {bytes, bytes + COUNT_MAX, bytes + 2 * COUNT_MAX};
    uint8_t *scalar[3] = {planes[0][0], planes[0][1], planes[0][2]};
    uint8_t *vector[3] = {planes[1][0], planes[1][1], planes[1][2]};
    int p;
    ybr_to_rgb(VECTOR_SCALAR, in, scalar, count);
    ybr_to_rgb(path, in, vector, count);
    for (p = 0; p < 3; p++) expect(!memcmp(scalar[p], vector[p], count), "YBR to RGB", path, 3, count);
    ybr_from_rgb(VECTOR_SCALAR, in, scalar, count);
    ybr_from_rgb(path, in, vector, count);
    for (p = 0; p < 3; p++) expect(!memcmp(scalar[p], vector[p], count), "RGB to YBR", path, 3, count);
}

static void compare_runs(int path) {
    uint8_t row[65];
    uint64_t expected = 0;
    int i;
    for (i = 0; i < 65; i++) row[i] = (uint8_t)(rand() % 2 ? rand() : 0x80 * (rand() % 2));
    for (i = 0; i < 64; i++) expected |= (uint64_t)(row[i] == row[i + 1]) << i;
    expect(runs_equal64(VECTOR_SCALAR, row) == expected, "scalar runs", path, 1, 64);
    expect(runs_equal64(path, row) == expected, "runs", path, 1, 64);
}

int main(void) {
    int path, i;
    size_t plane_count, count;
    for (i = 0; i < (int)sizeof bytes; i++) bytes[i] = (uint8_t)rand();
    for (path = VECTOR_SCALAR; path <= vector_best_path(); path++) {
        for (count = 0; count <= COUNT_MAX; count++) {
            for (plane_count = 1; plane_count <= PLANES_MAX; plane_count++) compare_planes(path, plane_count, count);
            compare_colours(path, count);
        }
        for (i = 0; i < 20000; i++) compare_runs(path);
    }
    printf("compared paths 0 to %d\n", vector_best_path());
    return differences;
}
