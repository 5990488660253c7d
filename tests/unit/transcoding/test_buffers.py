"""transcoding/buffers.py: a buffer serves one result at a time."""

from __future__ import annotations

import pytest

from fastdicom.errors import CodecError
from fastdicom.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from fastdicom.transcoding.buffers import AHEAD_MAX, FrameBuffers, Lease
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


def test_a_frame_may_be_decoded_before_it_is_asked_for_and_need_not_be() -> None:
    buffers = FrameBuffers()
    options = Options(buffers=buffers, begins_early=True)
    plain, one = coded(0)
    for wanted in (True, False, True):
        converted = convert(one, JPEG_LOSSLESS_SV1, NATIVE, options)
        assert buffers.ahead == 32 * 40 * 2
        if wanted:
            assert b"".join(converted) == plain
            converted.release()
        else:
            del converted
        assert buffers.ahead == 0
    assert len(buffers._idle) == 1


def test_damage_in_a_frame_that_was_begun_early_is_told_when_it_is_asked_for() -> None:
    options = Options(buffers=FrameBuffers(), begins_early=True)
    damaged = coded(0)[1]
    at = damaged.index(b"\xff\xda") + 40
    converted = convert(
        damaged[:at] + b"\xff\0" * 100 + damaged[at + 200 :], JPEG_LOSSLESS_SV1, NATIVE, options
    )
    with pytest.raises(CodecError, match="frame 1 of 1: "):
        list(converted)


def test_a_lease_that_is_collected_while_its_buffers_are_locked_holds_nobody_up() -> None:
    """The collector of garbage runs on whatever thread is at work, with whatever locks that has."""
    buffers = FrameBuffers()
    lease = Lease(buffers, 16)
    lease.begin(lambda buffer: Frame())
    with buffers._lock:
        del lease
    assert buffers.ahead == 0 and len(buffers._idle) == 1


def test_what_cannot_be_begun_is_given_back() -> None:
    def begin(buffer: bytearray) -> None:
        raise MemoryError

    buffers = FrameBuffers()
    lease = Lease(buffers, 16)
    with pytest.raises(MemoryError):
        lease.begin(begin)
    assert buffers.ahead == 0 and len(buffers._idle) == 1


class Frame:
    """One that another thread decodes."""

    def stop(self) -> None:
        pass


def test_what_is_decoded_ahead_has_a_ceiling() -> None:
    buffers = FrameBuffers()
    one = buffers.take_ahead(AHEAD_MAX)
    assert one is not None and buffers.take_ahead(1) is None
    buffers.ahead_ended(AHEAD_MAX)
    assert buffers.take_ahead(1) is not None


def test_what_is_held_has_a_ceiling() -> None:
    buffers = FrameBuffers(held_max=100)
    small, large = buffers.take(60), buffers.take(80)
    buffers.give(small)
    buffers.give(large)
    assert buffers.take(60) is not small and buffers.take(80) is large
    buffers.give(bytearray(101))
    assert buffers._idle == []
