"""What a Part 10 file says for the index: its record and checksum, found by the scanner."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import xxhash

from fastdicom.config import Config
from fastdicom.dataset.attributes import Attribute
from fastdicom.dataset.part10 import FileMeta, read_file_meta
from fastdicom.dataset.record import FileEntry, InstanceRecord, Put
from fastdicom.dataset.scanned import wanted_table
from fastdicom.dataset.stream import DatasetScan, ScanPolicy

_PIECE = 1 << 20


def put_of(absolute: Path, path: str, policy: ScanPolicy) -> Put:
    """The index change for a file that lies in the objects folder already, as `path`.

    Raises UsageError (no DICOM file), Refused (no whole instance) or OSError.
    """
    with absolute.open("rb") as stream:
        meta = read_file_meta(stream)
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
    )
    return Put(record, entry)


def scan_dataset(stream: BinaryIO, meta: FileMeta, policy: ScanPolicy) -> tuple[InstanceRecord, int]:
    """The record of a file's Data Set, and its checksum."""
    scan = DatasetScan(meta.transfer_syntax_uid, policy)
    checksum = xxhash.xxh3_64()
    stream.seek(meta.dataset_offset)
    while piece := stream.read(_PIECE):
        scan.feed(piece)
        checksum.update(piece)
    return scan.finish(None, None), checksum.intdigest()


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
