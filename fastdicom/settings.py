"""How a table of settings becomes a frozen dataclass: values with units, names, mistakes with their lines.

A field of a section is declared with `setting(default, read)`; `read` turns what TOML or a host program gave
into the field's value and raises ValueError with a message for a person. Every `read` takes its own results
unchanged, so that a section that was already read can be checked again. Nothing here knows what a setting
is for: that is `config.py`.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from fastdicom.standard.uid import UID

T = TypeVar("T")

SIZE_UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
TIME_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
AE_TITLE_LENGTH_MAX = 16
ALIKE = 0.6  # from here on a name may be a misspelling
SECONDS_MAX = 36500 * 86400.0  # more overflows what the kernel takes for a timeout
_SHOWN_LENGTH = 60  # of a value that is wrong
_FINGERPRINT = re.compile("[0-9A-Fa-f]{64}")
_NUMBER_AND_UNIT = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]*)\s*")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a configuration: its dotted key, its line (from 1, None: no file), why."""

    key: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line is not None else ""
        return f"{place}{self.key}: {self.message}" if self.key else f"{place}{self.message}"


def read_with(read: Callable[[object], Any], key: str = "") -> dict[str, Any]:
    """The metadata of a section's field. key: its name in TOML when the field's own name carries a unit."""
    return {"read": read, "key": key}


def setting(default: T, read: Callable[[object], T], key: str = "") -> T:
    """Declare a field of a section that has a default."""
    return field(default=default, metadata=read_with(read, key))


def key_of(declared: Field[Any]) -> str:
    """The TOML key of a field that `setting` declared."""
    return declared.metadata["key"] or declared.name


def keys_of(section: type[Any]) -> list[str]:
    """The TOML keys of a section, in the order of its fields."""
    return [key_of(declared) for declared in fields(section)]


def as_table(section: Any) -> dict[str, Any]:
    """A section as the table that gives it back."""
    return {key_of(declared): getattr(section, declared.name) for declared in fields(section)}


class TableReader:
    """Reads tables into sections and collects what is wrong instead of stopping at the first mistake.

    line_of: gives the line of a path such as ("peers", "1", "port"), or None.
    """

    def __init__(self, line_of: Callable[[tuple[str, ...]], int | None] = lambda path: None) -> None:
        self.mistakes: list[Mistake] = []
        self._line_of = line_of

    def mistake(self, path: tuple[str, ...], message: str) -> None:
        """Note a mistake at `path`, unless there is one already: what comes later follows from it."""
        key = dotted(path)
        if not key or all(known.key != key for known in self.mistakes):
            self.mistakes.append(Mistake(key, self._line_of(path), message))

    def section(self, kind: type[T], table: object, path: tuple[str, ...]) -> T | None:
        """`table` as a `kind`; a value that cannot be read keeps its default and is noted.

        None (and a mistake) when `table` is no table or lacks a key that has no default.
        """
        if isinstance(table, kind):
            table = as_table(table)
        if not isinstance(table, Mapping):
            self.mistake(path, f"must be a table, not {describe(table)}")
            return None
        known = {key_of(declared): declared for declared in fields(cast(Any, kind))}
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in known:
                self.mistake((*path, str(key)), f"unknown key; {nearest(str(key), known)}")
                continue
            try:
                values[known[key].name] = known[key].metadata["read"](value)
            except ValueError as problem:
                self.mistake((*path, key), str(problem))
        required = [key for key, declared in known.items() if declared.default is MISSING]
        for key in required:
            if key not in table:
                self.mistake((*path, key), "is missing")
        return kind(**values) if all(known[key].name in values for key in required) else None


def dotted(path: Iterable[str]) -> str:
    """`("peers", "1", "port")` as `peers[1].port`: the form in which mistakes name a key."""
    text = ""
    for part in path:
        text += f"[{part}]" if part.isdigit() else f".{part}" if text else part
    return text


def nearest(wrong: str, known: Iterable[str], likeness: float = 0.0) -> str:
    """A hint for a misspelled name: the known one that is most like it, by at least `likeness` (up to 1)."""
    from difflib import get_close_matches  # only needed once something is wrong

    names = {name.lower(): name for name in known}
    found = get_close_matches(wrong.lower(), names, n=1, cutoff=likeness)
    return f"the nearest known is `{names[found[0]]}`" if found else "none that is known is like it"


def describe(value: object) -> str:
    """A value and its kind as a person who writes TOML calls it."""
    names = {
        str: "text",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return f"{shown(value)} ({names.get(type(value), type(value).__name__)})"


def shown(value: object) -> str:
    """A value as TOML's reader gave it, on one line and not too long."""
    written = repr(value)
    return written if len(written) <= _SHOWN_LENGTH else f"{written[:_SHOWN_LENGTH]}..."


# What follows reads one value each.


def boolean(value: object) -> bool:
    """`true` or `false`."""
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {describe(value)}")
    return value


def text(value: object) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {describe(value)}")
    return value


def number(minimum: int, maximum: int) -> Callable[[object], int]:
    """A reader of whole numbers from `minimum` to `maximum`."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be a whole number, not {describe(value)}")
        if not minimum <= value <= maximum:
            raise ValueError(f"must be between {minimum} and {maximum}, not {shown(value)}")
        return value

    return read


def size(minimum: int, maximum: int = 1 << 62, zero_allowed: bool = False) -> Callable[[object], int]:
    """A reader of sizes: bytes, or text with a unit. zero_allowed: 0 has a meaning of its own."""

    def read(value: object) -> int:
        count = round(_measure(value, SIZE_UNITS, 'a size such as 65536 or "64 KiB"'))
        if not (minimum <= count <= maximum or (zero_allowed and count == 0)):
            bounds = f"{minimum} to {maximum} bytes" if maximum < 1 << 62 else f"at least {minimum} bytes"
            raise ValueError(f"must be {bounds}{' or 0' if zero_allowed else ''}, not {shown(value)}")
        return count

    return read


def seconds(value: object) -> float:
    """A duration above zero and up to a hundred years: seconds, or text with a unit."""
    duration = _measure(value, TIME_UNITS, 'a time such as 30 or "30 s"')
    if duration <= 0:
        raise ValueError(f"must be longer than 0, not {shown(value)}")
    if duration > SECONDS_MAX:
        raise ValueError(f"must be at most 36500 d, not {shown(value)}")
    return float(duration)


def _measure(value: object, units: Mapping[str, float], what: str) -> float:
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _NUMBER_AND_UNIT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"must be {what}, not {describe(value)}")
    if match[2] not in units:
        known = ", ".join(unit for unit in units if unit)
        raise ValueError(f"has the unknown unit {match[2]!r}; the units are {known}")
    return float(match[1]) * units[match[2]] if "." in match[1] else int(match[1]) * units[match[2]]


def choice(*allowed: str) -> Callable[[object], Any]:
    """A reader of one word out of `allowed`."""

    def read(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"must be {_either(allowed)}, not {describe(value)}")
        return str(value)

    return read


def choices(*allowed: str) -> Callable[[object], tuple[Any, ...]]:
    """A reader of a list of words out of `allowed`; the result has each once, in the order of `allowed`."""
    item = choice(*allowed)

    def read(value: object) -> tuple[Any, ...]:
        given = {item(entry) for entry in sequence(value)}
        return tuple(word for word in allowed if word in given)

    return read


def listing(item: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    """A reader of a list whose entries `item` reads."""

    def read(value: object) -> tuple[T, ...]:
        return tuple(item(entry) for entry in sequence(value))

    return read


def sequence(value: object) -> tuple[object, ...]:
    """A list or tuple as a tuple."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a list, not {describe(value)}")
    return tuple(value)


def ae_title(value: object) -> str:
    """An AE title without padding: 1 to 16 printable ASCII characters, no backslash. PS3.5 6.2, VR AE."""
    title = text(value).strip(" ")
    if not title:
        raise ValueError("an AE title must not be empty")
    if len(title) > AE_TITLE_LENGTH_MAX:
        raise ValueError(f"an AE title has at most 16 characters, {shown(title)} has {len(title)}")
    wrong = next((sign for sign in title if not " " <= sign <= "~" or sign == "\\"), None)
    if wrong is not None:
        raise ValueError(f"an AE title must not contain {wrong!r}")
    return title


def host(value: object) -> str:
    """A host name or address; which of them exist is found out when they are used."""
    name = text(value).strip()
    if not re.fullmatch(r"[A-Za-z0-9_.:%-]{1,253}", name):
        raise ValueError(f"{shown(value)} is no host name or address")
    return name


def certificate_name(value: object) -> str:
    """A name in a certificate, or `sha256:` and a fingerprint."""
    name = text(value).strip()
    if not name:
        raise ValueError("must not be empty")
    if name.lower().startswith("sha256:") and not _FINGERPRINT.fullmatch(name[7:].replace(":", "")):
        raise ValueError(f"{shown(name)} is no fingerprint: sha256: is followed by 64 hexadecimal digits")
    return name


def path_of(value: object, what: str) -> Path:
    """A path, whether something is there or not. what: "a file", for the complaint."""
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else ""
    if not path or "\0" in path:
        raise ValueError(f"must be the path of {what}, not {shown(value)}")
    return Path(path)


def existing_file(value: object) -> Path:
    """The path of a file that is there."""
    path = path_of(value, "a file")
    with contextlib.suppress(OSError):  # a name may be too long to look for
        if path.is_file():
            return path
    raise ValueError(f"there is no file {shown(os.fspath(path))}")


def transfer_syntax(value: object) -> str:
    """The UID of a transfer syntax that is given by its UID or its keyword. PS3.6 Table A-1."""
    from fastdicom.standard.transfer_syntaxes import BY_KEYWORD, KNOWN

    name = text(value).strip()
    if name in KNOWN:
        return name
    keywords = {keyword.lower(): row for keyword, row in BY_KEYWORD.items()}
    if name.lower() in keywords:
        return keywords[name.lower()].uid
    hint = nearest(name, BY_KEYWORD, ALIKE)
    raise ValueError(f"{shown(name)} is no transfer syntax: neither a UID of one nor a keyword; {hint}")


def uid(value: object) -> str:
    """A UID: numbers with dots between, at most 64 characters. PS3.5 9.1."""
    given = text(value).strip(" \0")
    if not UID.fullmatch(given):
        raise ValueError(f"{shown(given)} is no UID: numbers with dots between, at most 64 characters")
    return given


def _either(words: tuple[str, ...]) -> str:
    quoted = [f'"{word}"' for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
