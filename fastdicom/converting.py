"""Instances from one transfer syntax to another, for programs and for `fastdicom transcode`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, overload

from fastdicom.dataset.part10 import encode_file_meta
from fastdicom.errors import FastdicomError, UsageError
from fastdicom.outbox import identify, read_whole
from fastdicom.reports import NamedPath, Progress, ProgressCallback, TranscodeReport
from fastdicom.settings import transfer_syntax as syntax_uid
from fastdicom.standard.transfer_syntaxes import KNOWN
from fastdicom.transcoding.codecs import ColourChoice, Quality
from fastdicom.transcoding.converted import Converted
from fastdicom.transcoding.objects import Options, convert

if TYPE_CHECKING:
    from pydicom import Dataset

_QUALITIES: Final[dict[str, Callable[[float], Quality]]] = {
    "JPEGBaseline8Bit": lambda value: Quality(jpeg=_whole(value, 1, 100)),
    "JPEGExtended12Bit": lambda value: Quality(jpeg=_whole(value, 1, 100)),
    "JPEGLSNearLossless": lambda value: Quality(near=_whole(value, 1, 255)),
    "JPEG2000": lambda value: Quality(psnr=_above_zero(value)),
    "HTJ2K": lambda value: Quality(step=_above_zero(value)),
}


@overload
def transcode(
    source: str | os.PathLike[str],
    transfer_syntax: str,
    *,
    quality: float | None = None,
    colour: ColourChoice = "rgb",
) -> bytes: ...
@overload
def transcode(
    source: Dataset, transfer_syntax: str, *, quality: float | None = None, colour: ColourChoice = "rgb"
) -> Dataset: ...
def transcode(
    source: str | os.PathLike[str] | Dataset,
    transfer_syntax: str,
    *,
    quality: float | None = None,
    colour: ColourChoice = "rgb",
) -> Dataset | bytes:
    """A file's instance as a whole PS3.10 file, or a pydicom Data Set as another one.

    transfer_syntax: a UID or keyword. Every pixel is kept unless the transfer syntax is lossy by nature (JPEG
    Baseline and Extended, JPEG-LS Near-Lossless) or `quality` is given: 1-100 for JPEG, the largest error of
    a sample for JPEG-LS, decibels of PSNR for JPEG2000, the quantizer's step for HTJ2K. A lossy result is an
    instance of its own, with the old one as its source. colour: "rgb" or "keep", what YCbCr in JPEG becomes.

    Raises UsageError (no such syntax, no DICOM file), MalformedDataset, CodecError (which frame, and where),
    Refused for what is only stored and sent on. `transcode_file` does the same without holding the result.

    >>> from pydicom.data import get_testdata_file
    >>> whole = transcode(get_testdata_file("CT_small.dcm"), "JPEGLosslessSV1")
    >>> whole[128:132], len(whole) < 24000
    (b'DICM', True)
    """
    uid, options = _wanted(transfer_syntax, quality, colour)
    if isinstance(source, str | os.PathLike):
        return b"".join(_pieces(Path(source), uid, options))
    return _dataset(source, uid, options)


def transcode_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    transfer_syntax: str,
    *,
    quality: float | None = None,
    colour: ColourChoice = "rgb",
) -> int:
    """As `transcode`, from one file to another, in the memory of a few frames; the new file's length.

    `target` appears whole or not at all, and may be `source`. Raises OSError, too.

    >>> from pydicom.data import get_testdata_file
    >>> transcode_file(get_testdata_file("CT_small.dcm"), tmp_path / "ct.dcm", "RLELossless") < 30000
    True
    """
    uid, options = _wanted(transfer_syntax, quality, colour)
    with _helpers() as (helpers, count):
        return _to_file(Path(source), Path(target), uid, _with_helpers(options, helpers, count))


def transcode_folder(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    transfer_syntax: str,
    progress: ProgressCallback | None = None,
    *,
    quality: float | None = None,
    colour: ColourChoice = "rgb",
) -> TranscodeReport:
    """Every DICOM file below the folder `source` to the same place below `target`, several at once.

    What cannot be converted is named in the report and left out, what is no DICOM file is skipped. Raises
    UsageError when `target` is `source`: one wrong argument would replace the only copy of a whole folder.

    >>> from pydicom.data import get_testdata_file
    >>> (tmp_path / "in").mkdir()
    >>> _ = transcode_file(get_testdata_file("CT_small.dcm"), tmp_path / "in" / "a.dcm", "JPEGLSLossless")
    >>> report = transcode_folder(tmp_path / "in", tmp_path / "out", "ExplicitVRLittleEndian")
    >>> report.converted, report.failed
    (1, [])
    """
    from fastdicom.folders import files_below

    uid, options = _wanted(transfer_syntax, quality, colour)
    if os.path.realpath(source) == os.path.realpath(target):
        raise UsageError(f"{target}: a folder is not transcoded onto its own folder; name another one")
    if os.path.exists(target) and not os.path.isdir(target):
        raise UsageError(f"{target} is a file, not a folder")
    files = list(files_below([source]))
    report = TranscodeReport()
    with _helpers() as (threads, _):
        results = threads.map(
            lambda file: _try(file, Path(target) / file.relative_to(source), uid, options), files
        )
        for done, (file, result) in enumerate(zip(files, results, strict=True), 1):
            _note(report, file, result)
            if progress is not None:
                progress(Progress(done, len(files), len(report.failed), bytes=report.bytes))
    return report


def _try(source: Path, target: Path, uid: str, options: Options) -> int | FastdicomError | OSError:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return _to_file(source, target, uid, options)
    except (FastdicomError, OSError) as problem:
        return problem


def _note(report: TranscodeReport, file: Path, result: int | FastdicomError | OSError) -> None:
    if isinstance(result, UsageError):
        report.skipped.append(NamedPath(file, str(result)))
    elif isinstance(result, Exception):
        report.failed.append(NamedPath(file, str(result)))
    else:
        report.bytes += result
        report.converted += 1


def _to_file(source: Path, target: Path, uid: str, options: Options) -> int:
    pieces = _pieces(source, uid, replace(options, folder=target.parent))
    fresh = target.with_name(f".{target.name}.{os.getpid()}.part")
    length = 0
    try:
        with fresh.open("xb") as file:
            for piece in pieces:
                length += file.write(piece)
        os.replace(fresh, target)
    except BaseException as fault:
        fresh.unlink(missing_ok=True)
        if isinstance(fault, OSError) and fault.filename == str(fresh):
            fault.filename = str(target)  # the name that the caller knows
        raise
    return length


def _pieces(path: Path, uid: str, options: Options) -> Iterator[bytes | bytearray | memoryview]:
    """The new file. What is wrong with the old one's structure shows before this returns."""
    class_uid, instance_uid, meta = identify(path)
    dataset = read_whole(path)[meta.dataset_offset :]
    converted: Converted = convert(dataset, meta.transfer_syntax_uid, uid, options)
    head = encode_file_meta(
        class_uid, converted.sop_instance_uid or instance_uid, uid, source_ae_title=meta.source_ae_title
    )
    return _after(head, converted)


def _after(head: bytes, converted: Converted) -> Iterator[bytes | bytearray | memoryview]:
    yield head
    yield from converted


def _dataset(source: Dataset, uid: str, options: Options) -> Dataset:
    from tempfile import TemporaryDirectory

    from pydicom import dcmread

    with TemporaryDirectory() as folder:
        path = Path(folder, "source.dcm")
        source.save_as(path, enforce_file_format=True)
        return dcmread(BytesIO(b"".join(_pieces(path, uid, options))))


# ---- what is wanted
# --------------------------------------------------------------------------------------------------


def _wanted(transfer_syntax: str, quality: float | None, colour: ColourChoice) -> tuple[str, Options]:
    try:
        uid = syntax_uid(transfer_syntax)
    except ValueError as problem:
        raise UsageError(str(problem)) from None
    if colour not in ("rgb", "keep"):
        raise UsageError(f"colour is 'rgb' or 'keep', not {colour!r}")
    return uid, Options(colour=colour, quality=quality_of(uid, quality))


def quality_of(uid: str, value: float | None) -> Quality | None:
    """One number as the quality of a transfer syntax. Raises UsageError where it means nothing."""
    if value is None:
        return None
    keyword = KNOWN[uid].keyword
    if keyword not in _QUALITIES:
        raise UsageError(f"{keyword} has no quality: it keeps every pixel")
    return _QUALITIES[keyword](value)


def _whole(value: float, least: int, most: int) -> int:
    if value != int(value) or not least <= value <= most:
        raise UsageError(f"the quality is a whole number from {least} to {most}, not {value:g}")
    return int(value)


def _above_zero(value: float) -> float:
    if not 0 < value < 1000:
        raise UsageError(f"the quality is above 0 and below 1000, not {value:g}")
    return value


@contextmanager
def _helpers() -> Iterator[tuple[ThreadPoolExecutor, int]]:
    count = os.cpu_count() or 1
    with ThreadPoolExecutor(count, "fastdicom-convert") as threads:
        yield threads, count


def _with_helpers(options: Options, helpers: ThreadPoolExecutor, count: int) -> Options:
    return replace(options, helpers=helpers, helper_count=count)
