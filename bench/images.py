"""The images of bench/codecs.py: phantoms as scanners give them, and real ones."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Image:
    """Native pixels: interleaved, little-endian."""

    name: str
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    pixels: bytes
    frames: int = 1

    @property
    def geometry(self) -> tuple[int, int, int, int]:
        return self.rows, self.columns, self.samples, self.bits_allocated


def phantom(name: str, side: int, bits_stored: int, samples: int = 1) -> Image:
    """A body in air: a bright ellipse with organs, noise inside and none outside, as scanners give."""
    rng = np.random.default_rng(1)
    numpy: Any = np  # its stubs refuse comparisons with numbers
    x, y = numpy.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
    body = (x / 0.8) ** 2 + (y / 0.9) ** 2 < 1
    value = 0.4 * body + 0.2 * ((x - 0.3) ** 2 + y**2 < 0.05) + 0.1 * np.sin(6 * x) * body
    value += rng.normal(0, 0.004, value.shape) * body
    white = float((1 << bits_stored) - 1)
    stored = numpy.clip(value * white, 0.0, white)
    layers = [stored * factor for factor in (1, 0.8, 0.6, 1)[:samples]]
    dtype = "<u1" if bits_stored <= 8 else "<u2"
    data = np.stack(layers, axis=-1).astype(dtype).tobytes()
    return Image(name, side, side, samples, 8 if bits_stored <= 8 else 16, bits_stored, data)


def synthetic_images(small: bool) -> list[Image]:
    if small:
        return [
            phantom("CT 64", 64, 12),
            phantom("US RGB 64", 64, 8, 3),
            multi_frame("MR 32, 3 frames", 32, 12, 3),
        ]
    return [
        phantom("CT 512", 512, 12),
        phantom("MR 256", 256, 12),
        phantom("CR 2k 12 bit", 2048, 12),
        phantom("DX 2k 16 bit", 2048, 16),
        phantom("US RGB 640", 640, 8, 3),
        multi_frame("MR 256, 40 frames", 256, 12, 40),
    ]


def multi_frame(name: str, side: int, bits_stored: int, frames: int) -> Image:
    """Slices that differ: the phantom, shifted."""
    one = phantom(name, side, bits_stored)
    words = np.frombuffer(one.pixels, "<u2").reshape(side, side)
    shifted = b"".join(np.roll(words, 3 * frame, axis=1).tobytes() for frame in range(frames))
    return dataclasses.replace(one, pixels=shifted, frames=frames)


REAL_FILES = {
    "CT1 (real)": "transfer_syntaxes/rle_5/CT1_RLE",
    "MR1 (real)": "transfer_syntaxes/rle_5/MR1_RLE",
    "RG1 CR (real)": "transfer_syntaxes/j2k_91/RG1_J2KI",
    "US1 RGB (real)": "transfer_syntaxes/rle_5/US1_RLE",
    "VL1 RGB (real)": "transfer_syntaxes/rle_5/VL1_RLE",
}


def real_images() -> Iterator[Image]:
    """Real images from the shared data, decoded with pydicom."""
    folder = Path(os.environ.get("FASTDICOM_DATA", ""))
    if not (folder / "MANIFEST.csv").is_file():
        return
    from pydicom import dcmread

    for name, path in REAL_FILES.items():
        dataset = dcmread(folder / path)
        data = np.ascontiguousarray(dataset.pixel_array).tobytes()
        geometry = dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.BitsAllocated
        yield Image(name, *geometry, dataset.BitsStored, data)
