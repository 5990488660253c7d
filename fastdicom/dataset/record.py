"""What the index keeps of one stored instance: values that every room may hold.

Deliberately without behaviour: `dataset/scanned.py` makes records from bytes, `index` keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """The indexed attributes of one SOP Instance, by level of the Query/Retrieve hierarchy.

    The UIDs are text without padding. A class without studies (an implant template) gets Study and
    Series Instance UIDs that are derived from its SOP Instance UID, so that it can be found and moved.

    patient, study, series, image: each a Data Set in Explicit VR Little Endian with the attributes of
    that level that the instance has, in ascending tag order, values as received (text in the instance's
    own character set, Specific Character Set in front when it was there), sequences with explicit lengths.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient: bytes
    study: bytes
    series: bytes
    image: bytes


@dataclass(frozen=True, slots=True)
class Compression:
    """What an instance was before we compressed it without loss, and the proof that its pixels are the same.

    received_as: transfer syntax UID. received_size: of the file. received_checksum: XXH3-64 of the Data Set.
    pixels_before, pixels_after: XXH3-64 of the native frames, of what came and of what is kept, decoded.
    """

    received_as: str
    received_size: int
    received_checksum: int
    pixels_before: int
    pixels_after: int


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Where the bytes of an instance are and how to tell that they are whole.

    path: relative to the archive's objects folder. size: of the whole file. dataset_offset: where the
    Data Set begins, after the File Meta Information. checksum: XXH3-64 of the Data Set's bytes.
    received_at: seconds since the epoch. source_ae_title: who sent it ("" when imported). compression: None
    unless we compressed it.
    """

    path: str
    size: int
    dataset_offset: int
    checksum: int
    transfer_syntax_uid: str
    received_at: float
    source_ae_title: str
    compression: Compression | None = None

    @property
    def received_checksum(self) -> int:
        """XXH3-64 of the Data Set as it came."""
        return self.checksum if self.compression is None else self.compression.received_checksum


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One instance as the index knows it: enough to send, export, verify or delete it.

    damage: what is wrong with its file, "" when nothing is known to be.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    file: FileEntry
    damage: str = ""


@dataclass(frozen=True, slots=True)
class Added:
    """Outcome of a Put: the instance is in the index now."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Outcome of a Put: the instance was there already and stays; the new file is to be discarded."""

    file: FileEntry


@dataclass(frozen=True, slots=True)
class Replaced:
    """Outcome of a Put: the new file took the place of `old`, which is to be unlinked."""

    old: FileEntry


@dataclass(frozen=True, slots=True)
class Deleted:
    """Outcome of a Delete: the row is gone; `old` is to be unlinked. None: there was no such instance."""

    old: FileEntry | None


@dataclass(frozen=True, slots=True)
class Put:
    """Ask the index to take an instance; `replace` decides what happens to a duplicate."""

    record: InstanceRecord
    file: FileEntry
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Ask the index to forget an instance; the last one takes its series, study and patient along.

    path: only while this is its file: what has replaced it since nobody wants to go. "": whatever it is.
    """

    sop_instance_uid: str
    path: str = ""


Change = Put | Delete
Outcome = Added | Kept | Replaced | Deleted
