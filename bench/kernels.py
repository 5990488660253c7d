"""How fast Data Sets are scanned and recoded, beside pydicom and dicomsdl in this process.

    python -m bench.kernels [--small] [--seconds S]

Scan: from the bytes of a Part 10 file in memory to the rows that an index keeps, or to a Data Set that can be
asked. fastdicom walks and checks all of the Data Set, nested elements and those behind the pixels too
("header": fed piece by piece until no wanted attribute can follow; "whole": with File Meta Information and
record). pydicom stops before the pixels and leaves sequences unread ("nested": they are read as well);
dicomsdl opens without a copy and stops at the pixels. Over all files that every tool reads, of the shared
data where FASTDICOM_DATA names it and else of pydicom. All times are CPU time of the thread, a file's is the
median of turns that the tools take.

Recode: bytes of the result a second, one thread. The hash tells that runs did the same.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import io
import os
import statistics
import struct
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pydicom

from bench.machine import cpu_model, versions
from fastdicom.dataset.part10 import is_deflated, read_file_meta
from fastdicom.dataset.record import InstanceRecord
from fastdicom.dataset.scanned import byte_coding, record_from, wanted_table
from fastdicom.errors import FastdicomError
from fastdicom.kernels.scan import Scanner
from fastdicom.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fastdicom.transcoding.native import recode

TABLE = wanted_table()
TURNS = 5
COPY_SPEED_MAX = 100.0  # GB/s; what is faster handed out views of its source
KERNEL = "fastdicom scan"
HEADER_PIECE = 8192
GOALS = {"pydicom": 50.0, "dicomsdl": 1.0}  # how often as long as the kernel they have to take
Reader = Callable[[bytes], Any]


# ---- scan ---------------------------------------------------------------------------------------


def whole(scanner: Scanner, data: bytes) -> InstanceRecord:
    """What an import does: File Meta Information, scan, record."""
    meta = read_file_meta(data)
    scanner.reset(*byte_coding(meta.transfer_syntax_uid))
    scanner.feed(memoryview(data)[meta.dataset_offset :])
    scanner.finish()
    return record_from(scanner, None, None)


class Kernel:
    """What the kernel does at receipt: scan and rows; the File Meta Information was read before."""

    def __init__(self) -> None:
        self.scanner = Scanner(TABLE, True, False)

    def __call__(self, data: bytes) -> Any:
        self.scanner.reset(*self.coding)
        self.scanner.feed(self.dataset)
        self.scanner.finish()
        return self.scanner.levels()

    def prepare(self, data: bytes) -> None:
        meta = read_file_meta(data)
        self.coding = byte_coding(meta.transfer_syntax_uid)
        self.dataset = memoryview(data)[meta.dataset_offset :]


class Header(Kernel):
    """What a reader of headers does: feed until no wanted attribute can follow."""

    def __call__(self, data: bytes) -> Any:
        self.scanner.reset(*self.coding)
        for at in range(0, len(self.dataset), HEADER_PIECE):
            if self.scanner.feed(self.dataset[at : at + HEADER_PIECE]):
                break
        return self.scanner.levels()


def header_by_pydicom(data: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)


def readers() -> dict[str, Reader]:
    """The tools that are there, each from bytes to something."""
    scanner = Scanner(TABLE, True, False)
    found: dict[str, Reader] = {
        KERNEL: Kernel(),
        "fastdicom header": Header(),
        "fastdicom whole": lambda data: whole(scanner, data),
        "pydicom": header_by_pydicom,
        "pydicom nested": lambda data: sum(1 for _ in header_by_pydicom(data).iterall()),
    }
    try:
        dicomsdl = importlib.import_module("dicomsdl")
    except ImportError:
        return found
    dicomsdl.set_loglevel(dicomsdl.LogLevel.ERROR)
    found["dicomsdl"] = lambda data: dicomsdl.open_memory(data, False, 0x7FE00000)
    return found


def files(small: bool) -> list[tuple[str, bytes]]:
    """Name and content of every file that all tools read, deflated ones aside."""
    folder = Path(os.environ.get("FASTDICOM_DATA", ""))
    paths = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.name else []
    if not paths or small:
        paths = sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm"))
    found = []
    for path in paths[: 10 if small else None]:
        data = path.read_bytes()
        if data[128:132] == b"DICM" and all(reads(reader, data) for reader in readers().values()):
            found.append((path.name, data))
    return found


def reads(reader: Reader, data: bytes) -> bool:
    try:
        if is_deflated(read_file_meta(data).transfer_syntax_uid):
            return False
        if isinstance(reader, Kernel):
            reader.prepare(data)
        reader(data)
    except (FastdicomError, RuntimeError, ValueError, OSError, AttributeError, KeyError):
        return False
    return True


def cpu_seconds(calls: Mapping[str, Callable[[], Any]], budget: float) -> dict[str, float]:
    """CPU seconds of one call of each, the median of turns; each call gets about `budget` seconds in all."""
    counts = {name: repeats(call, budget / TURNS) for name, call in calls.items()}
    turns: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(TURNS):
        for name, call in calls.items():
            begin = time.thread_time()
            for _ in range(counts[name]):
                call()
            turns[name].append((time.thread_time() - begin) / counts[name])
    return {name: statistics.median(found) for name, found in turns.items()}


def repeats(call: Callable[[], Any], budget: float) -> int:
    """How many calls fit into `budget` seconds; the first one warms up."""
    call()
    begin = time.thread_time()
    call()
    return max(1, int(budget / max(time.thread_time() - begin, 1e-7)))


def scan_rows(small: bool, seconds: float) -> None:
    tools = readers()
    samples = files(small)
    budget = seconds * 20 / max(len(samples), 1)
    times: dict[str, list[float]] = {name: [] for name in tools}
    digest = hashlib.sha256()
    scanner = Scanner(TABLE, True, False)
    for _, data in samples:
        record = whole(scanner, data)
        digest.update(b"".join((record.patient, record.study, record.series, record.image)))
        for kernel in (tool for tool in tools.values() if isinstance(tool, Kernel)):
            kernel.prepare(data)
        calls = {name: partial(reader, data) for name, reader in tools.items()}
        for name, seconds_spent in cpu_seconds(calls, budget).items():
            times[name].append(seconds_spent)
    print(f"scan of {len(samples)} files, rows {digest.hexdigest()[:8]}; how often as long as the kernel")
    for name, found in times.items():
        ratios = sorted(other / own for other, own in zip(found, times[KERNEL], strict=True))
        low, middle, high = statistics.quantiles(found, n=4)
        print(
            f"  {name:16} median {middle * 1e6:7.1f} µs (middle half {low * 1e6:.1f} to {high * 1e6:.1f}), "
            f"{statistics.median(ratios):6.1f}x (all {ratios[0]:.1f} to {ratios[-1]:.0f}x)"
        )
    for name, goal in GOALS.items():
        report_goal(name, goal, [file for file, _ in samples], times)


def report_goal(name: str, goal: float, files: list[str], times: dict[str, list[float]]) -> None:
    """On how many files the kernel is `goal` times as fast as a tool, and the worst of the others."""
    for kernel in (KERNEL, "fastdicom header"):
        pairs = zip(times.get(name, ()), times[kernel], strict=False)
        ratios = sorted(zip((other / own for other, own in pairs), files, strict=False))
        missed = [f"{file} {ratio:.1f}x" for ratio, file in ratios if ratio < goal]
        met = len(ratios) - len(missed)
        print(f"  {kernel} {goal:g}x {name}: {met} of {len(ratios)} files; {', '.join(missed[:8])}")


# ---- recode -------------------------------------------------------------------------------------


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    if vr in (b"OW", b"OB", b"SQ"):
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def image(megabytes: int, vr: bytes) -> bytes:
    """An image of 16-bit (OW) or 8-bit (OB) pixels in Explicit VR Little Endian."""
    bits = b"\x10\0" if vr == b"OW" else b"\x08\0"
    pixels = bytes(range(256)) * (megabytes * 4096)
    return element(0x00280100, b"US", bits) + element(0x7FE00010, vr, pixels)


def structure(count: int) -> bytes:
    """Many small elements in nested sequences of defined length, as in an RT Structure Set."""
    content = b"".join(element(0x30060050, b"DS", b"1.5\\2.5\\3.5 ") for _ in range(40))
    item = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(content)) + content
    return element(0x30060039, b"SQ", item * count)


def recode_cases(small: bool) -> Iterator[tuple[str, bytes, str, str]]:
    size = 1 if small else 64
    explicit = EXPLICIT_VR_LITTLE_ENDIAN
    sources = {"16-bit image": image(size, b"OW"), "8-bit image": image(size, b"OB")}
    sources["structures"] = structure(10 * size)
    for name, source in sources.items():
        big = b"".join(recode(source, explicit, EXPLICIT_VR_BIG_ENDIAN))
        implicit = b"".join(recode(source, explicit, IMPLICIT_VR_LITTLE_ENDIAN))
        yield f"{name}, explicit LE to implicit LE", source, explicit, IMPLICIT_VR_LITTLE_ENDIAN
        yield f"{name}, implicit LE to explicit LE", implicit, IMPLICIT_VR_LITTLE_ENDIAN, explicit
        yield f"{name}, explicit LE to explicit BE", source, explicit, EXPLICIT_VR_BIG_ENDIAN
        yield f"{name}, explicit BE to implicit LE", big, EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN


def recode_rows(small: bool, seconds: float) -> None:
    print("recode; pieces are made and dropped, values that stay are not copied")
    for name, source, from_uid, to_uid in recode_cases(small):
        digest, length = hashlib.sha256(), 0
        for piece in recode(source, from_uid, to_uid):
            digest.update(piece)
            length += len(piece)
        (spent,) = cpu_seconds({name: partial(drain, source, from_uid, to_uid)}, seconds).values()
        speed = length / spent / 1e9
        shown = f"{speed:7.2f} GB/s" if speed < COPY_SPEED_MAX else "     not copied"
        print(f"  {name:44} {shown:15} {digest.hexdigest()[:8]}")


def drain(source: bytes, from_uid: str, to_uid: str) -> int:
    return sum(map(len, recode(source, from_uid, to_uid)))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="few small inputs: only to see that it runs")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each row, 20 times it for the scan")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    pydicom.config.logger.setLevel("ERROR")
    print(f"{cpu_model()}, {os.cpu_count()} cores; {versions('pydicom', 'dicomsdl')}")
    seconds = 0.002 if arguments.small else arguments.seconds
    scan_rows(arguments.small, seconds)
    recode_rows(arguments.small, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
