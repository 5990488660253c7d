"""Every frame of every real file, decoded by us and by DCMTK, GDCM, and pydicom with each of its plugins.

Lossless codestreams exactly; JPEG's DCT within 2, within 8 where chroma is subsampled (each decoder has its
own upsampling); lossy JPEG 2000 within 1.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.pixels import get_decoder, pixel_array

from fastdicom.dataset.part10 import read_file_meta
from fastdicom.errors import FastdicomError
from fastdicom.standard.transfer_syntaxes import NATIVE
from fastdicom.transcoding import gate
from fastdicom.transcoding.objects import Options, frames_of
from fastdicom.transcoding.workers import Workers
from tests.support.shared_data import SharedFile, manifest

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore")]

FOLDERS = ("transfer_syntaxes/", "odd/")
Samples = NDArray[numpy.int64]


@pytest.fixture(scope="module")
def options() -> Iterator[Options]:
    with Workers(count=2) as workers:
        yield Options(workers=workers)


def files() -> list[SharedFile]:
    """Those that are there and say what they are; no fixture: each is a test of its own."""
    try:
        return [row for row in manifest() if row.name.startswith(FOLDERS)]
    except pytest.skip.Exception:
        return []


def samples_of(ds: pydicom.Dataset, data: bytes) -> Samples:
    """All frames of native, interleaved pixels, as Bits Stored says, one number a sample."""
    kind = "u1" if ds.BitsAllocated == 1 else f"<u{ds.BitsAllocated // 8}"
    values = numpy.frombuffer(data, kind).astype(numpy.int64)
    return values & ((1 << ds.BitsStored) - 1)  # others leave the bits above the sign as they find them


def ours(path: Path, ds: pydicom.Dataset, options: Options) -> Samples:
    """Raises FastdicomError."""
    data = path.read_bytes()
    meta = read_file_meta(data)
    frames = frames_of(memoryview(data)[meta.dataset_offset :], meta.transfer_syntax_uid, options)
    return samples_of(ds, b"".join(bytes(frames.frame(index)) for index in range(frames.count)))


def by_program(path: Path, ds: pydicom.Dataset, command: list[str], out: Path) -> Samples | None:
    """What a program makes of a file; None when it cannot."""
    out.unlink(missing_ok=True)
    if not shutil.which(command[0]):
        return None
    done = subprocess.run([*command, str(path), str(out)], capture_output=True, timeout=120, check=False)
    if done.returncode or not out.exists():
        return None
    native = pydicom.dcmread(out, force=True)
    return None if native.file_meta.TransferSyntaxUID.is_encapsulated else by_pydicom(native, ds, True)


def by_pydicom(coded: pydicom.Dataset, ds: pydicom.Dataset, raw: bool, plugin: str = "") -> Samples | None:
    """What pydicom makes of it; None when it cannot."""
    try:
        pixels = pixel_array(coded, raw=raw, decoding_plugin=plugin)
    except Exception:  # whatever a plugin raises: it has no answer
        return None
    return pixels.astype(numpy.int64).reshape(-1) & ((1 << ds.BitsStored) - 1)


def theirs(path: Path, ds: pydicom.Dataset, folder: Path) -> dict[str, Samples]:
    """All answers of others."""
    syntax = ds.file_meta.TransferSyntaxUID
    dcmtk = {"5": "dcmdrle", "80": "dcmdjpls", "81": "dcmdjpls"}.get(syntax.rsplit(".", 1)[-1], "dcmdjpeg")
    commands = {"GDCM": ["gdcmconv", "-w"]}
    if syntax in NATIVE:
        commands["DCMTK"] = ["dcmconv", "+te"]
    elif syntax not in gate.JPEG_2000_SYNTAXES:
        commands["DCMTK"] = [dcmtk]
    found = {name: by_program(path, ds, argv, folder / "native.dcm") for name, argv in commands.items()}
    raw = syntax not in gate.JPEG_SYNTAXES or "YBR" not in ds.get("PhotometricInterpretation", "")
    try:
        plugins = [name for name in get_decoder(syntax).available_plugins if "fastdicom" not in name]
    except NotImplementedError:
        plugins = []
    found |= {f"pydicom, {name}": by_pydicom(ds, ds, raw, name) for name in plugins or [""]}
    return {name: pixels for name, pixels in found.items() if pixels is not None}


def tolerance(syntax: str, ds: pydicom.Dataset) -> int:
    if syntax in gate.JPEG_SYNTAXES and syntax[-2:] in ("50", "51", "53", "55"):
        return 2 if ds.SamplesPerPixel == 1 else 8
    return int(syntax.endswith((".91", ".203")))


REFUSED = {
    "odd/2026-05-26-oob-monochrome-46341.dcm": "bytes",
    "odd/JPEG2000-embedded-sequence-delimiter.dcm": "Part 2",
    "odd/MR_truncated.dcm": "cut short",
    "odd/badVR.dcm": "",
    "odd/dwv-test_no-number-rows.dcm": "missing",
    "odd/nested_priv_SQ.dcm": "",
    "transfer_syntaxes/deflated_frame_8_1/liver_deflate.dcm": "no decoder",
    "transfer_syntaxes/jpeg_50_baseline/SC_rgb_jpeg.dcm": "has no VR",
    "transfer_syntaxes/jxl_111/will-jxl.dcm": "no decoder",
}
"""What we do not decode, and a word of the reason."""

ONE_OTHER = {
    "odd/fragment-multiframe-test.dcm": "GDCM does not tell its frames apart",
    "transfer_syntaxes/htj2k_201/HTJ2KLossless_08_RGB.dcm": "only OpenJPEG beside us; GDCM is not that new",
    "transfer_syntaxes/htj2k_203/HTJ2K_08_RGB.dcm": "only OpenJPEG beside us; GDCM is not that new",
    "transfer_syntaxes/jls_80_lossless/MR1_JLSL": "GDCM refuses it",
}
"""What only one of the others decodes, and why."""

BITS_IN_RLE = "transfer_syntaxes/rle_5/liver_rle.dcm"
"""One bit a pixel in RLE: none of the others decodes it; it is compared with the native file."""


def readable(row: SharedFile) -> pydicom.Dataset:
    """The Data Set; skips what has no pixels or is no file of Part 10 that pydicom reads."""
    try:
        ds = pydicom.dcmread(row.path, force=True)
        if "PixelData" in ds and ds.file_meta.TransferSyntaxUID:
            return ds
    except Exception as fault:  # pydicom has no common base for what it raises
        pytest.skip(f"pydicom does not read it: {fault}")
    pytest.skip("no pixels, or no transfer syntax")


def distance(mine: Samples, other: Samples) -> int:
    """The largest difference of two samples; more than any when there are more or fewer of them."""
    return int(abs(mine - other).max()) if mine.size == other.size else 1 << 40


@pytest.mark.timeout(300)
@pytest.mark.parametrize("row", files(), ids=lambda row: row.name)
def test_every_frame_is_what_two_others_decode(row: SharedFile, options: Options, tmp_path: Path) -> None:
    ds = readable(row)
    if row.name in REFUSED:
        with pytest.raises(FastdicomError, match=REFUSED[row.name]):
            ours(row.path, ds, options)
        return
    as_is = replace(options, colour="keep")  # GDCM leaves YCbCr as it is, the others make RGB of it
    mine = [ours(row.path, ds, options), ours(row.path, ds, as_is)]
    if row.name == BITS_IN_RLE:
        native = next(one for one in files() if one.name.endswith("explicit_le/liver.dcm"))
        assert distance(mine[0], ours(native.path, readable(native), options)) == 0
        return
    found = theirs(row.path, ds, tmp_path)
    if not found:
        pytest.skip("no other decoder is installed")
    away = {name: min(distance(one, other) for one in mine) for name, other in found.items()}
    near = [name for name, far in away.items() if far <= tolerance(str(ds.file_meta.TransferSyntaxUID), ds)]
    due = 1 if row.name in ONE_OTHER or (len(found) == 1 and not ALL_HERE) else 2
    assert len(near) >= due, away


ALL_HERE = all(shutil.which(name) for name in ("gdcmconv", "dcmdjpeg", "dcmdrle", "dcmdjpls", "dcmconv"))
"""Whether there can be two others at all."""


def test_the_lists_name_files_that_are_there() -> None:
    names = {row.name for row in manifest()}
    assert (set(REFUSED) | set(ONE_OTHER) | {BITS_IN_RLE}) <= names
