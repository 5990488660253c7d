"""One instance from one transfer syntax to another, for programs and for `fastdicom transcode`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, overload

from fastdicom.dataset.part10 import encode_file_meta, scan_file
from fastdicom.errors import Refused, UsageError
from fastdicom.outbox import read_whole
from fastdicom.standard.status import PROCESSING_FAILURE
from fastdicom.standard.transfer_syntaxes import BY_KEYWORD, KNOWN
from fastdicom.transcoding.native import recode

if TYPE_CHECKING:
    from pydicom import Dataset


@overload
def transcode(source: str | os.PathLike[str], transfer_syntax: str) -> bytes: ...
@overload
def transcode(source: Dataset, transfer_syntax: str) -> Dataset: ...
def transcode(source: str | os.PathLike[str] | Dataset, transfer_syntax: str) -> Dataset | bytes:
    """A file's instance as a whole PS3.10 file, or a pydicom Data Set as another one.

    transfer_syntax: a UID or keyword. Native syntaxes convert among themselves (Implicit, Explicit, Big
    Endian, Deflated); pixels are not coded or decoded, that is refused. Raises UsageError (no such syntax,
    no DICOM file), MalformedDataset, Refused.

    >>> from pydicom.data import get_testdata_file
    >>> whole = transcode(get_testdata_file("CT_small.dcm"), "ImplicitVRLittleEndian")
    >>> whole[128:132]
    b'DICM'
    """
    wanted = BY_KEYWORD.get(transfer_syntax) or KNOWN.get(transfer_syntax)
    if wanted is None:
        raise UsageError(f"{transfer_syntax!r} is no transfer syntax that we know")
    if isinstance(source, str | os.PathLike):
        return _file(Path(source), wanted.uid)
    return _dataset(source, wanted.uid)


def _file(path: Path, wanted_uid: str) -> bytes:
    record, meta = scan_file(path)
    stored_uid = meta.transfer_syntax_uid
    dataset = read_whole(path)[meta.dataset_offset :]
    head = encode_file_meta(
        record.sop_class_uid, record.sop_instance_uid, wanted_uid, source_ae_title=meta.source_ae_title
    )
    if stored_uid == wanted_uid:
        return head + bytes(dataset)
    if not KNOWN[wanted_uid].native:
        raise Refused(PROCESSING_FAILURE, f"pixels cannot be coded in {KNOWN[wanted_uid].name} yet")
    return b"".join((head, *recode(dataset, stored_uid, wanted_uid)))


def _dataset(source: Dataset, wanted_uid: str) -> Dataset:
    from io import BytesIO
    from tempfile import TemporaryDirectory

    from pydicom import dcmread

    with TemporaryDirectory() as folder:
        path = Path(folder, "source.dcm")
        source.save_as(path, enforce_file_format=True)
        return dcmread(BytesIO(_file(path, wanted_uid)))
