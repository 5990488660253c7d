"""transcoding/buffers.py: a buffer serves one result at a time."""

from __future__ import annotations

from fastdicom.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from fastdicom.transcoding.buffers import FrameBuffers
from fastdicom.transcoding.codecs import JPEG_LOSSLESS_SV1
from fastdicom.transcoding.objects import Options, convert
from tests.support.image_objects import image_object, to_bytes
from tests.support.images import picture

NATIVE = EXPLICIT_VR_LITTLE_ENDIAN


def coded(low: int) -> tuple[bytes, bytes]:
    """(native, JPEG Lossless) of one picture."""
    plain = to_bytes(image_object(picture(32, 40, low, low + 900, "<u2")))
    return plain, b"".join(convert(plain, NATIVE, JPEG_LOSSLESS_SV1))


def test_results_that_live_together_share_nothing_and_then_their_memory_is_used_again() -> None:
    buffers = FrameBuffers()
    options = Options(buffers=buffers)
    (one_plain, one), (two_plain, two) = coded(0), coded(1000)
    first = convert(one, JPEG_LOSSLESS_SV1, NATIVE, options).settle(options)
    second = convert(two, JPEG_LOSSLESS_SV1, NATIVE, options).settle(options)
    assert b"".join(first) == one_plain and b"".join(second) == two_plain
    memory = next(id(piece) for piece in first if isinstance(piece, bytearray))
    first.release()
    first.release()
    assert list(first) == []
    third = convert(two, JPEG_LOSSLESS_SV1, NATIVE, options).settle(options)
    assert memory in {id(piece) for piece in third}
    assert b"".join(third) == b"".join(second) == two_plain


def test_what_is_held_has_a_ceiling() -> None:
    buffers = FrameBuffers(held_max=100)
    small, large = buffers.take(60), buffers.take(80)
    buffers.give(small)
    buffers.give(large)
    assert buffers.take(60) is not small and buffers.take(80) is large
    buffers.give(bytearray(101))
    assert buffers._idle == []
