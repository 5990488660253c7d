"""Queries as the index takes them, from keywords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydicom import Dataset

from fastdicom.dataset.attributes import ATTRIBUTES, Attribute
from fastdicom.dataset.identifier import Identifier, Model, decode_identifier
from fastdicom.dataset.terms import Terms
from fastdicom.identifiers import build_identifier
from fastdicom.queries import encode
from fastdicom.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from tests.support import datasets

SYNTAXES = (
    IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
)
NOT_HIERARCHICAL = Terms(relational=True)


def query(level: str | None = "STUDY", **keys: object) -> Dataset:
    """An identifier with what the caller says and nothing else."""
    dataset = Dataset()
    if level is not None:
        dataset.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


def encoded(dataset: Dataset, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    """Not by the code that is tested."""
    return datasets.encode(dataset, syntax)


def ask(
    level: str,
    model: Model = "STUDY",
    /,
    *,
    terms: Terms = NOT_HIERARCHICAL,
    attributes: Sequence[Attribute] = ATTRIBUTES,
    **keys: Any,
) -> Identifier:
    """The identifier that `keys` make, answered in UTF-8."""
    dataset = build_identifier(level, {"SpecificCharacterSet": "ISO_IR 192", **keys})
    return decode_identifier(
        encode(dataset, EXPLICIT_VR_LITTLE_ENDIAN),
        EXPLICIT_VR_LITTLE_ENDIAN,
        model,
        terms=terms,
        patient_level_in_study_root=True,
        attributes=attributes,
    )
