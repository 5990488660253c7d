"""Identifiers at the edge of the package: keywords and pydicom Data Sets to bytes and back.

pydicom is imported when it is needed, not before.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from fastdicom.errors import UsageError
from fastdicom.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, KNOWN

if TYPE_CHECKING:
    from pydicom import Dataset

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")


def request_dataset(level: str, identifier: Dataset | None, keys: dict[str, Any]) -> Dataset:
    """The identifier of a C-FIND, C-MOVE or C-GET as a pydicom Data Set.

    keys: values by keyword ("" for a return key, a list for several values). Raises UsageError that names
    what is no keyword.
    """
    from pydicom import Dataset as PydicomDataset

    if level not in LEVELS:
        raise UsageError(f"{level!r} is no level: {', '.join(LEVELS)}")
    out = PydicomDataset()
    if identifier is not None:
        out.update(identifier)
    for keyword, value in keys.items():
        _set(out, keyword, value)
    out.QueryRetrieveLevel = level
    if _is_not_ascii(out) and "SpecificCharacterSet" not in out:
        out.SpecificCharacterSet = "ISO_IR 192"
    return out


def _set(dataset: Dataset, keyword: str, value: Any) -> None:
    from difflib import get_close_matches

    from pydicom.datadict import keyword_dict

    if keyword not in keyword_dict:
        near = get_close_matches(keyword, keyword_dict, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"{keyword!r} is no keyword of PS3.6{hint}")
    try:
        setattr(dataset, keyword, value)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{keyword}: {error}") from error


def _is_not_ascii(dataset: Dataset) -> bool:
    return any(not str(element.value).isascii() for element in dataset.iterall() if element.VR != "SQ")


def encode(dataset: Dataset, transfer_syntax_uid: str) -> bytes:
    """A Data Set as bytes in one of the native transfer syntaxes."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    from fastdicom.dataset.elements import deflate

    syntax = KNOWN[transfer_syntax_uid]
    out = DicomBytesIO()
    out.is_implicit_VR = not syntax.explicit_vr
    out.is_little_endian = not syntax.big_endian
    write_dataset(out, dataset)
    encoded: bytes = out.getvalue()
    return deflate(encoded) if syntax.deflated else encoded


def to_dataset(data: bytes, transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN) -> Dataset:
    """Bytes of an identifier as a pydicom Data Set."""
    import zlib

    from pydicom.filereader import read_dataset

    syntax = KNOWN[transfer_syntax_uid]
    if syntax.deflated:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data)
    return read_dataset(
        BytesIO(data), is_implicit_VR=not syntax.explicit_vr, is_little_endian=not syntax.big_endian
    )
