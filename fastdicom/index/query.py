"""An identifier made ready: what each key means, what an answer holds and where it comes from.

Pure: no transaction. `walk.py` gives it rows. PS3.4 C.2.2.1, C.4.1.1.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from fastdicom.dataset.attributes import LEVELS, SPECIFIC_CHARACTER_SET, Attribute
from fastdicom.dataset.elements import deflate
from fastdicom.dataset.identifier import (
    COMPUTED,
    INSTANCE_AVAILABILITY,
    MODALITIES_IN_STUDY,
    QUERY_RETRIEVE_LEVEL,
    RETRIEVE_AE_TITLE,
    SOP_CLASSES_IN_STUDY,
    STORAGE_MEDIA_FILE_SET_ID,
    STORAGE_MEDIA_FILE_SET_UID,
    TIMEZONE_OFFSET_FROM_UTC,
    Identifier,
    Key,
    is_private_creator,
)
from fastdicom.dataset.recoded import from_utf8, recode_value, to_utf8
from fastdicom.index.conditions import EVERYTHING, Condition, case_matcher, condition_of
from fastdicom.index.pairs import Pair, pairs_of
from fastdicom.index.sequences import SequenceKey, asks_for_all
from fastdicom.kernels.query import CALL, NAME, Selector
from fastdicom.kernels.query import COMPUTED as COMPUTED_LEVEL
from fastdicom.kernels.rows import elements
from fastdicom.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, KNOWN

LATIN_1 = b"ISO_IR 100"
UTF_8 = b"ISO_IR 192"
ONLINE = b"ONLINE"
UNAVAILABLE = b"UNAVAILABLE"  # PS3.3 C.4.23.1.1
PATIENT, STUDY = 0, 1

Slot = tuple[int, str, int, bool, int, object]
"""(tag, VR, level, returned, kind of matching, operand): kernels/query.pyi."""
Check = Callable[[Selector], bool]
"""What is left to decide about an entity whose row the kernel has let pass."""

_COMPUTED_VR = {MODALITIES_IN_STUDY: "CS", SOP_CLASSES_IN_STUDY: "UI"}
_COUNTED = {
    0x00201200: (0, 1),
    0x00201202: (0, 2),
    0x00201204: (0, 3),
    0x00201206: (1, 2),
    0x00201208: (1, 3),
    0x00201209: (2, 3),
    MODALITIES_IN_STUDY: (1, 4),
    SOP_CLASSES_IN_STUDY: (1, 5),
}
"""Computed attribute -> (level of the tally, its field: Selector.counts)."""
_PIXELS_AND_BEYOND = 0x7FE00000


class Query:
    """One identifier against rows: `selector` and `passes` match them, `answer` encodes.

    level: as a number, 0 patient to 3 image. conditions: by tag, for the plan. tally_levels: whose tallies
    are needed. file_tags: what only the stored files can tell. file_creators: whose the private ones are.
    """

    def __init__(
        self,
        identifier: Identifier,
        attributes: Mapping[int, Attribute],
        *,
        retrieve_ae_title: str = "",
        answers: bool = True,
        read_files: bool = False,
    ) -> None:
        """attributes: those that are indexed, by tag. answers: False for a retrieve: nothing is encoded.

        read_files: attributes that are not indexed come from files; else they are not returned.
        """
        self.identifier = identifier
        self.level = LEVELS.index(identifier.level)
        self.conditions: dict[int, Condition] = {}
        self._attributes = attributes
        self._answers = answers
        self._read_files = read_files and answers
        self._slots: dict[int, Slot] = {}
        self._sequences: dict[int, SequenceKey] = {}
        self._names: dict[int, tuple[str, ...]] = {}
        for key in identifier.keys:
            self._add_key(key)
        pairs = pairs_of(identifier, {*self.conditions})
        for pair in pairs:
            self._add_pair(pair)
        self._build(self._fixed_elements(retrieve_ae_title) if answers else {})
        self._checks = self._all_checks(pairs)

    # Keys to slots.

    def _add_key(self, key: Key) -> None:
        if key.tag in COMPUTED:
            if LEVELS.index(COMPUTED[key.tag]) <= self.level:
                vr = _COMPUTED_VR.get(key.tag, "IS")
                condition = condition_of(replace(key, vr=vr), self.identifier.terms)
                self._slots[key.tag] = (key.tag, vr, COMPUTED_LEVEL, self._answers, *condition)
        elif key.tag in self._attributes:
            row = self._attributes[key.tag]
            if LEVELS.index(row.level) <= self.level:
                self._add_indexed(key, row)
        elif self._read_files and _is_readable(key.tag):
            self._slots[key.tag] = (key.tag, key.vr, COMPUTED_LEVEL, True, *EVERYTHING)
        # else not supported: neither matched nor returned, PS3.4 C.2.2.1.3

    def _add_indexed(self, key: Key, row: Attribute) -> None:
        if row.vr == "SQ":
            condition = self._sequence_condition(key)
        else:
            condition = condition_of(replace(key, vr=row.vr), self.identifier.terms)
        if condition[0] == NAME and not self.identifier.terms.accent_folding:
            self._names[key.tag] = key.values
        self.conditions[key.tag] = condition
        self._slots[key.tag] = (key.tag, row.vr, LEVELS.index(row.level), self._answers, *condition)

    def _sequence_condition(self, key: Key) -> Condition:
        if asks_for_all(key):
            return EVERYTHING
        sequence = self._sequences[key.tag] = SequenceKey(key, self.identifier.terms)
        return EVERYTHING if sequence.universal else (CALL, sequence.matches)

    def _add_pair(self, pair: Pair) -> None:
        """A date and its time that are looked at together: the kernel only sieves by the date."""
        for tag, condition in ((pair.date, pair.sieve), (pair.time, EVERYTHING)):
            self._hide(tag)
            slot = self._slots[tag]
            self.conditions[tag] = condition
            self._slots[tag] = (*slot[:4], *condition)
        if self.level >= STUDY:
            self._hide(TIMEZONE_OFFSET_FROM_UTC)

    def _hide(self, tag: int) -> None:
        """Have the value of an attribute at hand; it is not returned unless it was asked for."""
        if tag not in self._slots:
            row = self._attributes[tag]
            self._slots[tag] = (tag, row.vr, LEVELS.index(row.level), False, *EVERYTHING)

    def _fixed_elements(self, retrieve_ae_title: str) -> dict[int, tuple[str, bytes | None]]:
        """What every answer holds whatever was asked, PS3.4 C.4.1.1.3.2."""
        fixed: dict[int, tuple[str, bytes | None]] = {
            SPECIFIC_CHARACTER_SET: ("CS", None),
            QUERY_RETRIEVE_LEVEL: ("CS", self.identifier.level.encode("ascii")),
            INSTANCE_AVAILABILITY: ("CS", ONLINE),
        }
        if retrieve_ae_title:
            fixed[RETRIEVE_AE_TITLE] = ("AE", retrieve_ae_title.encode("ascii", "replace"))
        for tag, vr in ((STORAGE_MEDIA_FILE_SET_ID, "SH"), (STORAGE_MEDIA_FILE_SET_UID, "UI")):
            if tag in self.identifier.asked:
                fixed[tag] = (vr, None)
        return fixed

    def _build(self, fixed: dict[int, tuple[str, bytes | None]]) -> None:
        for tag, (vr, _) in fixed.items():
            self._slots[tag] = (tag, vr, COMPUTED_LEVEL, True, *EVERYTHING)
        self._return_timezone()
        ordered = [self._slots[tag] for tag in sorted(self._slots)]
        self._index = {slot[0]: index for index, slot in enumerate(ordered)}
        charset = self.identifier.charset
        syntax = KNOWN.get(self.identifier.transfer_syntax_uid, KNOWN[EXPLICIT_VR_LITTLE_ENDIAN])
        self._deflated = syntax.deflated
        self.selector = Selector(
            ordered,
            explicit_vr=syntax.explicit_vr,
            big_endian=syntax.big_endian,
            plain_charset=charset.value or LATIN_1,
            other_charset=UTF_8,
        )
        for tag, (_, value) in fixed.items():
            self.selector.set(self._index[tag], value)
        for tag, (level, field) in _COUNTED.items():
            if tag in self._slots:
                self.selector.counts(self._index[tag], level, field)
        self.tally_levels = tuple(sorted({_COUNTED[tag][0] for tag in _COUNTED if tag in self._slots}))
        known = {*COMPUTED, *fixed, *self._attributes}
        self.file_tags = tuple(tag for tag in sorted(self._slots) if tag not in known)
        named = (self.identifier.key(tag) for tag in self.file_tags if is_private_creator(tag))
        self.file_creators = {key.tag: key.values[0] for key in named if key is not None and key.values}

    def _return_timezone(self) -> None:
        """Timezone Offset From UTC is no key, but an answer that has times says whose they are."""
        asked = TIMEZONE_OFFSET_FROM_UTC in self.identifier.asked
        if self._answers and self.level >= STUDY and asked and TIMEZONE_OFFSET_FROM_UTC in self._attributes:
            self._slots[TIMEZONE_OFFSET_FROM_UTC] = (TIMEZONE_OFFSET_FROM_UTC, "SH", STUDY, True, *EVERYTHING)

    # Matching beyond the kernel.

    def _all_checks(self, pairs: list[Pair]) -> dict[int, list[Check]]:
        checks: dict[int, list[Check]] = {}
        for pair in pairs:
            check = pair.check(self._index, self._index.get(TIMEZONE_OFFSET_FROM_UTC))
            checks.setdefault(self._row_level(pair.date), []).append(check)
        for tag, values in self._names.items():
            checks.setdefault(self._row_level(tag), []).append(_name_check(self._index[tag], values))
        return checks

    def _row_level(self, tag: int) -> int:
        """The level of the row that holds an attribute: a study's row holds its patient's."""
        level = LEVELS.index(self._attributes[tag].level)
        return STUDY if level == PATIENT and self.level >= STUDY else level

    def passes(self, level: int) -> bool:
        """What the kernel could not decide about the row that it has let pass."""
        return all(check(self.selector) for check in self._checks.get(level, ()))

    # Answers.

    def set_available(self, available: bool) -> None:
        """Whether all of the entity at hand can be retrieved: Instance Availability of its answer."""
        if self._answers:
            self.selector.set(self._index[INSTANCE_AVAILABILITY], ONLINE if available else UNAVAILABLE)

    def set_file_values(self, dataset: bytes) -> None:
        """Fill in what a file said: a Data Set as records have them, with its own character set."""
        found = {tag: (vr, value) for tag, vr, value in elements(to_utf8(dataset))}
        for tag in self.file_tags:
            asked_vr = self._slots[tag][1]
            vr, value = found.get(tag, (asked_vr, None))
            self.selector.set(self._index[tag], value, asked_vr if vr == "UN" else vr)

    def answer(self) -> bytes:
        """The identifier of one Pending response, in the asker's transfer syntax and character set."""
        for tag, sequence in self._sequences.items():
            index = self._index[tag]
            value = self.selector.value(index)
            if value:
                self.selector.set(index, sequence.shaped(value))
        encoded = self.selector.encode()
        if self.selector.non_ascii and not self.identifier.charset.is_utf8:
            encoded = self._in_askers_set() or encoded
        return deflate(encoded) if self._deflated else encoded

    def _in_askers_set(self) -> bytes | None:
        """None when the asker's set cannot carry all of it: then the answer is in UTF-8."""
        charset = self.identifier.charset
        if not charset.value:
            return None
        recode = from_utf8(charset)
        replaced = {}
        for index, vr, value in self.selector.texts():
            recoded = recode_value(value, vr, recode)
            if recoded is None:
                return None
            replaced[index] = recoded
        return self.selector.encode_with(charset.value, replaced)


def _name_check(index: int, values: tuple[str, ...]) -> Check:
    matches = case_matcher(values)
    return lambda selector: matches(selector.value(index))


def _is_readable(tag: int) -> bool:
    """What an answer may carry out of a file: no group lengths, no File Meta Information, no pixels."""
    return 0x00080000 <= tag < _PIXELS_AND_BEYOND and bool(tag & 0xFFFF)
