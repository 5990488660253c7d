"""What PS3.4 C.2.2.2 says, written as plainly as possible over pydicom Data Sets: slow, and nobody's code.

Knows nothing of the index: it is what the index is compared with.
"""

from __future__ import annotations

import re
import unicodedata

from pydicom import DataElement, Dataset

WILD_VRS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}


def values_of(element: DataElement | None) -> list[str]:
    """The values as text without padding; empty ones are none."""
    if element is None or element.value is None:
        return []
    value = element.value
    several = value if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue" else [value]
    return [text for text in (str(one).strip(" \0") for one in several) if text]


def matches(key: DataElement, data: DataElement | None, accents: bool = True) -> bool:
    """Does one attribute of an entity match one key?"""
    if key.VR == "SQ":
        return sequence_matches(key, data, accents)
    wanted = values_of(key)
    if not wanted or any(set(one) == {"*"} for one in wanted):
        return True
    return any(value_matches(key.VR, one, value, accents) for one in wanted for value in values_of(data))


def sequence_matches(key: DataElement, data: DataElement | None, accents: bool) -> bool:
    if not key.value or not key.value[0] or universal(key.value[0]):
        return True
    return data is not None and any(item_matches(key.value[0], item, accents) for item in data.value)


def item_matches(keys: Dataset, item: Dataset, accents: bool = True) -> bool:
    return all(matches(key, item.get(key.tag), accents) for key in keys)


def universal(keys: Dataset) -> bool:
    return all(matches(key, None) for key in keys)


def value_matches(vr: str, wanted: str, value: str, accents: bool) -> bool:
    if vr == "PN":
        return name_matches(folded(wanted, accents), folded(value, accents))
    if vr == "DA":
        return in_range(wanted.replace(".", ""), value.replace(".", ""), "", "")
    if vr == "TM":
        return time_matches(wanted, value)
    if vr in ("IS", "DS", "US", "SS", "UL", "SL", "FL", "FD"):
        return number(wanted) == number(value)
    if vr in WILD_VRS and ("*" in wanted or "?" in wanted):
        return like(wanted, value)
    return wanted == value


def number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def like(pattern: str, value: str) -> bool:
    """`*` and `?` only: everything else is itself."""
    parts = [re.escape(one) if one not in "*?" else {"*": ".*", "?": "."}[one] for one in pattern]
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def folded(name: str, accents: bool) -> str:
    """Without case, padding and trailing empty components; without accents if those are folded."""
    if name.isascii():
        plain = name.lower()
    elif accents:
        apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
        plain = unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", apart))
    else:
        plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    groups = ["^".join(part.strip() for part in group.split("^")).rstrip("^") for group in plain.split("=")]
    return "=".join(groups).rstrip("=")


def name_matches(wanted: str, name: str) -> bool:
    if "=" not in wanted:
        return any(like(wanted, group) for group in name.split("=") if group)
    groups = [*name.split("="), "", "", ""]
    return all(not one or like(one, group) for one, group in zip(wanted.split("="), groups, strict=False))


def in_range(wanted: str, value: str, low_fill: str, high_fill: str) -> bool:
    low, dash, high = (part.strip() for part in wanted.partition("-"))
    if not dash:
        return value == wanted
    return value >= low + low_fill[len(low) :] and (not high or value <= high + high_fill[len(high) :])


def time_matches(wanted: str, value: str) -> bool:
    digits = value.replace(":", "").replace(".", "").ljust(12, "0")
    ends = wanted.replace(":", "").replace(".", "")
    if "-" not in ends:
        return digits == ends.ljust(12, "0")
    return in_range(ends, digits, "0" * 12, "9" * 12)
