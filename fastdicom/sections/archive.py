"""[archive], [index] and [query]: what is kept, what is found."""

# ruff: noqa: RUF009 -- `setting` declares a dataclass field, it makes no shared default

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fastdicom.dataset.attributes import LEVELS, Attribute
from fastdicom.dataset.terms import EXTENSIONS, Extension
from fastdicom.sections.units import GIB
from fastdicom.settings import ALIKE, boolean, choice, listing, nearest, path_of, setting, size, text


def _folder(value: object) -> Path:
    return path_of(value, "a folder")


def _attribute(value: object) -> Attribute:
    """`"ScanOptions"` (kept of every instance) or `"SERIES/ScanOptions"`; the VR comes from PS3.6."""
    if isinstance(value, Attribute):
        return value
    level, _, keyword = text(value).rpartition("/")
    level = level or "IMAGE"
    if level not in LEVELS:
        raise ValueError(f"{value!r} has no level that we know; {nearest(level, LEVELS)}")
    from pydicom.datadict import dictionary_VR, keyword_dict  # heavy: only for who adds attributes

    if not keyword or keyword not in keyword_dict:  # it has nameless retired rows under ""
        raise ValueError(f"{keyword!r} is no attribute of PS3.6; {nearest(keyword, keyword_dict, ALIKE)}")
    tag = keyword_dict[keyword]
    return Attribute(tag, dictionary_VR(tag)[:2], keyword, level)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveConfig:
    """[archive]: where and how instances are kept.

    durability: "full": Success means that file and index row survive a power cut; "os": that they survive a
    crash of the process. duplicates: the same SOP Instance again "keep"s the first or "replace"s it.
    min_free: bytes; below it C-STORE is answered A700H before the Data Set is taken, until a quarter more is
    free.
    accept_unknown_sop_classes: take Storage SOP classes that are private or newer than our table.
    """

    path: Path = setting(Path("fastdicom-archive"), _folder)
    durability: Literal["full", "os"] = setting("full", choice("full", "os"))
    duplicates: Literal["keep", "replace"] = setting("keep", choice("keep", "replace"))
    min_free: int = setting(GIB, size(0))
    accept_unknown_sop_classes: bool = setting(False, boolean)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexConfig:
    """[index]. extra: attributes to index beyond `dataset.attributes.ATTRIBUTES`."""

    extra: tuple[Attribute, ...] = setting((), listing(_attribute))


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryConfig:
    """[query]. The first four are what SOP Class Extended Negotiation may grant (PS3.4 C.5.1.1).

    relational: unique keys of higher levels may be missing. datetime: a date and its time match as one
    moment. fuzzy: names that sound alike. timezone: the asker's clock. `grants` of a peer overrules them.
    accent_folding: `Muller` finds `Müller`. read_files: attributes that are not indexed are returned from
    the stored files. patient_level_in_study_root: answer a Study Root query at PATIENT
    level instead of refusing it.
    """

    relational: bool = setting(False, boolean)
    datetime: bool = setting(False, boolean)
    fuzzy: bool = setting(False, boolean)
    timezone: bool = setting(False, boolean)
    accent_folding: bool = setting(True, boolean)
    read_files: bool = setting(True, boolean)
    patient_level_in_study_root: bool = setting(False, boolean)

    @property
    def grants(self) -> tuple[Extension, ...]:
        """What may be granted to who asks for it."""
        return tuple(name for name in EXTENSIONS if getattr(self, name))
