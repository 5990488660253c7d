"""Elements as text: well-formed for any value, whatever control characters a peer put into it.

Only what audit messages need: elements, attributes, text. What XML 1.0 (2.2) cannot carry, and line breaks,
which attributes would lose, become visible escapes such as `\\x1b`, so that the evidence stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_SPECIALS = re.compile('[&<>"]')


def visible(value: str) -> str:
    """`value` without control characters: each as `\\xNN` or `\\uNNNN`."""
    return _UNSAFE.sub(_escape, value)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def escaped(value: str) -> str:
    """`value` for the inside of an element or of a quoted attribute."""
    return _SPECIALS.sub(lambda found: _SPECIAL[found[0]], visible(value))


def element(name: str, attributes: Mapping[str, str] | None = None, *children: str) -> str:
    """An element. children: elements, or text that `escaped` has seen."""
    given = "".join(f' {key}="{escaped(value)}"' for key, value in (attributes or {}).items())
    inside = "".join(children)
    return f"<{name}{given}>{inside}</{name}>" if inside else f"<{name}{given}/>"
