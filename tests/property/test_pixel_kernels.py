"""What comes out of a pixel kernel and goes back in is what went in, for all inputs."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from fastdicom.errors import CodecError, MalformedDataset
from fastdicom.kernels import colour, pixels, rle
from fastdicom.transcoding.frames import Frames, basic_offset_table, encapsulate, extended_offset_table
from tests.support import rle_reference as reference
from tests.support.items import DELIMITER, cut, item, jpeg

PATHS = st.sampled_from(["scalar", "baseline", "ssse3", "best"])


@st.composite
def images(draw: st.DrawFn) -> tuple[bytes, tuple[int, int, int, int]]:
    """Pixels and their geometry, with runs of every length."""
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 300))
    samples, bits = draw(st.sampled_from([(1, 8), (3, 8), (4, 8), (1, 16), (3, 16), (1, 32), (3, 32)]))
    size = rows * columns * samples * bits // 8
    pieces = draw(st.lists(st.tuples(st.binary(min_size=1, max_size=6), st.integers(1, 150)), min_size=1))
    data = b"".join(piece * count for piece, count in pieces)
    return (data * (size // len(data) + 1))[:size], (rows, columns, samples, bits)


@given(images(), st.booleans(), PATHS)
def test_rle_gives_back_what_it_was_given(
    image: tuple[bytes, tuple[int, int, int, int]], planar: bool, path: str
) -> None:
    data, geometry = image
    rle.use_path(path)
    frame = rle.encode_frame(data, *geometry, planar=planar)
    assert rle.decode_frame(frame, *geometry, planar=planar, strict=True) == data
    rows, columns, samples, bits = geometry
    assert len(frame) <= 64 + samples * bits // 8 * (rows * (columns + columns // 128 + 1) + 1)
    rle.use_path("best")


@given(st.lists(st.binary(max_size=400), min_size=1, max_size=4), st.integers(1, 40), st.integers(1, 40))
def test_any_segments_decode_as_the_reference_decodes_them(
    segments: list[bytes], rows: int, columns: int
) -> None:
    frame = reference.frame_of(segments)
    expected: bytearray | None = None
    with suppress(reference.Unreadable):
        expected = bytearray(reference.decode(frame, rows, columns, len(segments), 8, False))
    try:
        assert rle.decode_frame(frame, rows, columns, len(segments), 8) == expected
    except CodecError:
        assert expected is None


@given(st.binary(max_size=3000), st.sampled_from([1, 3, 4]), st.sampled_from([8, 16, 32]), PATHS)
def test_planes_go_back_to_interleaved(data: bytes, samples: int, bits: int, path: str) -> None:
    data = data[: len(data) - len(data) % (samples * bits // 8)]
    pixels.use_path(path)
    assert pixels.to_interleaved(pixels.to_planar(data, samples, bits), samples, bits) == data
    pixels.use_path("best")


@given(st.lists(st.integers(0, 1), max_size=300), st.integers(0, 70))
def test_packed_bits_unpack(bits: list[int], first: int) -> None:
    assert list(pixels.unpack_bits(pixels.pack_bits(bytes(bits), first), len(bits), first)) == bits


@given(st.binary(max_size=400), st.sampled_from([16, 32, 64]))
def test_swapping_twice_changes_nothing(data: bytes, bits: int) -> None:
    data = data[: len(data) - len(data) % (bits // 8)]
    assert pixels.swap_bytes(pixels.swap_bytes(data, bits), bits) == data


@given(st.binary(min_size=4, max_size=400), st.integers(1, 16), st.integers(0, 15), st.booleans())
def test_aligned_samples_have_no_stray_bits(data: bytes, stored: int, spare: int, signed: bool) -> None:
    data = data[: len(data) - len(data) % 2]
    high = min(15, stored - 1 + spare)
    aligned = pixels.align_samples(data, 16, stored, high, signed)
    assert pixels.stray_bits(aligned, 16, stored, stored - 1, signed) == 0
    assert pixels.align_samples(aligned, 16, stored, stored - 1, signed) == aligned


@given(st.binary(max_size=600))
def test_ybr_and_back_moves_a_colour_by_at_most_one(data: bytes) -> None:
    data = data[: len(data) - len(data) % 3]
    back = colour.ybr_full_to_rgb(colour.rgb_to_ybr_full(data))
    assert all(abs(a - b) <= 1 for a, b in zip(data, back, strict=True))


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=10), st.booleans())
def test_encapsulated_frames_come_back(frames: list[bytes], with_table: bool) -> None:
    lengths = [len(frame) for frame in frames]
    table = basic_offset_table(lengths) if with_table else b""
    assert table is not None
    value = b"".join(bytes(piece) for piece in encapsulate(frames, table))
    found = Frames(value, 0, len(frames), extended_offset_table(lengths))
    assert [bytes(frame) for frame in found] == frames
    assert found.end == len(value)


@given(
    st.lists(st.tuples(st.integers(7, 60), st.integers(1, 60)), min_size=2, max_size=6),
    st.binary(max_size=24),
)
def test_cut_codestreams_are_put_together_under_any_table(
    frames: list[tuple[int, int]], table: bytes
) -> None:
    fragments = [piece for size, part in frames for piece in cut(jpeg(size), part)]
    value = item(table) + b"".join(map(item, fragments)) + DELIMITER
    found = Frames(value, 0, len(frames))
    if len(fragments) > len(frames):
        assert [bytes(frame) for frame in found] == [jpeg(size) for size, _ in frames]


@settings(max_examples=300)
@given(st.binary(max_size=200), st.integers(1, 5))
def test_any_bytes_are_frames_or_a_named_error(data: bytes, count: int) -> None:
    try:
        found = Frames(item(b"") + data, 0, count)
    except (MalformedDataset, CodecError):
        return
    assert sum(len(frame) for frame in found) <= len(data)
