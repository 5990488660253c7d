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
    Identifier,
    Key,
)
from fastdicom.dataset.recoded import from_utf8, recode_value
from fastdicom.index.conditions import EVERYTHING, Condition, condition_of
from fastdicom.index.schema import Summary
from fastdicom.kernels.query import COMPUTED as COMPUTED_LEVEL
from fastdicom.kernels.query import Selector
from fastdicom.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, KNOWN

LATIN_1 = b"ISO_IR 100"
UTF_8 = b"ISO_IR 192"
ONLINE = b"ONLINE"

_COMPUTED_VR = {MODALITIES_IN_STUDY: "CS", SOP_CLASSES_IN_STUDY: "UI"}
_FROM_SUMMARY: dict[int, tuple[int, Callable[[Summary], bytes]]] = {
    MODALITIES_IN_STUDY: (1, lambda summary: summary.modalities),
    SOP_CLASSES_IN_STUDY: (1, lambda summary: summary.sop_classes),
    0x00201200: (0, lambda summary: b"%d" % summary.studies),
    0x00201202: (0, lambda summary: b"%d" % summary.series),
    0x00201204: (0, lambda summary: b"%d" % summary.instances),
    0x00201206: (1, lambda summary: b"%d" % summary.series),
    0x00201208: (1, lambda summary: b"%d" % summary.instances),
    0x00201209: (2, lambda summary: b"%d" % summary.instances),
}
"""Computed attribute -> (level of the tally, how to read it)."""


class Query:
    """One identifier against rows: `selector` matches them, `set_tally` fills in counts, `answer` encodes.

    level: as a number, 0 patient to 3 image. tally_levels: the levels whose tallies are needed.
    """

    def __init__(
        self,
        identifier: Identifier,
        attributes: Mapping[int, Attribute],
        *,
        retrieve_ae_title: str = "",
        answers: bool = True,
    ) -> None:
        """attributes: those that are indexed, by tag. answers: False for a retrieve: nothing is encoded."""
        self.identifier = identifier
        self.level = LEVELS.index(identifier.level)
        self._charset = identifier.charset
        syntax = KNOWN.get(identifier.transfer_syntax_uid, KNOWN[EXPLICIT_VR_LITTLE_ENDIAN])
        self._deflated = syntax.deflated
        self._computed: dict[int, list[tuple[int, Callable[[Summary], bytes]]]] = {}
        self.conditions: dict[int, Condition] = {}
        self._slots: dict[int, tuple[int, str, int, bool, int, object]] = {}
        for key in identifier.keys:
            self._add_key(key, attributes, answers)
        fixed = self._fixed_elements(retrieve_ae_title) if answers else {}
        for tag, (vr, _) in fixed.items():
            self._slots[tag] = (tag, vr, COMPUTED_LEVEL, True, *EVERYTHING)
        ordered = [self._slots[tag] for tag in sorted(self._slots)]
        self.selector = Selector(
            ordered,
            explicit_vr=syntax.explicit_vr,
            big_endian=syntax.big_endian,
            plain_charset=self._charset.value or LATIN_1,
            other_charset=UTF_8,
        )
        for index, (tag, *_) in enumerate(ordered):
            if tag in fixed:
                self.selector.set(index, fixed[tag][1])
            elif tag in _FROM_SUMMARY:
                level, read = _FROM_SUMMARY[tag]
                self._computed.setdefault(level, []).append((index, read))
        self.tally_levels = tuple(sorted(self._computed))

    def _add_key(self, key: Key, attributes: Mapping[int, Attribute], answers: bool) -> None:
        if key.tag in COMPUTED:
            if LEVELS.index(COMPUTED[key.tag]) <= self.level:
                condition = condition_of(key)
                vr = _COMPUTED_VR.get(key.tag, "IS")
                self._slots[key.tag] = (key.tag, vr, COMPUTED_LEVEL, answers, *condition)
            return
        row = attributes.get(key.tag)
        if row is None or LEVELS.index(row.level) > self.level:
            return  # not supported: neither matched nor returned, PS3.4 C.2.2.1.3
        condition = EVERYTHING if row.vr == "SQ" else condition_of(replace(key, vr=row.vr))
        self.conditions[key.tag] = condition
        self._slots[key.tag] = (key.tag, row.vr, LEVELS.index(row.level), answers, *condition)

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

    def set_tally(self, level: int, packed: bytes) -> bool:
        """Fill in what is counted at a level; True when it matches."""
        summary = Summary(packed)
        matched = True
        for index, read in self._computed[level]:
            matched &= self.selector.set(index, read(summary))
        return matched

    def answer(self) -> bytes:
        """The identifier of one Pending response, in the asker's transfer syntax and character set."""
        encoded = self.selector.encode()
        if self.selector.non_ascii and not self._charset.is_utf8:
            encoded = self._in_askers_set() or encoded
        return deflate(encoded) if self._deflated else encoded

    def _in_askers_set(self) -> bytes | None:
        """None when the asker's set cannot carry all of it: then the answer is in UTF-8."""
        if self._charset.value == b"":
            return None
        recode = from_utf8(self._charset)
        replaced = {}
        for index, vr, value in self.selector.texts():
            recoded = recode_value(value, vr, recode)
            if recoded is None:
                return None
            replaced[index] = recoded
        return self.selector.encode_with(self._charset.value, replaced)
