"""ext/jpeg_lossless.pyx against a Python encoder, libjpeg-turbo, DCMTK and GDCM."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import imagecodecs
import numpy
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate, generate_frames

from fastdicom.errors import CodecError, UsageError
from fastdicom.kernels import jpeg_lossless
from tests.support import jpeg_reference as reference
from tests.support.jpeg_reference import Options
from tests.support.shared_data import manifest, shared_data

JPEG_LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
SOF3 = b"\xff\xc3"
SOS = b"\xff\xda"
EOI = b"\xff\xd9"


def roundtrip(planes: list[list[list[int]]], options: Options, planar: bool = False) -> None:
    """What the Python encoder wrote comes back as it was."""
    bits = 8 if options.precision <= 8 else 16
    codestream = reference.encode(planes, options)
    rows, columns = len(planes[0]), len(planes[0][0])
    decoded = jpeg_lossless.decode_frame(codestream, rows, columns, len(planes), bits, planar=planar)
    assert decoded == reference.native(planes, bits, options.shift, planar)


# ---- what the decoder understands -----------------------------------------------------------------------


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("precision", [8, 12, 16])
def test_every_predictor_decodes(predictor: int, samples: int, precision: int) -> None:
    planes = reference.noise(9, 23, samples, precision, seed=predictor)
    roundtrip(planes, Options(precision, predictor))


@pytest.mark.parametrize("precision", range(2, 17))
def test_every_precision_decodes(precision: int) -> None:
    roundtrip(reference.noise(7, 40, 1, precision), Options(precision))


@pytest.mark.parametrize("name", reference.TABLES)
@pytest.mark.parametrize("predictor", [1, 4, 7])
def test_tables_with_long_codes_all_ones_and_unused_symbols_decode(name: str, predictor: int) -> None:
    planes = reference.noise(20, 37, 1, 16)
    roundtrip(planes, Options(16, predictor, tables=(reference.TABLES[name],)))


def test_difference_of_32768_has_no_additional_bits() -> None:
    planes = [[[0, 32768, 0, 32768, 65535, 32767, 1], [32768, 0, 32768, 1, 32769, 5, 32773]]]
    for huffman in reference.TABLES.values():
        roundtrip(planes, Options(16, tables=(huffman,)))


@pytest.mark.parametrize("columns", [1, 2, 3, 7, 8, 9, 16, 17, 200])
@pytest.mark.parametrize("rows", [1, 2, 90])
def test_lines_of_every_length_decode(rows: int, columns: int) -> None:
    roundtrip(reference.noise(rows, columns, 1, 12), Options(12))
    roundtrip(reference.noise(rows, columns, 3, 8), Options(8, 6))


def test_a_large_frame_takes_the_table_of_pairs_and_agrees() -> None:
    planes = reference.noise(130, 131, 1, 10)
    for predictor in (1, 5):
        for huffman in reference.TABLES.values():
            roundtrip(planes, Options(10, predictor, tables=(huffman,)))
    roundtrip(reference.noise(80, 81, 3, 8), Options(8, 2))


@pytest.mark.parametrize("shift", [1, 3, 7])
@pytest.mark.parametrize("samples", [1, 3])
def test_point_transform_moves_samples_up(shift: int, samples: int) -> None:
    roundtrip(reference.noise(6, 11, samples, 12 - shift), Options(12, 5, shift))
    roundtrip(reference.noise(6, 11, samples, 8 - shift), Options(8, 1, shift))


@pytest.mark.parametrize("restart_lines", [1, 2, 4])
@pytest.mark.parametrize("interleaved", [True, False])
def test_restart_intervals_start_prediction_anew(restart_lines: int, interleaved: bool) -> None:
    planes = reference.noise(19, 13, 3, 12)
    roundtrip(planes, Options(12, 4, 0, restart_lines, interleaved))


@pytest.mark.parametrize("planar", [True, False])
@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("precision", [8, 12])
def test_scans_and_planes_come_in_any_arrangement(planar: bool, interleaved: bool, precision: int) -> None:
    planes = reference.noise(8, 9, 3, precision)
    roundtrip(planes, Options(precision, 3, interleaved=interleaved), planar)


@pytest.mark.parametrize("interleaved", [True, False])
def test_components_may_have_tables_of_their_own(interleaved: bool) -> None:
    tables = (reference.FLAT, reference.LONG, reference.ALL_ONES)
    planes = reference.noise(11, 12, 3, 16)
    roundtrip(planes, Options(16, 7, interleaved=interleaved, tables=tables))


@pytest.mark.parametrize("line_count", ["header", "dnl", "nowhere"])
def test_the_number_of_lines_may_come_late_or_never(line_count: str) -> None:
    roundtrip(reference.noise(5, 6, 1, 8), Options(8, line_count=line_count))
    roundtrip(reference.noise(5, 6, 3, 8), Options(8, interleaved=False, line_count=line_count))


def test_fill_bytes_and_comments_are_stepped_over() -> None:
    roundtrip(reference.noise(5, 6, 2, 8), Options(8, interleaved=False, fill=True))


def test_a_missing_end_is_accepted_unless_required() -> None:
    planes = reference.noise(5, 6, 1, 8)
    codestream = reference.encode(planes, Options(8, end=False))
    assert jpeg_lossless.decode_frame(codestream, 5, 6, 1, 8) == reference.native(planes, 8)
    with pytest.raises(CodecError, match="ends before the image"):
        jpeg_lossless.decode_frame(codestream, 5, 6, 1, 8, end_required=True)
    whole = jpeg_lossless.decode_frame(codestream + EOI + b"\0", 5, 6, 1, 8, end_required=True)
    assert whole == reference.native(planes, 8)


def test_small_samples_fill_wide_words() -> None:
    planes = reference.noise(5, 6, 1, 8)
    decoded = jpeg_lossless.decode_frame(reference.encode(planes, Options(8)), 5, 6, 1, 16)
    assert decoded == reference.native(planes, 16)


def test_out_is_filled_and_returned() -> None:
    planes = reference.noise(5, 6, 1, 8)
    codestream = reference.encode(planes, Options(8))
    out = bytearray(30)
    assert jpeg_lossless.decode_frame(codestream, 5, 6, 1, 8, out=out) is out
    assert out == reference.native(planes, 8)
    view = memoryview(bytearray(61))[1:]
    jpeg_lossless.decode_frame(codestream, 5, 6, 1, 16, out=view)  # not aligned
    assert view == reference.native(planes, 16)
    with pytest.raises(UsageError):
        jpeg_lossless.decode_frame(codestream, 5, 6, 1, 8, out=bytearray(31))


# ---- what it refuses ------------------------------------------------------------------------------------


def test_a_cut_anywhere_is_noticed() -> None:
    for options in (Options(12), Options(12, 6, 0, 2, False)):
        planes = reference.noise(6, 7, 2, 12)
        codestream = reference.encode(planes, options)
        for length in range(len(codestream) - 2):
            with pytest.raises(CodecError) as caught:
                jpeg_lossless.decode_frame(codestream[:length], 6, 7, 2, 16)
            assert caught.value.offset is None or 0 <= caught.value.offset <= length


def test_mutations_return_a_frame_or_an_error() -> None:
    rng = random.Random(5)
    seeds = [
        reference.encode(reference.noise(6, 7, 3, 8), Options(8, 4, 0, 2, False, fill=True)),
        reference.encode(reference.noise(9, 31, 1, 12), Options(12, tables=(reference.LONG,))),
    ]
    for _ in range(20000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.choice((rng.randrange(256), 0, 0xFF, 0xD0, 0xC4))
        for rows, columns, samples in ((6, 7, 3), (9, 31, 1)):
            try:
                frame = jpeg_lossless.decode_frame(data, rows, columns, samples, 16)
            except CodecError as error:
                assert error.offset is not None
                assert 0 <= error.offset <= len(data)
            else:
                assert len(frame) == 2 * rows * columns * samples


PLAIN = reference.encode(reference.noise(4, 5, 1, 8), Options(8))


def changed(old: bytes, new: bytes) -> bytes:
    assert PLAIN.count(old) == 1
    return PLAIN.replace(old, new)


REFUSED = {
    "no JPEG": b"\x00" + PLAIN,
    "baseline": changed(SOF3, b"\xff\xc0"),
    "arithmetic": changed(SOF3, b"\xff\xcb"),
    "hierarchical": changed(SOF3, b"\xff\xde"),
    "TEM": changed(SOF3, b"\xff\x01" + SOF3),
    "second SOI": changed(SOF3, b"\xff\xd8" + SOF3),
    "restart marker in the header": changed(SOF3, b"\xff\xd0" + SOF3),
    "segment of length 0": changed(SOF3 + b"\x00\x0b", SOF3 + b"\x00\x00"),
    "segment past the end": changed(SOF3 + b"\x00\x0b", SOF3 + b"\xff\xff"),
    "two frame headers": changed(SOF3, SOF3 + PLAIN[4:15] + SOF3),
    "rows": changed(b"\x08\x00\x04\x00\x05", b"\x08\x00\x05\x00\x05"),
    "columns": changed(b"\x08\x00\x04\x00\x05", b"\x08\x00\x04\x00\x06"),
    "precision 1": changed(b"\x08\x00\x04\x00\x05", b"\x01\x00\x04\x00\x05"),
    "precision 16 in 8 bits": changed(b"\x08\x00\x04\x00\x05", b"\x10\x00\x04\x00\x05"),
    "predictor 0": changed(SOS + b"\x00\x08\x01\x01\x00\x01", SOS + b"\x00\x08\x01\x01\x00\x00"),
    "predictor 8": changed(SOS + b"\x00\x08\x01\x01\x00\x01", SOS + b"\x00\x08\x01\x01\x00\x08"),
    "unknown component": changed(SOS + b"\x00\x08\x01\x01", SOS + b"\x00\x08\x01\x07"),
    "table that is not there": changed(SOS + b"\x00\x08\x01\x01\x00", SOS + b"\x00\x08\x01\x01\x20"),
    "codes that do not fit": changed(b"\xff\xc4\x00\x24\x00\x00", b"\xff\xc4\x00\x24\x00\x03"),
    "more symbols than bytes": changed(bytes(4) + b"\x11" + bytes(9), bytes(4) + b"\x1f" + bytes(9)),
    "odd restart interval": changed(SOS, b"\xff\xdd\x00\x04\x00\x03" + SOS),
    "another number of lines": PLAIN[:-2] + b"\xff\xdc\x00\x04\x00\x05" + EOI,
    "restart marker in the data": PLAIN[:-8] + b"\xff\xd0" + PLAIN[-8:],
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_damage_is_named_with_its_place(name: str) -> None:
    jpeg_lossless.decode_frame(PLAIN, 4, 5, 1, 8)
    with pytest.raises(CodecError) as caught:
        jpeg_lossless.decode_frame(REFUSED[name], 4, 5, 1, 8)
    assert caught.value.offset is not None


def test_a_pattern_that_is_no_code_is_found_where_it_is() -> None:
    few = reference.table({2: 2}, [0, 2])
    codestream = reference.encode([[[128] * 40] * 4], Options(8, tables=(few,)))
    assert codestream[-12:-2] == bytes(10)
    damaged = codestream[:-7] + b"\xb0" + codestream[-6:]
    with pytest.raises(CodecError, match="no Huffman code") as caught:
        jpeg_lossless.decode_frame(damaged, 4, 40, 1, 8)
    assert abs(caught.value.offset - damaged.rindex(b"\xb0")) <= 1


@pytest.mark.parametrize(
    ("rows", "columns", "samples", "bits"),
    [(0, 5, 1, 8), (4, 0, 1, 8), (65536, 1, 1, 8), (4, 5, 0, 8), (4, 5, 5, 8), (4, 5, 1, 32), (4, -5, 1, 8)],
)
def test_impossible_images_are_refused(rows: int, columns: int, samples: int, bits: int) -> None:
    with pytest.raises(CodecError):
        jpeg_lossless.decode_frame(PLAIN, rows, columns, samples, bits)
    with pytest.raises(CodecError):
        jpeg_lossless.encode_frame(bytes(20), rows, columns, samples, bits, 8)


def test_nothing_is_allocated_for_a_size_that_the_data_cannot_hold() -> None:
    with pytest.raises(CodecError, match="too few"):
        jpeg_lossless.decode_frame(PLAIN, 65535, 65535, 4, 16)


# ---- the encoder ----------------------------------------------------------------------------------------

frames = st.tuples(
    st.integers(1, 12), st.integers(1, 40), st.integers(1, 4), st.integers(2, 16), st.integers(0, 2**32)
)


@settings(max_examples=200, deadline=None)
@given(frames, st.integers(1, 7), st.booleans())
def test_decode_takes_back_encode(
    frame: tuple[int, int, int, int, int], predictor: int, planar: bool
) -> None:
    rows, columns, samples, precision, seed = frame
    planes = reference.noise(rows, columns, samples, precision, seed)
    for bits in (8, 16) if precision <= 8 else (16,):
        pixels = reference.native(planes, bits, planar=planar)
        codestream = jpeg_lossless.encode_frame(
            pixels, rows, columns, samples, bits, precision, predictor, planar
        )
        size = (rows, columns, samples, bits)
        assert jpeg_lossless.decode_frame(codestream, *size, planar=planar, end_required=True) == pixels


@pytest.mark.parametrize("precision", range(2, 17))
@pytest.mark.parametrize("samples", [1, 3])
def test_libjpeg_turbo_reads_what_we_write(precision: int, samples: int) -> None:
    bits = 8 if precision <= 8 else 16
    planes = reference.noise(33, 47, samples, precision)
    pixels = reference.native(planes, bits)
    codestream = jpeg_lossless.encode_frame(pixels, 33, 47, samples, bits, precision)
    decoded = imagecodecs.jpeg8_decode(codestream)
    assert decoded.astype(f"<u{bits // 8}").tobytes() == pixels


@pytest.mark.parametrize("predictor", range(1, 8))
def test_libjpeg_turbo_reads_every_predictor_that_we_write(predictor: int) -> None:
    planes = reference.noise(33, 47, 1, 12)
    pixels = reference.native(planes, 16)
    codestream = jpeg_lossless.encode_frame(pixels, 33, 47, 1, 16, 12, predictor)
    assert imagecodecs.jpeg8_decode(codestream).astype("<u2").tobytes() == pixels


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("precision", [8, 12, 16])
def test_we_read_what_libjpeg_turbo_writes(predictor: int, precision: int) -> None:
    width = 1 if precision == 8 else 2
    pixels = numpy.array(reference.noise(33, 47, 1, precision)[0], dtype=f"<u{width}")
    codestream = imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=predictor, bitspersample=precision)
    assert jpeg_lossless.decode_frame(codestream, 33, 47, 1, 8 * width) == pixels.tobytes()


def test_skewed_images_get_codes_of_at_most_16_bits() -> None:
    """Fibonacci frequencies make the longest codes: 17 bits for 18 symbols, before they are shortened."""
    row, count, following = [32768], 2, 3
    for ssss in range(1, 17):
        for _ in range(count):
            row.append((row[-1] + (1 << ssss >> 1)) & 0xFFFF)
        count, following = following, count + following
    pixels = reference.native([[row]], 16)
    codestream = jpeg_lossless.encode_frame(pixels, 1, len(row), 1, 16, 16)
    table = codestream[codestream.index(b"\xff\xc4") + 5 :][:16]
    assert sum(table) == 17
    assert table[15] > 0
    assert jpeg_lossless.decode_frame(codestream, 1, len(row), 1, 16) == pixels
    assert imagecodecs.jpeg8_decode(codestream).tobytes() == pixels


def test_a_sample_above_the_precision_is_refused() -> None:
    with pytest.raises(CodecError, match="more than 12 bits"):
        jpeg_lossless.encode_frame(b"\x00\x10" * 4, 2, 2, 1, 16, 12)
    with pytest.raises(CodecError, match="are no 2 x 2"):
        jpeg_lossless.encode_frame(b"\x00\x10" * 3, 2, 2, 1, 16, 16)
    with pytest.raises(CodecError, match="precision"):
        jpeg_lossless.encode_frame(b"\x00" * 4, 2, 2, 1, 8, 9)
    with pytest.raises(UsageError):
        jpeg_lossless.encode_frame(b"\x00" * 4, 2, 2, 1, 8, 8, predictor=8)


# ---- real files and other programs ----------------------------------------------------------------------


def native_of(path: Path) -> bytes:
    """Pixel Data of a file that another program decompressed, interleaved."""
    dataset = pydicom.dcmread(path, force=True)
    size = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated // 8
    pixels = dataset.PixelData[:size]
    if dataset.SamplesPerPixel == 3 and dataset.PlanarConfiguration == 1:
        planes = numpy.frombuffer(pixels, dtype="u1").reshape(3, dataset.Rows, dataset.Columns)
        return planes.transpose(1, 2, 0).tobytes()
    return bytes(pixels)


def decompressed(program: list[str], path: Path, out: Path) -> bytes | None:
    """What dcmdjpeg or gdcmconv makes of a file; None if the program is absent or fails."""
    if not shutil.which(program[0]):
        return None
    done = subprocess.run([*program, str(path), str(out)], capture_output=True, timeout=60, check=False)
    return native_of(out) if done.returncode == 0 else None


def test_every_lossless_file_decodes_as_with_two_other_decoders(tmp_path: Path) -> None:
    shared_data()
    seen = 0
    for row in manifest():
        if row.transfer_syntax_uid not in JPEG_LOSSLESS:
            continue
        dataset = pydicom.dcmread(row.path, force=True)
        if "PixelData" not in dataset:
            continue
        codestream = next(generate_frames(dataset.PixelData, number_of_frames=1))
        if SOF3 not in codestream:  # sample-op.dcm: baseline in a lossless transfer syntax
            continue
        size = (dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.BitsAllocated)
        ours = jpeg_lossless.decode_frame(codestream, *size)
        turbo = imagecodecs.jpeg8_decode(codestream).astype(f"<u{dataset.BitsAllocated // 8}").tobytes()
        others = [turbo]
        for program in (["dcmdjpeg"], ["gdcmconv", "-w"]):
            other = decompressed(program, row.path, tmp_path / "native.dcm")
            others += [] if other is None else [other]
        assert others.count(bytes(ours)) == len(others), row.name
        seen += len(others) >= 2
    assert seen >= 10


def file_of(
    codestream: bytes, rows: int, columns: int, samples: int, bits: int, precision: int
) -> pydicom.Dataset:
    """A Secondary Capture with one frame in JPEG Lossless SV1."""
    dataset = pydicom.Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.StudyInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.1"
    dataset.Modality = "OT"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = rows, columns, samples
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, precision, precision - 1
    dataset.PixelRepresentation = 0
    dataset.PhotometricInterpretation = "RGB" if samples == 3 else "MONOCHROME2"
    if samples == 3:
        dataset.PlanarConfiguration = 0
    if codestream:
        dataset.PixelData = encapsulate([codestream])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEG_LOSSLESS[1]
    return dataset


@pytest.mark.parametrize(("samples", "precision"), [(1, 8), (1, 10), (1, 12), (1, 16), (3, 8)])
@pytest.mark.parametrize("program", ["dcmdjpeg", "gdcmconv -w"])
def test_other_programs_read_what_we_write(
    tmp_path: Path, program: str, samples: int, precision: int
) -> None:
    if not shutil.which(program.split()[0]):
        pytest.skip(f"no {program.split()[0]}")
    bits = 8 if precision == 8 else 16
    pixels = reference.native(reference.noise(33, 48, samples, precision), bits)
    codestream = jpeg_lossless.encode_frame(pixels, 33, 48, samples, bits, precision)
    dataset = file_of(codestream, 33, 48, samples, bits, precision)
    dataset.save_as(tmp_path / "in.dcm", enforce_file_format=True)
    assert decompressed(program.split(), tmp_path / "in.dcm", tmp_path / "out.dcm") == pixels


@pytest.mark.parametrize("selection", range(1, 8))
def test_we_read_what_dcmtk_writes(tmp_path: Path, selection: int) -> None:
    if not shutil.which("dcmcjpeg"):
        pytest.skip("no dcmcjpeg")
    pixels = reference.native(reference.noise(33, 48, 1, 12), 16)
    dataset = file_of(b"", 33, 48, 1, 16, 12)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.PixelData = pixels
    dataset["PixelData"].VR = "OW"
    dataset.save_as(tmp_path / "in.dcm", enforce_file_format=True)
    command = ["dcmcjpeg", "+el", "+sv", str(selection), str(tmp_path / "in.dcm"), str(tmp_path / "out.dcm")]
    subprocess.run(command, check=True, timeout=60)
    codestream = next(generate_frames(pydicom.dcmread(tmp_path / "out.dcm").PixelData, number_of_frames=1))
    assert jpeg_lossless.decode_frame(codestream, 33, 48, 1, 16) == pixels
