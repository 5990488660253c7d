"""Text as it is compared: names without case, accents and padding; other text without padding.

The kernel folds ASCII names by the same rules (ext/pattern.pxd, fold_ascii_name); names with other
characters are folded here once, when they come in, and kept in the row. PS3.4 C.2.2.2.1, PS3.5 6.2.
"""

from __future__ import annotations

import unicodedata

from fastdicom.kernels.rows import elements, text_is_plain

_PADDING = " \0"


def fold_case(text: str) -> str:
    """Without case; full-width and half-width forms of a character are one."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def fold(text: str) -> str:
    """As `fold_case`, and without accents: the combining marks of Latin, Greek and Cyrillic."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", "".join(one for one in apart if not "\u0300" <= one <= "\u036f"))


def canonical_name(name: str) -> str:
    """One value of VR PN without padding around components and empty components and groups at the end."""
    groups = name.strip(_PADDING).split("=")
    trimmed = ["^".join(part.strip(_PADDING) for part in group.split("^")).rstrip("^") for group in groups]
    return "=".join(trimmed).rstrip("=")


def folded_name(name: str) -> str:
    """One value of VR PN as the index compares it."""
    return canonical_name(fold(name))


def folded_names(dataset: bytes) -> bytes:
    """The `folded` part of a row: names of `dataset` (text in UTF-8) that are not plain ASCII, folded.

    Element heads have 32-bit lengths here (VR UT), since folding may lengthen a name.
    """
    if text_is_plain(dataset):
        return b""
    out = bytearray()
    for tag, vr, value in elements(dataset):
        if vr == "PN" and not value.isascii():
            names = value.decode("utf-8", "replace").split("\\")
            folded = "\\".join(folded_name(name) for name in names).encode("utf-8")
            out += tag.to_bytes(4, "little")[2:] + tag.to_bytes(4, "little")[:2]
            out += b"UT\0\0" + len(folded).to_bytes(4, "little") + folded
    return bytes(out)


def trimmed_values(value: bytes) -> list[bytes]:
    """The values of an element without their padding, empty ones left out."""
    return [one for one in (part.strip(b" \0") for part in value.split(b"\\")) if one]
