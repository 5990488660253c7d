"""Identifiers from keywords: the Python API and the command line (`-k PatientName=DOE*`)."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Sequence
from typing import Any

from fastdicom.dataset.attributes import ATTRIBUTES, LEVELS, Attribute
from fastdicom.dataset.charset import UTF8, charset_of
from fastdicom.dataset.identifier import NOT_SEVERAL, Identifier, Key, Model, unsupported_keys
from fastdicom.errors import UsageError
from fastdicom.kernels.rows import vr_of

_COMPUTED_KEYWORDS = {
    "ModalitiesInStudy": (0x00080061, "CS"),
    "SOPClassesInStudy": (0x00080062, "UI"),
    "NumberOfPatientRelatedStudies": (0x00201200, "IS"),
    "NumberOfPatientRelatedSeries": (0x00201202, "IS"),
    "NumberOfPatientRelatedInstances": (0x00201204, "IS"),
    "NumberOfStudyRelatedSeries": (0x00201206, "IS"),
    "NumberOfStudyRelatedInstances": (0x00201208, "IS"),
    "NumberOfSeriesRelatedInstances": (0x00201209, "IS"),
}


def identifier_from_keywords(
    level: str,
    model: Model = "STUDY",
    /,
    *,
    attributes: Sequence[Attribute] = ATTRIBUTES,
    **keys: Any,
) -> Identifier:
    """An identifier for `find`: `identifier_from_keywords("STUDY", PatientID="123*", StudyDate="")`.

    A value is a str ("" asks for the attribute, `*` `?` and `-` ranges as in C-FIND, a backslash between
    values), a number, a date, time or datetime, a list of those, or for a sequence a pydicom Dataset, a
    dict of keywords or a list of them. Raises UsageError for an unknown keyword (naming the nearest), level
    or type.
    """
    plain = {"INSTANCE": "IMAGE"}.get(level.upper(), level.upper())
    if plain not in LEVELS:
        raise UsageError(f"{level!r} is no level: {', '.join(LEVELS)}")
    known = {row.keyword: (row.tag, row.vr) for row in attributes} | _COMPUTED_KEYWORDS
    found = [_key(keyword, value, known) for keyword, value in keys.items()]
    found.sort(key=lambda key: key.tag)
    ordered = tuple(found)
    return Identifier(
        plain, model, ordered, charset_of(UTF8), unsupported=unsupported_keys(ordered, plain, attributes)
    )


def _key(keyword: str, value: Any, known: dict[str, tuple[int, str]]) -> Key:
    tag, vr = _tag_and_vr(keyword, known)
    if vr == "SQ":
        return Key(tag, vr, (), tuple(_item(one, known) for one in _as_list(value) if one != ""))
    given = [_text(keyword, one) for one in _as_list(value)]
    texts = given if vr in NOT_SEVERAL else [text for one in given for text in one.split("\\")]
    return Key(tag, vr, tuple(text.strip() for text in texts if text.strip()))


def _tag_and_vr(keyword: str, known: dict[str, tuple[int, str]]) -> tuple[int, str]:
    if keyword in known:
        return known[keyword]
    digits = keyword.replace(",", "").strip("()")
    if len(digits) == 8 and all(one in "0123456789abcdefABCDEF" for one in digits):
        return int(digits, 16), vr_of(int(digits, 16))
    from pydicom.datadict import keyword_dict  # heavy, and only for attributes that are not indexed

    if keyword in keyword_dict:
        tag = keyword_dict[keyword]
        return tag, vr_of(tag)
    near = difflib.get_close_matches(keyword, [*known, *keyword_dict], 1, 0.0)
    raise UsageError(f"{keyword!r} is no attribute; the nearest is {near[0]!r}")


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    return [value]


def _text(keyword: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y%m%d%H%M%S")
    if isinstance(value, datetime.date):
        return value.strftime("%Y%m%d")
    if isinstance(value, datetime.time):
        return value.strftime("%H%M%S")
    if isinstance(value, int | float) or type(value).__module__.startswith("pydicom"):
        return str(value)
    raise UsageError(f"{keyword}: a value may not be of type {type(value).__name__}")


def _item(value: Any, known: dict[str, tuple[int, str]]) -> tuple[Key, ...]:
    """One item's keys, from a dict of keywords or a pydicom Dataset."""
    if isinstance(value, dict):
        pairs = list(value.items())
    elif hasattr(value, "iterall"):
        pairs = [(one.keyword or f"{int(one.tag):08X}", _plain(one.value)) for one in value]
    else:
        raise UsageError(f"an item of a sequence is a Dataset or a dict, not {type(value).__name__}")
    return tuple(sorted((_key(keyword, one, known) for keyword, one in pairs), key=lambda key: key.tag))


def _plain(value: Any) -> Any:
    return list(value) if type(value).__name__ in ("MultiValue", "Sequence") else value
