"""What a Part 10 file says for the index: its record and checksum, found by the scanner."""

from __future__ import annotations

import os
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import xxhash

from fastdicom.config import Config
from fastdicom.dataset.attributes import Attribute
from fastdicom.dataset.compression_note import decode_note
from fastdicom.dataset.part10 import FileMeta, HeadTooShort, read_file_meta
from fastdicom.dataset.record import FileEntry, InstanceRecord, Put
from fastdicom.dataset.scanned import wanted_table
from fastdicom.dataset.stream import DatasetScan, ScanPolicy
from fastdicom.errors import FastdicomError, Refused, UsageError

_PIECE = 1 << 20
_PREFIX_END = 132  # preamble and DICM, PS3.10 7.1


class Unfinished(UsageError):
    """A file of the archive that was never whole: the node ended before its Data Set did."""


def put_of(absolute: Path, path: str, policy: ScanPolicy) -> Put:
    """The index change for a file that lies in the objects folder already, as `path`.

    Raises Unfinished, UsageError (no DICOM file), Refused (no instance that we index) or OSError.
    """
    with absolute.open("rb") as stream:
        meta = _our_file_meta(stream)
        record, checksum = scan_dataset(stream, meta, policy)
        stat = os.fstat(stream.fileno())
    entry = FileEntry(
        path,
        stat.st_size,
        meta.dataset_offset,
        checksum,
        meta.transfer_syntax_uid,
        stat.st_mtime,
        meta.source_ae_title,
        decode_note(meta.note),
    )
    return Put(record, entry)


def scan_dataset(stream: BinaryIO, meta: FileMeta, policy: ScanPolicy) -> tuple[InstanceRecord, int]:
    """The record of a file's Data Set, and its checksum. Raises Unfinished when these are not as sealed."""
    scan = DatasetScan(meta.transfer_syntax_uid, policy)
    checksum = xxhash.xxh3_64()
    length = 0
    refused: Refused | None = None
    stream.seek(meta.dataset_offset)
    while piece := stream.read(_PIECE):
        length += len(piece)
        checksum.update(piece)
        if refused is None:
            try:
                scan.feed(piece)
            except Refused as error:
                refused = error  # but a file that is not whole says nothing about the instance
    if meta.seal is not None and meta.seal != (length, checksum.intdigest()):
        raise Unfinished(f"only {length} bytes of the Data Set are there, or not the right ones")
    if refused is not None:
        raise refused
    return scan.finish(None, None), checksum.intdigest()


def is_coming(absolute: Path) -> bool:
    """True for a file of the objects folder that was made ahead, or is being received."""
    try:
        with absolute.open("rb") as stream:
            return not os.fstat(stream.fileno()).st_size or read_file_meta(stream).seal == (0, 0)
    except (FastdicomError, OSError):
        return False


def _our_file_meta(stream: BufferedReader) -> FileMeta:
    """The File Meta Information of a file in the objects folder. Raises Unfinished for a blank one."""
    head = stream.read(_PREFIX_END)
    if len(head) < _PREFIX_END or not any(head):
        raise Unfinished("the file is blank")
    stream.seek(0)
    try:
        return read_file_meta(stream)
    except HeadTooShort as error:
        raise Unfinished(str(error)) from None


def scan_policy(config: Config, attributes: Iterable[Attribute]) -> ScanPolicy:
    """What the scanner looks for beyond `ATTRIBUTES`, and its ceilings, from the configuration."""
    limits = config.limits
    return ScanPolicy(
        wanted=wanted_table(attributes),
        depth_max=limits.nesting_depth_max,
        value_length_max=limits.indexed_value_length_max,
        element_count_max=limits.element_count_max,
        inflated_length_max=limits.inflated_length_max,
        inflate_ratio_max=limits.inflate_ratio_max,
        inflate_ratio_after=limits.inflate_ratio_after,
    )
