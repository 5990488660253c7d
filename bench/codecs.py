"""How fast the pixel kernels are, beside other libraries doing the same in this process.

    python -m bench.codecs [--small] [--only TEXT] [--seconds S]

Speeds are of the uncompressed bytes a second of CPU time, through the public API, one thread. All tools of a
row take turns, so that what disturbs the machine disturbs them all; the median and the spread (middle half)
of the turns are printed, and how many times faster fastdicom is. "same" compares the results: a decoder's
pixels with the image's, an encoder's output after decoding it. Images are synthetic, plus real ones where
FASTDICOM_DATA names the shared data. A tool that is not installed is left out (GDCM: pip install
python-gdcm).

To add a codec, write a function that gives its rows (see rle_rows) and add it to ROWS.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bench.images import Image, real_images, synthetic_images
from bench.machine import cpu_model, versions
from fastdicom.kernels import colour, jpeg_lossless, pixels, rle
from fastdicom.transcoding.frames import Frames, encapsulate

Tool = Callable[[], Any]  # a tool's `prepare` attribute, if it has one, is called before and not measured
OURS = "fastdicom"
LIBRARIES = ("numpy", "pydicom", "pylibjpeg-rle", "imagecodecs", "python-gdcm")


@dataclass
class Row:
    """One measured action: every tool gets the same input and must give the same result."""

    image: Image
    action: str
    tools: dict[str, Tool]
    check: Callable[[Any], bytes] = bytes  # from a tool's result to bytes that must be equal
    turns: dict[str, list[float]] = field(default_factory=dict)


def module(name: str) -> ModuleType | None:
    """A module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


# ---- RLE ----------------------------------------------------------------------------------------


def rle_rows(image: Image) -> Iterator[Row]:
    """Decoding to planes of samples (what pylibjpeg-rle gives), to interleaved ones, and encoding."""
    frame = rle.encode_frame(image.pixels, *image.geometry)
    pixel_count = image.rows * image.columns
    decoders: dict[str, Tool] = {OURS: lambda: rle.decode_frame(frame, *image.geometry, planar=True)}
    interleavers: dict[str, Tool] = {OURS: lambda: rle.decode_frame(frame, *image.geometry)}
    encoders: dict[str, Tool] = {OURS: lambda: rle.encode_frame(image.pixels, *image.geometry)}
    theirs = module("rle.rle")
    if theirs is not None:
        decode = partial(theirs.decode_frame, frame, pixel_count, image.bits_allocated, "<")
        decoders["pylibjpeg-rle"] = decode
        interleavers["pylibjpeg-rle+numpy"] = lambda: interleaved(decode(), image)
        encoders["pylibjpeg-rle"] = lambda: theirs.encode_frame(image.pixels, *image.geometry, "<")
    gdcm = module("gdcm")
    if gdcm is not None:
        encoders["GDCM"] = GdcmEncoder(gdcm, image)
    yield Row(image, "RLE decode, planes", decoders)
    if image.samples > 1:
        yield Row(image, "RLE decode, interleaved", interleavers)
    yield Row(image, "RLE encode", encoders, check=lambda result: decoded(image, result))


def interleaved(planes: bytes, image: Image) -> np.ndarray[Any, Any]:
    """What a program does that wants Planar Configuration 0 from a decoder that gives 1."""
    words = np.frombuffer(planes, f"<u{image.bits_allocated // 8}").reshape(image.samples, -1)
    return np.ascontiguousarray(words.T)


def write_native(image: Image, path: Path) -> None:
    """A Part 10 file that holds the image in Explicit VR Little Endian."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.BitsAllocated = image.geometry
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = (
        image.bits_stored,
        image.bits_stored - 1,
        0,
    )
    dataset.PhotometricInterpretation = "RGB" if image.samples == 3 else "MONOCHROME2"
    if image.samples > 1:
        dataset.PlanarConfiguration = 0
    dataset.PixelData = image.pixels
    dataset["PixelData"].VR = "OW" if image.bits_allocated > 8 else "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)


class GdcmEncoder:
    """GDCM's encoder on an image in memory; the result is a function that gives the frame."""

    def __init__(self, gdcm: ModuleType, image: Image) -> None:
        self.gdcm, self.image = gdcm, image

    def prepare(self) -> None:
        """Read the image anew: GDCM changes the one that it is given, and would then have nothing to do."""
        self.reader = self.gdcm.ImageReader()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "native.dcm"
            write_native(self.image, path)
            self.reader.SetFileName(str(path))
            if not self.reader.Read():
                raise RuntimeError("GDCM does not read the image")

    def __call__(self) -> Callable[[], bytes]:
        change = self.gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(self.gdcm.TransferSyntax(self.gdcm.TransferSyntax.RLELossless))
        change.SetInput(self.reader.GetImage())
        if not change.Change():
            raise RuntimeError("GDCM does not encode this image")
        return lambda: gdcm_frame(self.gdcm, self.reader, change)


def gdcm_frame(gdcm: ModuleType, reader: Any, change: Any) -> bytes:
    """The frame out of GDCM's filter, by way of a file: its binding gives no binary strings."""
    from pydicom import dcmread
    from pydicom.encaps import generate_frames

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "encoded.dcm")
        writer = gdcm.ImageWriter()
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.SetFileName(path)
        if not writer.Write():
            raise RuntimeError("GDCM does not write what it has encoded")
        return next(generate_frames(dcmread(path).PixelData, number_of_frames=1))


def decoded(image: Image, result: bytes | Callable[[], bytes]) -> bytes:
    """The pixels of an encoder's result."""
    frame = result if isinstance(result, bytes) else result()
    return bytes(rle.decode_frame(frame, *image.geometry, strict=True))


# ---- JPEG Lossless ------------------------------------------------------------------------------


def jpeg_rows(image: Image) -> Iterator[Row]:
    """Selection Value 1 both ways, beside libjpeg-turbo; and another predictor, which costs more to undo."""
    imagecodecs = module("imagecodecs")
    if image.samples == 4:
        return
    shape = (image.rows, image.columns) + ((image.samples,) if image.samples > 1 else ())
    array = np.frombuffer(image.pixels, f"<u{image.bits_allocated // 8}").reshape(shape)
    for predictor in (1, 6):
        frame = jpeg_lossless.encode_frame(image.pixels, *image.geometry, image.bits_stored, predictor)
        decoders: dict[str, Tool] = {
            OURS: lambda frame=frame: jpeg_lossless.decode_frame(frame, *image.geometry)  # type: ignore[misc]
        }
        if imagecodecs is not None:
            decoders["libjpeg-turbo"] = partial(imagecodecs.jpeg8_decode, frame)
        yield Row(image, f"JPEG predictor {predictor} decode", decoders)
    encoders: dict[str, Tool] = {
        OURS: lambda: jpeg_lossless.encode_frame(image.pixels, *image.geometry, image.bits_stored)
    }
    if imagecodecs is not None:
        options: dict[str, Any] = {"lossless": True, "predictor": 1, "bitspersample": image.bits_stored}
        if image.samples == 3:  # it would convert to YCbCr, which is neither lossless nor comparable
            options |= {"colorspace": "RGB", "outcolorspace": "RGB"}
        encoders["libjpeg-turbo"] = partial(imagecodecs.jpeg8_encode, array, **options)
    yield Row(image, "JPEG predictor 1 encode", encoders, check=partial(jpeg_decoded, image))


def jpeg_decoded(image: Image, codestream: bytes) -> bytes:
    """The pixels of an encoder's result."""
    return bytes(jpeg_lossless.decode_frame(codestream, *image.geometry))


# ---- pixels -------------------------------------------------------------------------------------


def pixel_rows(image: Image) -> Iterator[Row]:
    """Rearranging, beside numpy; and memcpy, which nothing can beat."""
    data, out = image.pixels, bytearray(len(image.pixels))
    yield Row(
        image, "memcpy", {OURS: lambda: memoryview(out).__setitem__(slice(None), data)}, check=lambda _: b""
    )
    if image.bits_allocated == 16:
        yield Row(
            image,
            "swap 16-bit words",
            {
                OURS: lambda: pixels.swap_bytes(data, 16),
                "numpy": lambda: np.frombuffer(data, "<u2").byteswap(),
            },
        )
        layout = image.bits_allocated, image.bits_stored, image.bits_stored - 1
        yield Row(
            image,
            "mask and extend the sign",
            {OURS: lambda: pixels.align_samples(data, *layout, True), "numpy": lambda: numpy_align(image)},
        )
        yield Row(
            image,
            "look for stray bits",
            {OURS: lambda: pixels.stray_bits(data, *layout, False)},
            check=lambda bits: str(bits).encode(),
        )
    else:
        yield from colour_rows(image)


def numpy_align(image: Image) -> np.ndarray[Any, Any]:
    """The usual two shifts."""
    shift = image.bits_allocated - image.bits_stored
    words = np.frombuffer(image.pixels, f"<i{image.bits_allocated // 8}")
    result: np.ndarray[Any, Any] = (words << shift) >> shift
    return result


def colour_rows(image: Image) -> Iterator[Row]:
    data, samples = image.pixels, image.samples
    array = np.frombuffer(data, np.uint8).reshape(image.rows, image.columns, samples)
    planar = bytes(pixels.to_planar(data, samples, 8))
    planes = np.frombuffer(planar, np.uint8).reshape(samples, -1)
    yield Row(
        image,
        "interleaved to planar",
        {
            OURS: lambda: pixels.to_planar(data, samples, 8),
            "numpy": lambda: np.ascontiguousarray(array.reshape(-1, samples).T),
        },
    )
    yield Row(
        image,
        "planar to interleaved",
        {
            OURS: lambda: pixels.to_interleaved(planar, samples, 8),
            "numpy": lambda: np.ascontiguousarray(planes.T),
        },
    )
    if samples == 3:
        convert = importlib.import_module("pydicom.pixels.processing").convert_color_space
        yield Row(
            image,
            "YBR_FULL to RGB",
            {
                OURS: lambda: colour.ybr_full_to_rgb(data),
                "pydicom": lambda: convert(array, "YBR_FULL", "RGB"),
            },
            check=lambda _: b"",  # pydicom rounds in floats: one sample in some thousand is off by one
        )
        yield Row(image, "RGB to YBR_FULL", {OURS: lambda: colour.rgb_to_ybr_full(data)})


# ---- multi-frame --------------------------------------------------------------------------------


def multi_frame_rows(image: Image) -> Iterator[Row]:
    """All frames: out of the encapsulated value into one buffer, and back into fragments."""
    size = len(image.pixels) // image.frames
    native = [image.pixels[at : at + size] for at in range(0, len(image.pixels), size)]
    coders: list[tuple[str, Coder, Coder, tuple[str, Coder] | None]] = [
        ("RLE", decode_rle, encode_rle, rle_peer()),
        ("JPEG predictor 1", decode_jpeg, encode_jpeg, jpeg_peer()),
    ]
    for name, decode, encode, peer in coders:
        encoded = [encode(frame, image) for frame in native]
        value = b"".join(encapsulated_frames(encoded))
        decoders: dict[str, Tool] = {OURS: partial(decode_value, value, image, decode)}
        encoders: dict[str, Tool] = {OURS: partial(encode_value, native, image, encode)}
        if peer is not None:
            decoders[peer[0]] = partial(decode_value, value, image, peer[1])
        yield Row(image, f"{name} decode, frames", decoders)
        yield Row(image, f"{name} encode, frames", encoders)


Coder = Callable[[bytes, Image], bytes]


def decode_value(value: bytes, image: Image, decode: Coder) -> bytearray:
    size = len(image.pixels) // image.frames
    pixels = bytearray(len(image.pixels))
    for number, frame in enumerate(Frames(value, 0, image.frames)):
        pixels[number * size : (number + 1) * size] = decode(bytes(frame), image)
    return pixels


def encode_value(native: list[bytes], image: Image, encode: Coder) -> bytes:
    return b"".join(encapsulated_frames([encode(frame, image) for frame in native]))


def encapsulated_frames(frames: list[bytes]) -> list[bytes]:
    return [bytes(piece) for piece in encapsulate(frames)]


def decode_rle(frame: bytes, image: Image) -> bytes:
    return rle.decode_frame(frame, *image.geometry)


def encode_rle(frame: bytes, image: Image) -> bytes:
    return rle.encode_frame(frame, *image.geometry)


def decode_jpeg(frame: bytes, image: Image) -> bytes:
    return jpeg_lossless.decode_frame(frame, *image.geometry)


def encode_jpeg(frame: bytes, image: Image) -> bytes:
    return jpeg_lossless.encode_frame(frame, *image.geometry, image.bits_stored)


def rle_peer() -> tuple[str, Coder] | None:
    theirs = module("rle.rle")
    if theirs is None:
        return None
    return "pylibjpeg-rle", lambda frame, image: theirs.decode_frame(
        frame, image.rows * image.columns, image.bits_allocated, "<"
    )


def jpeg_peer() -> tuple[str, Coder] | None:
    imagecodecs = module("imagecodecs")
    if imagecodecs is None:
        return None
    return "libjpeg-turbo", lambda frame, image: imagecodecs.jpeg8_decode(frame).tobytes()


# Functions from an image to what is measured on it. Another codec is one more.
ROWS: list[Callable[[Image], Iterator[Row]]] = [pixel_rows, rle_rows, jpeg_rows]
MULTI_FRAME_ROWS: list[Callable[[Image], Iterator[Row]]] = [multi_frame_rows]


# ---- measuring ----------------------------------------------------------------------------------


def measure(row: Row, seconds: float) -> None:
    """Let the tools take turns for `seconds` each, at least three turns."""
    row.turns = {name: [] for name in row.tools}
    deadline = time.perf_counter() + seconds * len(row.tools)
    while len(row.turns[OURS]) < 3 or time.perf_counter() < deadline:
        for name, tool in row.tools.items():
            getattr(tool, "prepare", lambda: None)()
            started = time.thread_time()
            tool()
            row.turns[name].append(time.thread_time() - started)


def results(row: Row) -> dict[str, bytes]:
    """What each tool gives, comparable; tools that cannot do this image are dropped from the row."""
    found = {}
    for name in list(row.tools):
        try:
            getattr(row.tools[name], "prepare", lambda: None)()
            found[name] = row.check(row.tools[name]())
        except Exception as error:  # a library may fail in any way; ours may not
            if name == OURS:
                raise
            del row.tools[name]
            print(f"{row.image.name:16}{row.action:26}{name:20}failed: {error}")
    return found


def report(row: Row, found: dict[str, bytes]) -> None:
    """A line for each tool."""
    size = len(row.image.pixels)
    ours = statistics.median(row.turns[OURS])
    for name, turns in row.turns.items():
        median = statistics.median(turns)
        low, _, high = statistics.quantiles(turns, n=4)
        same = "" if name == OURS else "same" if found[name] == found[OURS] else "DIFFERENT"
        digest = hashlib.sha256(found[name]).hexdigest()[:8] if found[name] else "-"
        print(
            f"{row.image.name:16}{row.action:26}{name:20}{size / median / 1e6:9.0f} MB/s"
            f" ±{50 * (high - low) / median:3.0f} %{median * 1e9 / size:8.2f} s/GB"
            f"{median / ours:8.1f}x  {digest:9}{same}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--small", action="store_true", help="tiny images and few turns: only to see that it runs"
    )
    parser.add_argument("--only", default="", help="rows whose image or action contains this text")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each tool of each row")
    arguments = parser.parse_args()
    print(f"{cpu_model()}, {os.cpu_count()} cores; {versions(*LIBRARIES)}")
    images = synthetic_images(arguments.small)
    if not arguments.small:
        images += real_images()
    for image in images:
        for rows in ROWS if image.frames == 1 else MULTI_FRAME_ROWS:
            for row in rows(image):
                if arguments.only in f"{image.name} {row.action}":
                    found = results(row)
                    measure(row, 0.001 if arguments.small else arguments.seconds)
                    report(row, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
