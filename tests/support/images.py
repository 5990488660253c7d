"""Native frames of every kind that codecs have to carry, made without a file."""

from __future__ import annotations

from typing import Any

import numpy
from numpy.typing import NDArray

from fastdicom.transcoding.gate import ImageAttributes


def picture(
    rows: int, columns: int, low: int, high: int, dtype: str, samples: int = 1
) -> NDArray[numpy.integer[Any]]:
    """Waves and noise between two values."""
    y, x = numpy.mgrid[:rows, :columns]
    waves = (numpy.sin(x / 19) + numpy.cos(y / 13) + 2) / 4
    noise = numpy.random.default_rng(3).normal(0, 1 / 150, (rows, columns))
    planes = [low + (waves ** (k + 1) * 0.95 + noise) * (high - low) for k in range(samples)]
    found = numpy.clip(numpy.stack(planes, axis=-1), low, high).astype(dtype)
    return found if samples > 1 else found[..., 0]


ROWS, COLUMNS = 70, 61


def _image(bits: int, stored: int, signed: int = 0, samples: int = 1, colours: str = "") -> ImageAttributes:
    colours = colours or ("RGB" if samples == 3 else "MONOCHROME2")
    return ImageAttributes(ROWS, COLUMNS, samples, bits, stored, signed, colours)


IMAGES: dict[str, tuple[NDArray[numpy.integer[Any]], ImageAttributes]] = {
    "8 bits": (picture(ROWS, COLUMNS, 0, 255, "u1"), _image(8, 8)),
    "8 bits signed": (picture(ROWS, COLUMNS, -128, 127, "i1"), _image(8, 8, 1)),
    "10 of 16 bits": (picture(ROWS, COLUMNS, 0, 1023, "<u2"), _image(16, 10)),
    "12 of 16 bits": (picture(ROWS, COLUMNS, 0, 4095, "<u2"), _image(16, 12)),
    "12 of 16 bits signed": (picture(ROWS, COLUMNS, -2048, 2047, "<i2"), _image(16, 12, 1)),
    "16 bits": (picture(ROWS, COLUMNS, 0, 65535, "<u2"), _image(16, 16)),
    "16 bits signed": (picture(ROWS, COLUMNS, -32768, 32767, "<i2"), _image(16, 16, 1)),
    "overlay in unused bits": (picture(ROWS, COLUMNS, 0, 4095, "<u2") | 0x8000, _image(16, 12)),
    "RGB": (picture(ROWS, COLUMNS, 0, 255, "u1", 3), _image(8, 8, 0, 3)),
    "RGB of 16 bits": (picture(ROWS, COLUMNS, 0, 65535, "<u2", 3), _image(16, 16, 0, 3)),
    "YBR_FULL": (picture(ROWS, COLUMNS, 0, 255, "u1", 3), _image(8, 8, 0, 3, "YBR_FULL")),
    "palette": (picture(ROWS, COLUMNS, 0, 255, "u1"), _image(8, 8, 0, 1, "PALETTE COLOR")),
    "one pixel": (numpy.array([[2345]], dtype="<u2"), ImageAttributes(1, 1, 1, 16, 12)),
}
