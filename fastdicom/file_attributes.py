"""Attributes that the index does not have, read from an instance's file for the answer to a query.

Bounded: so many bytes of each file are looked at, values above the ceiling for indexed ones stay out, and
pixels are never reached. Deflated files are inflated to so many bytes in one query, and not one more: what
was stored to be expensive to read again costs a query a tenth of a second, whatever there is of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from fastdicom.archive.files import Files
from fastdicom.dataset.attributes import SPECIFIC_CHARACTER_SET
from fastdicom.dataset.identifier import is_private
from fastdicom.dataset.inflate import Inflater
from fastdicom.dataset.recoded import element
from fastdicom.dataset.record import StoredEntry
from fastdicom.dataset.scanned import byte_coding
from fastdicom.errors import FastdicomError
from fastdicom.kernels.rows import elements
from fastdicom.kernels.scan import ANY_VR, Scanner, WantedTable
from fastdicom.sections.limits import Limits
from fastdicom.standard.transfer_syntaxes import KNOWN

log = logging.getLogger(__name__)

_PIECE = 64 * 1024
_DEFLATED_PIECE = 4096
_INFLATED_FILES = 16  # times the ceiling for one file may be inflated for one query
_IMAGE = 3


class FileAttributes:
    """Fits `index.walk.ReadAttributes`, for one query."""

    def __init__(self, files: Files, limits: Limits) -> None:
        self._files = files
        self._limits = limits
        self._inflatable = _INFLATED_FILES * limits.file_read_length_max

    def __call__(self, entry: StoredEntry, tags: Sequence[int], creators: Mapping[int, str]) -> bytes:
        """The attributes with `tags` that a file has, as records have them: a Data Set with its charset.

        creators: whose blocks private tags are meant in, by the tag of the element that would reserve each.
        A file may have reserved another block; what it gives is renumbered to what was asked for. PS3.5 7.8.1
        Raises OSError.
        """
        dataset = self._scan(entry, (*tags, *_reservations(creators)))
        if not creators:
            return dataset
        places = _places(dataset, tags, creators)
        if any(there != asked for there, asked in places.items()):
            dataset = self._scan(entry, tuple(places))
        return _renumbered(dataset, places)

    def _scan(self, entry: StoredEntry, tags: tuple[int, ...]) -> bytes:
        """What a file has of `tags`, up to where it breaks off or the ceiling is."""
        explicit_vr, big_endian = byte_coding(entry.file.transfer_syntax_uid)
        limits = self._limits
        scanner = Scanner(
            _wanted(tags),
            explicit_vr,
            big_endian,
            depth_max=limits.nesting_depth_max,
            value_length_max=limits.indexed_value_length_max,
        )
        left = limits.file_read_length_max
        try:
            for piece in self._pieces(entry):
                if scanner.feed(piece[:left]) or left <= len(piece):
                    break
                left -= len(piece)
        except FastdicomError as problem:
            log.warning("%s breaks off for a query: %s", entry.file.path, problem)
        if scanner.skipped:
            log.info("%s: values too long for an answer: %s", entry.file.path, scanner.skipped)
        return scanner.levels()[_IMAGE]

    def _pieces(self, entry: StoredEntry) -> Iterator[memoryview | bytes]:
        """The Data Set of a file in pieces, inflated as far as the query may."""
        path, offset = entry.file.path, entry.file.dataset_offset
        syntax = KNOWN.get(entry.file.transfer_syntax_uid)
        if syntax is None or not syntax.deflated:
            yield from self._files.pieces(path, offset, _PIECE)
        elif self._inflatable > 0:
            yield from self._inflated(path, offset)

    def _inflated(self, path: str, offset: int) -> Iterator[bytes]:
        limits = self._limits
        length_max = limits.file_read_length_max + _PIECE
        inflater = Inflater(length_max, limits.inflate_ratio_max, limits.inflate_ratio_after)
        for piece in self._files.pieces(path, offset, _DEFLATED_PIECE):
            for inflated in inflater.feed(piece):
                self._inflatable -= len(inflated)
                if self._inflatable <= 0:
                    log.warning("a query has inflated all that it may: further deflated files are not read")
                yield inflated
                if self._inflatable <= 0:
                    return


@lru_cache(maxsize=64)
def _wanted(tags: tuple[int, ...]) -> WantedTable:
    return WantedTable([(tag, ANY_VR, _IMAGE) for tag in (SPECIFIC_CHARACTER_SET, *tags)])


def _reservations(creators: Mapping[int, str]) -> tuple[int, ...]:
    """Every element that may reserve a block in the groups of `creators`."""
    groups = sorted({tag & 0xFFFF0000 for tag in creators})
    return tuple(group | block for group in groups for block in range(0x10, 0x100))


def _places(dataset: bytes, tags: Sequence[int], creators: Mapping[int, str]) -> dict[int, int]:
    """Where in the file each of `tags` stands: tag there -> tag asked for. Nowhere without its creator."""
    there = {
        (tag & 0xFFFF0000, value.decode("latin_1").strip(" \0")): tag
        for tag, _, value in elements(dataset)
        if tag in _reservations(creators)
    }
    places = {}
    for tag in tags:
        reservation = _reservation_of(tag)
        if reservation not in creators:
            places[tag] = tag
        elif (block := there.get((tag & 0xFFFF0000, creators[reservation]))) is not None:
            places[block if tag == reservation else (tag & 0xFFFF00FF) | (block & 0xFF) << 8] = tag
    return places


def _reservation_of(tag: int) -> int:
    """The element that reserves the block of a private one (itself, if it is such); 0 for others."""
    if not is_private(tag):
        return 0
    return tag if tag & 0xFFFF < 0x1000 else tag & 0xFFFF0000 | (tag & 0xFF00) >> 8


def _renumbered(dataset: bytes, places: Mapping[int, int]) -> bytes:
    """`dataset` with the tags that were asked for, in ascending order."""
    found = {places.get(tag, tag): (vr, value) for tag, vr, value in elements(dataset)}
    wanted = {SPECIFIC_CHARACTER_SET, *places.values()}
    return b"".join(element(tag, *found[tag]) for tag in sorted(found) if tag in wanted)
