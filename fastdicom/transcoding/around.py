"""What stands around the pixels: the Data Set before and behind them, changed and in the target's coding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from fastdicom.kernels.recode import Recoder
from fastdicom.transcoding import outline as tags
from fastdicom.transcoding.gate import ImageAttributes
from fastdicom.transcoding.outline import Coding, Outline, element, number
from fastdicom.transcoding.spool import Buffer, spooled

if TYPE_CHECKING:
    from fastdicom.transcoding.objects import Options


def image_changes(outline: Outline, image: ImageAttributes) -> dict[int, bytes]:
    """The Image Pixel attributes that differ, and the tables that are not true any more."""
    coding = outline.coding
    changes = {
        tag: b""
        for tag in (
            tags.EXTENDED_OFFSET_TABLE,
            tags.EXTENDED_OFFSET_TABLE_LENGTHS,
            tags.ENCAPSULATED_VALUE_LENGTH,
        )
    }
    if outline.text(tags.PHOTOMETRIC_INTERPRETATION) != image.photometric_interpretation:
        text = image.photometric_interpretation.encode("latin-1")
        changes[tags.PHOTOMETRIC_INTERPRETATION] = element(
            tags.PHOTOMETRIC_INTERPRETATION, "CS", text, coding
        )
    if image.samples_per_pixel > 1 and outline.number(tags.PLANAR_CONFIGURATION, 2) != 0:
        changes[tags.PLANAR_CONFIGURATION] = number(tags.PLANAR_CONFIGURATION, 0, coding)
    return changes


class Recoded:
    """Pieces whose length is known."""

    def __init__(self, pieces: Iterable[Buffer], length: int) -> None:
        self.length = length
        self._pieces = pieces

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self._pieces)


def before_pixels(outline: Outline, changes: dict[int, bytes], target: Coding, options: Options) -> Recoded:
    """All that precedes Pixel Data, changed, in the target's coding."""
    before = {tag: new for tag, new in changes.items() if tag < tags.PIXEL_DATA}
    pieces = list(outline.rewritten(before, outline.places[tags.PIXEL_DATA].start))
    return _recoded(pieces, outline.coding, target, options)


def after_pixels(outline: Outline, changes: dict[int, bytes], target: Coding, options: Options) -> Recoded:
    """All that follows Pixel Data, as before_pixels: padding, signatures."""
    after = {tag: new for tag, new in changes.items() if tag > tags.PIXEL_DATA}
    place = outline.places[tags.PIXEL_DATA]
    pieces = list(outline.rewritten(after, len(outline.source), place.end))
    return _recoded(pieces, outline.coding, target, options)


def _recoded(pieces: Sequence[Buffer], coding: Coding, target: Coding, options: Options) -> Recoded:
    if coding == target or not pieces:
        return Recoded(pieces, sum(map(len, pieces)))
    recoder = Recoder(joined(pieces, options), *coding, *target, depth_max=options.depth_max)
    return Recoded(recoder, recoder.length)


def joined(pieces: Iterable[Buffer], options: Options) -> Buffer:
    """All pieces in one buffer."""
    return spooled(pieces, options.folder, options.memory_max, options.min_free).whole()
