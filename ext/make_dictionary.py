"""Writes dictionary.h: the VR of every standard Data Element, from the dictionary of pydicom.

Run it as `python ext/make_dictionary.py > ext/dictionary.h` when pydicom brings a newer edition of PS3.6;
`tests/unit/test_dictionary_table.py` compares the two. Private elements are left out on purpose: what their
VR is depends on a creator, and UN is always right for them (PS3.5 6.2.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydicom import __version__
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

# VRs that depend on another element (PS3.5 Annex A.1) get lower case codes of our own.
AMBIGUOUS = {"US or SS": "xs", "OB or OW": "ox", "US or OW": "lw", "US or SS or OW": "lt"}
SHIFT = 19
SLOT_COUNT = 1 << (32 - SHIFT)
FACTOR = 0x9E3779B1  # Knuth's multiplicative hash
EMPTY = (0xFFFFFFFF, 0)
HEAD = """/* The VR of every standard Data Element.
 * Written by make_dictionary.py from pydicom {version}; do not edit.
 *
 * VRs are two letters, the first in the high byte. Lower case: xs is US or SS, ox OB or OW, lw US or OW,
 * lt US or SS or OW; PS3.6 leaves the choice to other elements. The tables are hashed: an element stands at
 * or behind (tag * DICTIONARY_FACTOR) >> DICTIONARY_SHIFT, with no empty slot between.
 */
#ifndef FASTDICOM_DICTIONARY_H
#define FASTDICOM_DICTIONARY_H
#include <stdint.h>
"""


def code(vr: str) -> int:
    """The two letters of a VR as one number."""
    letters = AMBIGUOUS.get(vr, vr)
    return ord(letters[0]) << 8 | ord(letters[1])


def rows(numbers: Iterable[int], width: int, per_line: int) -> Iterator[str]:
    """Numbers as lines of a C initializer."""
    texts = [f"0x{number:0{width}X}," for number in numbers]
    for start in range(0, len(texts), per_line):
        yield "    " + " ".join(texts[start : start + per_line])


def array(declaration: str, numbers: Iterable[int], width: int, per_line: int) -> str:
    """One C array."""
    return "\n".join([f"static const {declaration} = {{", *rows(numbers, width, per_line), "};", ""])


def repeaters() -> list[tuple[int, int, int]]:
    """(mask, tag, VR) of the elements whose group or element number repeats, such as (60xx,3000)."""
    found = []
    for pattern, entry in sorted(RepeatersDictionary.items()):
        mask = int("".join("0" if digit == "x" else "F" for digit in pattern), 16)
        found.append((mask, int(pattern.replace("x", "0"), 16), code(entry[0])))
    return found


def hashed(known: dict[int, int]) -> list[tuple[int, int]]:
    """(tag, VR) in the order of the slots, EMPTY between."""
    slots = [EMPTY] * SLOT_COUNT
    for tag, vr in sorted(known.items()):
        slot = (tag * FACTOR & 0xFFFFFFFF) >> SHIFT
        while slots[slot] != EMPTY:
            slot = (slot + 1) % SLOT_COUNT
        slots[slot] = (tag, vr)
    return slots


def header() -> str:
    """The text of dictionary.h."""
    known = {tag: code(entry[0]) for tag, entry in DicomDictionary.items() if entry[0] != "NONE"}
    slots = hashed(known)
    repeated = repeaters()
    parts = [
        HEAD.format(version=__version__),
        f"#define DICTIONARY_SLOTS {SLOT_COUNT}\n#define REPEATER_COUNT {len(repeated)}",
        f"#define DICTIONARY_FACTOR 0x{FACTOR:08X}u\n#define DICTIONARY_SHIFT {SHIFT}",
        f"#define DICTIONARY_EMPTY 0x{EMPTY[0]:08X}u\n",
        array("uint32_t DICTIONARY_TAG[DICTIONARY_SLOTS]", (tag for tag, _ in slots), 8, 9),
        array("uint16_t DICTIONARY_VR[DICTIONARY_SLOTS]", (vr for _, vr in slots), 4, 14),
        array("uint32_t REPEATER_MASK[REPEATER_COUNT]", (row[0] for row in repeated), 8, 9),
        array("uint32_t REPEATER_TAG[REPEATER_COUNT]", (row[1] for row in repeated), 8, 9),
        array("uint16_t REPEATER_VR[REPEATER_COUNT]", (row[2] for row in repeated), 4, 14),
        "#endif",
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    print(header())
