"""Identifiers at the edge of the package: keywords and pydicom Data Sets to bytes and back.

pydicom is imported when it is needed, not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING

from fastdicom.config import Config, Limits
from fastdicom.dataset.attributes import ATTRIBUTES, Attribute
from fastdicom.dataset.identifier import Identifier, IdentifierLimits, decode_identifier
from fastdicom.dataset.terms import Terms
from fastdicom.errors import UsageError
from fastdicom.identifiers import model_name
from fastdicom.index.answers import Answers
from fastdicom.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, KNOWN

if TYPE_CHECKING:
    from pydicom import Dataset


def encode(dataset: Dataset, transfer_syntax_uid: str) -> bytes:
    """A Data Set as bytes in a native transfer syntax. Raises UsageError for what has no encoding."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    from fastdicom.dataset.elements import deflate

    syntax = KNOWN[transfer_syntax_uid]
    out = DicomBytesIO()
    out.is_implicit_VR = not syntax.explicit_vr
    out.is_little_endian = not syntax.big_endian
    try:
        write_dataset(out, dataset)
    except (
        TypeError,
        ValueError,
        AttributeError,
        OSError,
    ) as problem:  # pydicom names the tag, and much more
        raise UsageError(str(problem).partition("\n")[0]) from problem
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


def datasets_of(answers: Answers) -> Iterator[Dataset]:
    """What the index answers as pydicom Data Sets, as they come. Between two of them no snapshot is held."""
    with closing(answers):
        yield from (to_dataset(answer) for answer in answers.unheld() if answer is not None)


def decoded(
    dataset: Dataset, model: str, config: Config, attributes: Sequence[Attribute] = ATTRIBUTES
) -> Identifier:
    """A query on our own archive: relational, since nobody has to negotiate with himself.

    attributes: what its index holds.
    """
    return decode_identifier(
        encode(dataset, EXPLICIT_VR_LITTLE_ENDIAN),
        EXPLICIT_VR_LITTLE_ENDIAN,
        model_name(model),
        limits=identifier_limits(config.limits),
        terms=Terms(relational=True, accent_folding=config.query.accent_folding),
        patient_level_in_study_root=True,
        attributes=attributes,
    )


def identifier_limits(limits: Limits) -> IdentifierLimits:
    """The ceilings for identifiers from the configuration."""
    return IdentifierLimits(
        length_max=limits.identifier_length_max,
        keys_max=limits.identifier_keys_max,
        uids_max=limits.identifier_uids_max,
        depth_max=limits.nesting_depth_max,
    )
