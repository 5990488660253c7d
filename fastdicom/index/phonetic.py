"""Fuzzy semantic matching of names: words that sound alike, in any order. PS3.4 C.2.2.2.1.1 and C.5.1.1.

The mechanism, as the conformance statement has to tell it: a key and a name are folded (no case, no accents)
and divided into words at spaces, `^`, `=`, `-` and commas. Each word of the key has to sound like some word
of the name. Latin words sound alike when their codes are the same: spellings of one sound are made one
(PH F, CK K, ...), the first letter and all later consonants become the classes of Soundex, repeated classes
count once, vowels, H and W say nothing. A word that ends in `*` needs only the beginning of a code. Words in
other scripts sound alike when they are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from fastdicom.index.folding import fold

_WORDS = re.compile(r"[\s^=,\-\\]+")
_SPELLINGS = tuple(
    (re.compile(spelling), sound)
    for spelling, sound in (
        ("sch", "s"), ("^(kn|gn|pn)", "n"), ("^wr", "r"), ("ph", "f"), ("gh", ""), ("c(?=[eiy])", "s"),
        ("ck|cc|c", "k"), ("q", "k"), ("dt$|th", "t"), ("^x", "s"), ("tz|z", "s"), ("v", "f"),
    )
)  # fmt: skip
_CLASSES = {
    **dict.fromkeys("bfp", "1"), **dict.fromkeys("gjkqx", "2"), **dict.fromkeys("dt", "3"), "l": "4",
    **dict.fromkeys("mn", "5"), "r": "6", "s": "7",
}  # fmt: skip
_REMEMBERED_MAX = 65536
_LENGTH_MAX = 1024  # characters of a name that are looked at: PN has at most five times 64. PS3.5 6.2


def words_of(name: str) -> list[str]:
    """The words of a name, folded."""
    return [word for word in _WORDS.split(fold(name[:_LENGTH_MAX]).strip(" \0")) if word]


def sound_of(word: str) -> str:
    """The code of a folded word; words in other scripts than Latin are their own code."""
    letters = word.replace("'", "").replace(".", "")
    if not (letters.isascii() and letters.isalpha()):
        return letters
    for spelling, sound in _SPELLINGS:
        letters = spelling.sub(sound, letters)
    code = ""
    last = ""
    for at, letter in enumerate(letters):
        cls = _CLASSES.get(letter, "")
        if at == 0 and not cls:
            code = "0"  # begins with a vowel, H, W or Y
        elif cls and cls != last:
            code += cls
        if letter not in "hw":
            last = cls
    return code


def fuzzy_matcher(values: tuple[str, ...]) -> Callable[[bytes | None], bool]:
    """For the kernel: does a name sound like one of the key's values? Remembers names it has judged."""
    wanted = [[_key_sound(word) for word in words_of(value)] for value in values]
    judged: dict[bytes, bool] = {}

    def matches(value: bytes | None) -> bool:
        if value is None:
            return False
        known = judged.get(value)
        if known is None:
            if len(judged) >= _REMEMBERED_MAX:
                judged.clear()
            sounds = {sound_of(word) for word in words_of(value.decode("utf-8", "replace"))}
            known = judged[value] = any(all(_heard(one, sounds) for one in words) for words in wanted)
        return known

    return matches


def _key_sound(word: str) -> tuple[str, bool]:
    """(code, whether it is only a beginning)."""
    literal = re.split(r"[*?]", word)[0]
    return sound_of(literal), literal != word


def _heard(wanted: tuple[str, bool], sounds: set[str]) -> bool:
    code, beginning = wanted
    if beginning:
        return any(sound.startswith(code) for sound in sounds)
    return code in sounds
