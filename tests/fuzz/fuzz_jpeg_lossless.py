"""Lossless JPEG: damaged streams give a frame of the right size or an error; any pixels survive a round trip.

python -m tests.fuzz jpeg_lossless; see docs/fuzzing.md.
"""

from __future__ import annotations

from collections.abc import Callable

from fastdicom.errors import CodecError
from fastdicom.kernels import jpeg_lossless
from tests.support import jpeg_reference as jpeg
from tests.support.jpeg_reference import Options

PARAMETERS_SIZE = 5
LARGE = (130, 130, 1)  # worth the table of pairs, and decoding side by side
SOUND_PIXELS = bytes(range(130)) * 260
SOUND = jpeg_lossless.encode_frame(SOUND_PIXELS, *LARGE, 16, 16)
SIZES = ((4, 5, 1), (6, 7, 3), (3, 2, 2), (1, 40, 1), (20, 4, 4), LARGE)


def one_input(data: bytes) -> None:
    """The first bytes choose the image; the others are a codestream first and pixels then."""
    if len(data) < PARAMETERS_SIZE:
        return
    size, bits, planar = SIZES[data[0] % len(SIZES)], 8 + 8 * (data[1] & 1), bool(data[1] & 2)
    check_decoder(data[PARAMETERS_SIZE:], size, bits, planar, end_required=bool(data[1] & 4))
    if size == LARGE:
        check_side_by_side(data[PARAMETERS_SIZE:], first=bool(data[1] & 8))
    check_encoder(data[PARAMETERS_SIZE:], data[2] % 40 + 1, bits, 1 + data[3] % 4, 1 + data[4] % 7, planar)


def check_decoder(
    data: bytes, size: tuple[int, int, int], bits: int, planar: bool, end_required: bool
) -> None:
    rows, columns, samples = size
    length = rows * columns * samples * bits // 8
    try:
        frame = jpeg_lossless.decode_frame(data, *size, bits, planar=planar, end_required=end_required)
    except CodecError as error:
        assert error.offset is not None
        assert 0 <= error.offset <= len(data)
        return
    assert len(frame) == length
    out = memoryview(bytearray(length + 1))[1:]  # an odd address
    assert jpeg_lossless.decode_frame(data, *size, bits, out=out, planar=planar) == frame


def check_side_by_side(data: bytes, first: bool) -> None:
    """What is begun behind or before a sound frame is what it is alone, and so is the sound one."""
    begun = [jpeg_lossless.Decoding(SOUND, *LARGE, 16)]
    try:
        begun.insert(0 if first else 1, jpeg_lossless.Decoding(data, *LARGE, 16))
    except CodecError:
        return  # too short for any frame of the size
    for decoding in begun:
        decoding.begin()
    found = [result(decoding.wait) for decoding in begun]
    assert found[1 if first else 0] == SOUND_PIXELS
    assert found[0 if first else 1] == result(lambda: jpeg_lossless.decode_frame(data, *LARGE, 16))


def result(decode: Callable[[], bytearray]) -> bytes | tuple[str, int | None]:
    """The frame, or what is wrong and where."""
    try:
        return bytes(decode())
    except CodecError as error:
        return str(error), error.offset


def check_encoder(data: bytes, columns: int, bits: int, samples: int, predictor: int, planar: bool) -> None:
    line = columns * samples * bits // 8
    rows = len(data) // line
    pixels = data[: rows * line]
    if not rows:
        return
    size = (rows, columns, samples, bits)
    codestream = jpeg_lossless.encode_frame(pixels, *size, bits, predictor, planar)
    assert jpeg_lossless.decode_frame(codestream, *size, planar=planar, end_required=True) == pixels


def seeds() -> list[bytes]:
    streams = [
        (0, 0, jpeg.encode(jpeg.noise(4, 5, 1, 8), Options(8))),
        (0, 1, jpeg.encode(jpeg.noise(4, 5, 1, 12), Options(12, 7, tables=(jpeg.LONG,)))),
        (1, 0, jpeg.encode(jpeg.noise(6, 7, 3, 8), Options(8, 4, 1, 2, True, fill=True))),
        (1, 3, jpeg.encode(jpeg.noise(6, 7, 3, 16), Options(16, 6, 0, 3, False, (jpeg.FLAT, jpeg.ALL_ONES)))),
        (2, 2, jpeg.encode(jpeg.noise(3, 2, 2, 8), Options(8, 2, line_count="dnl", interleaved=False))),
        (3, 5, jpeg.encode(jpeg.noise(1, 40, 1, 16), Options(16, 5, tables=(jpeg.ALL_ONES,)))),
        (4, 1, jpeg.encode(jpeg.noise(20, 4, 4, 12), Options(12, 3, tables=(jpeg.LONG, jpeg.FLAT)))),
        (5, 0, jpeg_lossless.encode_frame(bytes(range(130)) * 130, *LARGE, 8, 8)),
        (5, 1, SOUND),
        (5, 9, SOUND),
    ]
    return [bytes([image, how, image * 5, image, how]) + stream for image, how, stream in streams]
