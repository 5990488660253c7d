# The predictors of lossless JPEG, ISO/IEC 10918-1 (T.81) H.1.2.1 and Table H.1. Header-only.
#
# A line holds `count` samples of 1-4 interleaved components: the left neighbour of sample i is sample
# i - stride. All arithmetic is modulo 2^16.
from libc.stdint cimport int32_t, uint16_t


cdef inline uint16_t predict(int selection, int32_t left, int32_t above, int32_t corner) noexcept nogil:
    if selection == 1:
        return <uint16_t>left
    if selection == 2:
        return <uint16_t>above
    if selection == 3:
        return <uint16_t>corner
    if selection == 4:
        return <uint16_t>(left + above - corner)
    if selection == 5:
        return <uint16_t>(left + ((above - corner) >> 1))
    if selection == 6:
        return <uint16_t>(above + ((left - corner) >> 1))
    return <uint16_t>((left + above) >> 1)


cdef inline void undo_line(
    uint16_t* line, const uint16_t* above, size_t count, size_t stride, int selection
) noexcept nogil:
    """Differences to samples, in place, with one predictor; each component's first sample is done."""
    cdef size_t i
    cdef uint16_t left = line[0]
    if stride == 1:                 # the left neighbour stays in a register: half the time
        for i in range(1, count):
            left = <uint16_t>(line[i] + predict(selection, left, above[i], above[i - 1]))
            line[i] = left
        return
    for i in range(stride, count):
        line[i] = <uint16_t>(line[i] + predict(selection, line[i - stride], above[i], above[i - stride]))


cdef inline void undo_prediction(
    uint16_t* line, const uint16_t* above, size_t count, size_t stride, int selection, uint16_t origin
) noexcept nogil:
    """Differences to samples, in place. above NULL: the first line of a scan or of a restart interval.

    origin: what predicts the very first sample, 2^(P - Pt - 1).
    """
    cdef size_t i
    for i in range(stride):
        line[i] = <uint16_t>(line[i] + (origin if above == NULL else above[i]))
    if above == NULL:
        undo_line(line, line, count, stride, 1)
    elif selection == 1:            # each call with a constant, so that the compiler makes a loop of each
        undo_line(line, above, count, stride, 1)
    elif selection == 2:
        undo_line(line, above, count, stride, 2)
    elif selection == 3:
        undo_line(line, above, count, stride, 3)
    elif selection == 4:
        undo_line(line, above, count, stride, 4)
    elif selection == 5:
        undo_line(line, above, count, stride, 5)
    elif selection == 6:
        undo_line(line, above, count, stride, 6)
    else:
        undo_line(line, above, count, stride, 7)


cdef inline void difference_line(
    uint16_t* out, const uint16_t* line, const uint16_t* above, size_t count, size_t stride, int selection
) noexcept nogil:
    cdef size_t i
    for i in range(stride, count):
        out[i] = <uint16_t>(line[i] - predict(selection, line[i - stride], above[i], above[i - stride]))


cdef inline void differences(
    uint16_t* out, const uint16_t* line, const uint16_t* above, size_t count, size_t stride, int selection,
    uint16_t origin,
) noexcept nogil:
    """Samples to differences: what undo_prediction takes back."""
    cdef size_t i
    for i in range(stride):
        out[i] = <uint16_t>(line[i] - (origin if above == NULL else above[i]))
    if above == NULL:
        difference_line(out, line, line, count, stride, 1)
    elif selection == 1:
        difference_line(out, line, above, count, stride, 1)
    elif selection == 2:
        difference_line(out, line, above, count, stride, 2)
    elif selection == 3:
        difference_line(out, line, above, count, stride, 3)
    elif selection == 4:
        difference_line(out, line, above, count, stride, 4)
    elif selection == 5:
        difference_line(out, line, above, count, stride, 5)
    elif selection == 6:
        difference_line(out, line, above, count, stride, 6)
    else:
        difference_line(out, line, above, count, stride, 7)
