/* The VRs whose elements need no second look: how long their heads are in explicit VR, and the unit in which
 * their numbers are swapped. PS3.5 Table 7.1-2, 7.3. SQ, and what is not in this edition, are not here.
 *
 * One row for each pair of letters, at PLAIN_ROW of it; a row that is empty or another pair's has another vr. */
#ifndef FASTDICOM_PLAIN_H
#define FASTDICOM_PLAIN_H
#include <stdint.h>

typedef struct {
    uint16_t vr; /* two letters, the first in the high byte */
    uint8_t head_length;
    uint8_t unit; /* 1: bytes and text */
} PlainVr;

#define PLAIN_ROW(vr) ((((vr) >> 3) & 0x3E0) | ((vr)&0x1F))
#define PLAIN_VR_ROW(a, b, head, unit) [PLAIN_ROW((a) << 8 | (b))] = {(a) << 8 | (b), head, unit}

static const PlainVr PLAIN_VR[1024] = {
    PLAIN_VR_ROW('A', 'E', 8, 1),  PLAIN_VR_ROW('A', 'S', 8, 1),  PLAIN_VR_ROW('A', 'T', 8, 2),
    PLAIN_VR_ROW('C', 'S', 8, 1),  PLAIN_VR_ROW('D', 'A', 8, 1),  PLAIN_VR_ROW('D', 'S', 8, 1),
    PLAIN_VR_ROW('D', 'T', 8, 1),  PLAIN_VR_ROW('F', 'D', 8, 8),  PLAIN_VR_ROW('F', 'L', 8, 4),
    PLAIN_VR_ROW('I', 'S', 8, 1),  PLAIN_VR_ROW('L', 'O', 8, 1),  PLAIN_VR_ROW('L', 'T', 8, 1),
    PLAIN_VR_ROW('P', 'N', 8, 1),  PLAIN_VR_ROW('S', 'H', 8, 1),  PLAIN_VR_ROW('S', 'L', 8, 4),
    PLAIN_VR_ROW('S', 'S', 8, 2),  PLAIN_VR_ROW('S', 'T', 8, 1),  PLAIN_VR_ROW('T', 'M', 8, 1),
    PLAIN_VR_ROW('U', 'I', 8, 1),  PLAIN_VR_ROW('U', 'L', 8, 4),  PLAIN_VR_ROW('U', 'S', 8, 2),
    PLAIN_VR_ROW('O', 'B', 12, 1), PLAIN_VR_ROW('O', 'D', 12, 8), PLAIN_VR_ROW('O', 'F', 12, 4),
    PLAIN_VR_ROW('O', 'L', 12, 4), PLAIN_VR_ROW('O', 'V', 12, 8), PLAIN_VR_ROW('O', 'W', 12, 2),
    PLAIN_VR_ROW('S', 'V', 12, 8), PLAIN_VR_ROW('U', 'C', 12, 1), PLAIN_VR_ROW('U', 'N', 12, 1),
    PLAIN_VR_ROW('U', 'R', 12, 1), PLAIN_VR_ROW('U', 'T', 12, 1), PLAIN_VR_ROW('U', 'V', 12, 8),
};

#endif
