"""Identifiers: what a C-FIND, C-MOVE or C-GET asks for, and what `find` on the command line asks for.

Decoding is bounded in bytes, keys, depth and UIDs, and never recurses deeper than the depth it allows.
What the keys mean is for the index to say. PS3.4 C.2.2, C.4.1.1.3, C.4.2.1.4.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fastdicom.dataset.attributes import ATTRIBUTES, LEVELS, SPECIFIC_CHARACTER_SET, Attribute
from fastdicom.dataset.charset import TEXT_VRS, Charset, charset_of
from fastdicom.dataset.terms import DEFAULT_TERMS, Terms
from fastdicom.errors import LimitReached, MalformedDataset, Refused
from fastdicom.kernels.rows import vr_of
from fastdicom.standard.status import CANNOT_UNDERSTAND, DOES_NOT_MATCH_SOP_CLASS, OUT_OF_RESOURCES
from fastdicom.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, KNOWN

Model = Literal["PATIENT", "STUDY"]

QUERY_RETRIEVE_LEVEL = 0x00080052
RETRIEVE_AE_TITLE = 0x00080054
INSTANCE_AVAILABILITY = 0x00080056
MODALITIES_IN_STUDY = 0x00080061
SOP_CLASSES_IN_STUDY = 0x00080062
STORAGE_MEDIA_FILE_SET_ID = 0x00880130
STORAGE_MEDIA_FILE_SET_UID = 0x00880140
TIMEZONE_OFFSET_FROM_UTC = 0x00080201

UNIQUE_KEYS = {"PATIENT": 0x00100020, "STUDY": 0x0020000D, "SERIES": 0x0020000E, "IMAGE": 0x00080018}
COMPUTED = {
    MODALITIES_IN_STUDY: "STUDY",
    SOP_CLASSES_IN_STUDY: "STUDY",
    0x00201200: "PATIENT",  # Number of Patient Related Studies
    0x00201202: "PATIENT",  # ... Series
    0x00201204: "PATIENT",  # ... Instances
    0x00201206: "STUDY",  # Number of Study Related Series
    0x00201208: "STUDY",  # ... Instances
    0x00201209: "SERIES",  # Number of Series Related Instances
}
"""What is counted and collected rather than kept: tag -> level."""
CONTROL = frozenset(
    {SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, RETRIEVE_AE_TITLE, INSTANCE_AVAILABILITY,
     STORAGE_MEDIA_FILE_SET_ID, STORAGE_MEDIA_FILE_SET_UID, TIMEZONE_OFFSET_FROM_UTC}
)  # fmt: skip
"""Elements of an identifier that are no keys of an entity."""
_LEVEL_SPELLINGS = {"INSTANCE": "IMAGE", "IMAGES": "IMAGE"}

_LONG_VRS = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
NUMBER_FORMATS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "SV": "q", "UV": "Q"}
BINARY_VRS = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "UN"])
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
NOT_SEVERAL = frozenset({"LT", "ST", "UT", "UR"})


@dataclass(frozen=True, slots=True)
class IdentifierLimits:
    """Ceilings of one identifier. length: bytes, inflated. keys: elements at all depths. uids: of one key.

    pattern: characters of one value with wild cards, and of all names that are compared by their sound.
    patterns: values with wild cards in all keys together: each is compared with every row.
    """

    length_max: int = 1 << 20
    keys_max: int = 512
    depth_max: int = 64
    uids_max: int = 10_000
    pattern_max: int = 1024
    patterns_max: int = 512


DEFAULT_LIMITS = IdentifierLimits()


@dataclass(frozen=True, slots=True)
class Key:
    """One key. values: its values without padding; none for universal matching. items: of a sequence."""

    tag: int
    vr: str
    values: tuple[str, ...] = ()
    items: tuple[tuple[Key, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Identifier:
    """What is asked for.

    keys: in ascending order of tags, without the elements in CONTROL. charset: the asker's.
    transfer_syntax_uid: of the identifier, and so of the answers. asked: which elements of CONTROL there
    were. unsupported: optional keys that were given a value but that we do not match (then Pending is FF01H,
    PS3.4 C.4.1.1.4). timezone: Timezone Offset From UTC, "" without. terms: how its keys match.
    """

    level: str
    model: Model
    keys: tuple[Key, ...]
    charset: Charset
    transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN
    asked: frozenset[int] = frozenset()
    unsupported: tuple[int, ...] = ()
    timezone: str = ""
    terms: Terms = DEFAULT_TERMS

    def key(self, tag: int) -> Key | None:
        """The key with this tag."""
        return next((key for key in self.keys if key.tag == tag), None)

    def values(self, tag: int) -> tuple[str, ...]:
        """The values of a key; none when it is absent or empty."""
        key = self.key(tag)
        return key.values if key is not None else ()


def decode_identifier(
    data: bytes,
    transfer_syntax_uid: str,
    model: Model,
    *,
    retrieve: bool = False,
    terms: Terms = DEFAULT_TERMS,
    patient_level_in_study_root: bool = False,
    attributes: Sequence[Attribute] = ATTRIBUTES,
    limits: IdentifierLimits = DEFAULT_LIMITS,
) -> Identifier:
    """The identifier of a request.

    retrieve: of a C-MOVE or C-GET: needs only the unique key of its own level. terms: of the asker; with
    `relational` the unique keys of higher levels may be missing (PS3.4 C.4.1.3.2).
    Raises Refused (A900H, C000H) or LimitReached (A700H) with a comment and the element.
    """
    raw = _Reader(data, transfer_syntax_uid, limits).read()
    asked_set = charset_of(terms.charset or _bytes_of(raw, SPECIFIC_CHARACTER_SET))
    level = _level(raw, model, patient_level_in_study_root)
    keys = tuple(_key(one, asked_set, limits) for one in raw if one.tag not in CONTROL)
    _check_effort(keys, terms, limits)
    identifier = Identifier(
        level,
        model,
        keys,
        asked_set,
        transfer_syntax_uid,
        frozenset(one.tag for one in raw if one.tag in CONTROL),
        unsupported_keys(keys, level, attributes),
        (_bytes_of(raw, TIMEZONE_OFFSET_FROM_UTC) or b"").decode("latin_1").strip(" \0"),
        terms,
    )
    if retrieve:
        _check_retrieve(identifier)
    else:
        _check_hierarchy(identifier, terms.relational)
    return identifier


def unsupported_keys(keys: Sequence[Key], level: str, attributes: Sequence[Attribute]) -> tuple[int, ...]:
    """The keys with a value that the index does not match at this level."""
    levels = {row.tag: row.level for row in attributes} | COMPUTED
    at = LEVELS.index(level)
    return tuple(
        key.tag
        for key in keys
        if (key.values or any(any(one.values for one in item) for item in key.items))
        and not is_private_creator(key.tag)
        and (key.tag not in levels or LEVELS.index(levels[key.tag]) > at)
    )


def is_private(tag: int) -> bool:
    """True for an odd group. PS3.5 7.8."""
    return bool(tag >> 16 & 1)


def is_private_creator(tag: int) -> bool:
    """True for the elements that reserve blocks of private ones; they are no keys. PS3.5 7.8.1."""
    return is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF


# What an identifier has to have.


def _refuse(comment: str, *tags: int, status: int = DOES_NOT_MATCH_SOP_CLASS) -> Refused:
    return Refused(status, comment[:64], tags)


def _level(raw: Sequence[_Raw], model: Model, patient_level_in_study_root: bool) -> str:
    value = _bytes_of(raw, QUERY_RETRIEVE_LEVEL)
    if value is None:
        raise _refuse("Query/Retrieve Level (0008,0052) is missing", QUERY_RETRIEVE_LEVEL)
    text = value.decode("ascii", "replace").strip(" \0").upper()
    level = _LEVEL_SPELLINGS.get(text, text)
    if level not in LEVELS:
        shown = "".join(one if one.isprintable() else "?" for one in text[:16])
        raise _refuse(f"Query/Retrieve Level {shown!r} is none", QUERY_RETRIEVE_LEVEL)
    if level == "PATIENT" and model == "STUDY" and not patient_level_in_study_root:
        raise _refuse("Study Root has no PATIENT level", QUERY_RETRIEVE_LEVEL)
    return level


def levels_of(model: Model) -> tuple[str, ...]:
    """The levels of an information model, from its root. PS3.4 C.6.1.1, C.6.2.1."""
    return LEVELS if model == "PATIENT" else LEVELS[1:]


def _above(identifier: Identifier) -> Iterator[str]:
    for level in levels_of(identifier.model):
        if level == identifier.level:
            return
        yield level


def _check_hierarchy(identifier: Identifier, relational: bool) -> None:
    """The unique keys of the levels above are single values or lists of UIDs. PS3.4 C.4.1.2.1."""
    if relational or identifier.level == "PATIENT":
        return
    for level in _above(identifier):
        tag = UNIQUE_KEYS[level]
        values = identifier.values(tag)
        if not values:
            raise _refuse(f"{_name(tag)} is needed at {identifier.level} level", tag)
        if any(_has_wild_card(value) for value in values):
            raise _refuse(f"{_name(tag)} has to be a single value", tag)


def _check_retrieve(identifier: Identifier) -> None:
    """The unique key of the level itself has values; those above are taken when given. PS3.4 C.4.2.2.1."""
    tag = UNIQUE_KEYS[identifier.level]
    values = identifier.values(tag)
    if not values:
        raise _refuse(f"{_name(tag)} is missing", tag)
    if any(_has_wild_card(value) for value in values):
        raise _refuse(f"{_name(tag)} may not have wild cards", tag)


def _has_wild_card(value: str) -> bool:
    return "*" in value or "?" in value


_NAMES = {row.tag: row.keyword for row in ATTRIBUTES}


def _name(tag: int) -> str:
    return f"{_NAMES.get(tag, 'the key')} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


# Bytes to elements.


@dataclass(frozen=True, slots=True)
class _Raw:
    tag: int
    vr: str
    value: bytes
    items: tuple[tuple[_Raw, ...], ...]
    big_endian: bool


def _bytes_of(raw: Sequence[_Raw], tag: int) -> bytes | None:
    return next((one.value for one in raw if one.tag == tag), None)


class _Reader:
    """Elements of a Data Set in any native encoding; every length is compared with what is left."""

    def __init__(self, data: bytes, transfer_syntax_uid: str, limits: IdentifierLimits) -> None:
        syntax = KNOWN.get(transfer_syntax_uid, KNOWN[EXPLICIT_VR_LITTLE_ENDIAN])
        self._limits = limits
        self._data = _inflated(data, limits.length_max) if syntax.deflated else data
        if len(self._data) > limits.length_max:
            raise LimitReached(f"identifier of more than {limits.length_max} bytes")
        self._explicit = syntax.explicit_vr
        self._order: Literal["big", "little"] = "big" if syntax.big_endian else "little"
        self._count = 0

    def read(self) -> tuple[_Raw, ...]:
        """All elements, in ascending order of tags."""
        found, _ = self._dataset(0, len(self._data), 0, delimited=False)
        return found

    def _dataset(self, at: int, end: int, depth: int, *, delimited: bool) -> tuple[tuple[_Raw, ...], int]:
        """The elements from `at` on, and the offset behind them."""
        found: dict[int, _Raw] = {}
        while at < end:
            tag = self._tag(at, end)
            if delimited and tag == _ITEM_END:
                return self._sorted(found), at + 8
            one, at = self._element(tag, at, end, depth)
            if tag & 0xFFFF:  # Group Length says nothing, PS3.5 7.2
                found.setdefault(tag, one)
        if delimited:
            raise MalformedDataset("an item of the identifier is not closed", at)
        return self._sorted(found), at

    @staticmethod
    def _sorted(found: dict[int, _Raw]) -> tuple[_Raw, ...]:
        return tuple(found[tag] for tag in sorted(found))

    def _element(self, tag: int, at: int, end: int, depth: int) -> tuple[_Raw, int]:
        self._count += 1
        if self._count > self._limits.keys_max:
            raise LimitReached(f"identifier with more than {self._limits.keys_max} keys")
        vr, length, body = self._head(tag, at, end)
        if tag >> 16 == 0xFFFE:
            raise MalformedDataset("an item stands where a key has to be", at, tag)
        if vr == "SQ" or (length == _UNDEFINED and vr == "UN"):
            items, after = self._items(tag, body, length, end, depth)
            return _Raw(tag, "SQ", b"", items, self._order == "big"), after
        if length > end - body:
            raise MalformedDataset("a key is longer than what encloses it", at, tag)
        return _Raw(tag, vr, self._data[body : body + length], (), self._order == "big"), body + length

    def _head(self, tag: int, at: int, end: int) -> tuple[str, int, int]:
        """(VR, length, offset of the value)."""
        if not self._explicit or tag >> 16 == 0xFFFE:
            return vr_of(tag), self._number(at + 4, 4), at + 8
        vr = self._data[at + 4 : at + 6].decode("latin_1")
        if not (vr.isascii() and vr.isalpha() and vr.isupper()):
            raise MalformedDataset("a key has no VR", at, tag)
        if vr not in _LONG_VRS:
            return vr, self._number(at + 6, 2), at + 8
        if end - at < 12:
            raise MalformedDataset("identifier ends inside a key", at, tag)
        return vr, self._number(at + 8, 4), at + 12

    def _items(
        self, tag: int, at: int, length: int, end: int, depth: int
    ) -> tuple[tuple[tuple[_Raw, ...], ...], int]:
        if depth >= self._limits.depth_max:
            raise _refuse(
                f"sequences nested deeper than {self._limits.depth_max}", tag, status=CANNOT_UNDERSTAND
            )
        delimited = length == _UNDEFINED
        if not delimited and length > end - at:
            raise MalformedDataset("a sequence is longer than what encloses it", at, tag)
        end = end if delimited else at + length
        items: list[tuple[_Raw, ...]] = []
        while at < end:
            head = self._tag(at, end)
            if delimited and head == _SEQUENCE_END:
                return tuple(items), at + 8
            if head != _ITEM:
                raise MalformedDataset("no item where one has to be", at, tag)
            item, at = self._item(tag, at, end, depth)
            items.append(item)
            if len(items) > self._limits.keys_max:
                raise LimitReached(f"identifier with more than {self._limits.keys_max} items")
        if delimited:
            raise MalformedDataset("a sequence of the identifier is not closed", at, tag)
        return tuple(items), at

    def _item(self, tag: int, at: int, end: int, depth: int) -> tuple[tuple[_Raw, ...], int]:
        length = self._number(at + 4, 4)
        if length == _UNDEFINED:
            return self._dataset(at + 8, end, depth + 1, delimited=True)
        if length > end - at - 8:
            raise MalformedDataset("an item is longer than what encloses it", at, tag)
        return self._dataset(at + 8, at + 8 + length, depth + 1, delimited=False)

    def _tag(self, at: int, end: int) -> int:
        if end - at < 8:
            raise MalformedDataset("identifier ends inside a key", at)
        return self._number(at, 2) << 16 | self._number(at + 2, 2)

    def _number(self, at: int, size: int) -> int:
        return int.from_bytes(self._data[at : at + size], self._order)


def _inflated(data: bytes, length_max: int) -> bytes:
    """Deflated bytes inflated, never more than `length_max`. PS3.5 A.5."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        out = inflater.decompress(data, length_max)
    except zlib.error as problem:
        raise MalformedDataset(f"identifier does not inflate: {problem}", 0) from None
    if inflater.unconsumed_tail:
        raise LimitReached(f"identifier of more than {length_max} bytes")
    return out


# Elements to keys.


def _key(raw: _Raw, charset: Charset, limits: IdentifierLimits) -> Key:
    if raw.vr == "SQ":
        return Key(raw.tag, "SQ", (), tuple(_item_keys(item, charset, limits) for item in raw.items))
    vr = raw.vr
    if vr == "UN":  # explicit VR UN of a known element
        vr = vr_of(raw.tag)
    values = _values(raw, vr, charset)
    if len(values) > limits.uids_max:
        raise _refuse(
            f"{_name(raw.tag)} has more than {limits.uids_max} values", raw.tag, status=OUT_OF_RESOURCES
        )
    if any(len(value) > limits.pattern_max and _has_wild_card(value) for value in values):
        raise _refuse(f"{_name(raw.tag)} is too long for wild cards", raw.tag)
    return Key(raw.tag, vr, values)


def _check_effort(keys: Sequence[Key], terms: Terms, limits: IdentifierLimits) -> None:
    """Raises Refused for more than one query may have compared with each row."""
    if sum(map(_patterns, keys)) > limits.patterns_max:
        raise LimitReached(f"more than {limits.patterns_max} values with wild cards")
    for key in keys if terms.fuzzy else ():
        if key.vr == "PN" and sum(map(len, key.values)) > limits.pattern_max:
            raise _refuse(f"{_name(key.tag)} is too long to be compared by its sound", key.tag)


def _patterns(key: Key) -> int:
    """Values with wild cards in a key and in the items below it."""
    inside = sum(_patterns(one) for item in key.items for one in item)
    return inside + sum(map(_has_wild_card, key.values))


def _item_keys(item: tuple[_Raw, ...], outer: Charset, limits: IdentifierLimits) -> tuple[Key, ...]:
    named = _bytes_of(item, SPECIFIC_CHARACTER_SET)
    charset = charset_of(named) if named else outer
    return tuple(_key(one, charset, limits) for one in item if one.tag != SPECIFIC_CHARACTER_SET)


def _values(raw: _Raw, vr: str, charset: Charset) -> tuple[str, ...]:
    """The values as text, without padding; empty ones among several stay out."""
    if vr in NUMBER_FORMATS or vr == "AT":
        return _numbers(raw, vr)
    if vr in BINARY_VRS:
        return (raw.value.hex(),) if raw.value else ()
    text = charset.decode(raw.value, vr) if vr in TEXT_VRS else raw.value.decode("latin_1")
    parts = [text] if vr in NOT_SEVERAL else text.split("\\")
    return tuple(part for part in (one.strip(" \0") for one in parts) if part)


def _numbers(raw: _Raw, vr: str) -> tuple[str, ...]:
    order = ">" if raw.big_endian else "<"
    if vr == "AT":
        pairs = struct.iter_unpack(order + "HH", raw.value[: len(raw.value) // 4 * 4])
        return tuple(f"{group:04X}{element:04X}" for group, element in pairs)
    one = struct.Struct(order + NUMBER_FORMATS[vr])
    whole = raw.value[: len(raw.value) // one.size * one.size]
    return tuple(str(number) for (number,) in one.iter_unpack(whole))


def with_transfer_syntax(identifier: Identifier, transfer_syntax_uid: str) -> Identifier:
    """The same question, answered in another transfer syntax."""
    return replace(identifier, transfer_syntax_uid=transfer_syntax_uid)
