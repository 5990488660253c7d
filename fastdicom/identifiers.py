"""Query keys as people write them, as a pydicom Data Set: the identifier of a C-FIND, C-MOVE or C-GET.

A key is a keyword (`PatientID`), a tag (`0010,0020`), or a path into a sequence
(`RequestAttributesSequence.ScheduledProcedureStepID`). The empty value asks for the attribute without
matching it (PS3.4 C.2.2.2.3). pydicom is imported when something is built, not before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from fastdicom.dataset.attributes import BY_KEYWORD, LEVELS
from fastdicom.dataset.identifier import Model
from fastdicom.errors import UsageError
from fastdicom.settings import ALIKE, nearest

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

UTF_8 = "ISO_IR 192"
LEVEL_ALIASES = {"INSTANCE": "IMAGE", "IMAGES": "IMAGE", "INSTANCES": "IMAGE", "STUDIES": "STUDY"}
MODELS: tuple[Model, ...] = ("STUDY", "PATIENT")
_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")
_INTEGERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "AT"})
_FLOATS = frozenset({"FL", "FD"})
_NUMBERS = _INTEGERS | _FLOATS | {"IS", "DS"}


def level_name(text: str) -> str:
    """A level of the Query/Retrieve hierarchy as PS3.4 C.3 calls it. Raises UsageError."""
    level = LEVEL_ALIASES.get(text.upper(), text.upper())
    if level not in LEVELS:
        raise UsageError(f"{text!r} is no level; the levels are {', '.join(LEVELS)}")
    return level


def model_name(text: str) -> Model:
    """An information model by its root, PS3.4 C.3: "STUDY" or "PATIENT". Raises UsageError."""
    found = next((model for model in MODELS if model == str(text).upper()), None)
    if found is None:
        raise UsageError(f"{text!r} is no information model; the models are {', '.join(MODELS)}")
    return found


def key_name(text: str) -> str:
    """A key in its one form: keywords where PS3.6 has one, `gggg,eeee` for other tags, paths with dots.

    >>> key_name("0010,0010"), key_name("(0009,1001)")
    ('PatientName', '0009,1001')

    Raises UsageError for what is neither a tag nor a keyword.
    """
    return ".".join(_part_name(part) for part in text.strip().split("."))


def _part_name(part: str) -> str:
    if part in BY_KEYWORD:
        return part
    from pydicom.datadict import keyword_dict, keyword_for_tag

    if tag := _TAG.fullmatch(part):
        number = int(tag[1] + tag[2], 16)
        return keyword_for_tag(number) or f"{tag[1]},{tag[2]}".upper()
    if not part or part not in keyword_dict:  # it has nameless retired rows under ""
        raise UsageError(f"{part!r} is no attribute of PS3.6; {nearest(part, keyword_dict, ALIKE)}")
    return part


def vr_of(name: str) -> str:
    """The VR of a key in the form that `key_name` gives it."""
    last = name.rpartition(".")[2]
    return BY_KEYWORD[last].vr if last in BY_KEYWORD else _tag_and_vr(last)[1]


def tag_name(tag: int) -> str:
    """`PatientID (0010,0020)`; a tag that PS3.6 does not name has no keyword in front."""
    from pydicom.datadict import keyword_for_tag

    numbers = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    return f"{keyword_for_tag(tag)} {numbers}".strip()


def deepest_level(keys: Mapping[str, object]) -> str:
    """The lowest level that one of `keys` belongs to: what a deletion or an export by these keys is about."""
    found = [BY_KEYWORD[name].level if name in BY_KEYWORD else "IMAGE" for name in keys]
    return max(found, key=LEVELS.index, default="STUDY")


def build_identifier(level: str, keys: Mapping[str, object]) -> Dataset:
    """An identifier for `level` with `keys`, whose names are in any form that `key_name` takes.

    Values are text with `\\` between several, or lists, dates, times, numbers, or what pydicom takes; ""
    and None are empty. An item of a sequence may be a mapping of names like `keys`. Raises UsageError when
    a name is unknown or a number is none.
    """
    identifier = _dataset(keys)
    identifier.QueryRetrieveLevel = level_name(level)
    if "SpecificCharacterSet" not in identifier and not str(identifier).isascii():
        identifier.SpecificCharacterSet = UTF_8
    return identifier


def _dataset(keys: Mapping[str, object]) -> Dataset:
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for name, value in keys.items():
        _set(dataset, key_name(name).split("."), value)
    return dataset


def _set(target: Dataset, path: list[str], value: object) -> None:
    from pydicom.config import IGNORE
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    tag, vr = _tag_and_vr(path[0])
    if len(path) > 1:
        if vr != "SQ":
            raise UsageError(f"{path[0]} is no sequence, so nothing lies inside it")
        if tag not in target or not target[tag].value:
            target.add_new(tag, vr, [Dataset()])
        _set(target[tag].value[0], path[1:], value)
        return
    try:  # without pydicom's checks: wildcards and ranges are no valid values of their VR
        target.add(DataElement(tag, vr, _value(path[0], vr, value), validation_mode=IGNORE))
    except (ValueError, TypeError) as problem:
        raise UsageError(f"{path[0]} ({vr}) cannot be {value!r}: {problem}") from problem


def _tag_and_vr(name: str) -> tuple[int, str]:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    found = _TAG.fullmatch(name)
    tag = int(found[1] + found[2], 16) if found else tag_for_keyword(name)
    assert tag is not None  # key_name let it pass
    try:
        return tag, dictionary_VR(tag)[:2]  # of "US or SS" the first
    except KeyError:
        return tag, "LO"  # a private tag: most of those that are asked for are short text


def _value(name: str, vr: str, value: object) -> Any:
    if value is None or value == "":
        return [] if vr == "SQ" else None
    if vr == "SQ" and not isinstance(value, str):
        items = [value] if isinstance(value, Mapping) or hasattr(value, "iterall") else value
        return [_dataset(item) if isinstance(item, Mapping) else item for item in cast(Iterable[Any], items)]
    if not isinstance(value, str):
        return _in_text(value) if vr not in _NUMBERS else value
    if vr == "SQ":
        raise UsageError(f"{name} is a sequence: ask for it without a value, or for {name}.Keyword=value")
    if vr in _INTEGERS:
        return [int(part, 16 if vr == "AT" else 10) for part in value.split("\\")]
    if vr in _FLOATS:
        return [float(part) for part in value.split("\\")]
    return value.split("\\") if "\\" in value and vr not in ("ST", "LT", "UT", "UR") else value


def _in_text(value: object) -> object:
    """Numbers as text, where the VR wants that: a Patient ID is `12345` to many programs."""
    if isinstance(value, (list, tuple)):
        return [_in_text(part) for part in value]
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
