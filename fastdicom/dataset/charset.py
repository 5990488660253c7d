"""Specific Character Set: text to Unicode and back. PS3.5 6.1.2, PS3.3 C.12.1.1.2.

All defined terms, their common misspellings, and code extensions by ISO 2022. A value whose bytes do not
fit the set it claims is read as UTF-8 when it is that, else as Latin-1: something that a person can
recognise, never a `?`. Encoding refuses (None) what a set cannot carry; the caller then takes UTF-8.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

log = logging.getLogger(__name__)

TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""The VRs that Specific Character Set speaks of. PS3.5 6.1.2.2."""

UTF8 = "ISO_IR 192"
_ESCAPE = 0x1B
_MULTI_BYTE_WHOLE = {UTF8: "utf-8", "GB18030": "gb18030", "GBK": "gbk"}
_KATAKANA_FIRST = 0xFF61  # JIS X 0201 A1H..DFH is U+FF61..U+FF9F


@dataclass(frozen=True, slots=True)
class Repertoire:
    """One code element: how its bytes read, and the escape sequence that designates it. PS3.3 Table C.12-3.

    code: a Python codec, "katakana" for JIS X 0201. high: in G1, bytes from 80H on; else in G0.
    width: bytes of a character. prefix: what the codec wants to see in front.
    """

    escape: bytes
    code: str
    high: bool
    width: int = 1
    prefix: bytes = b""

    def decode(self, data: bytes) -> str:
        """Raises UnicodeDecodeError."""
        if self.code != "katakana":
            return (self.prefix + data).decode(self.code)
        if any(not 0xA1 <= byte <= 0xDF for byte in data):
            raise UnicodeDecodeError("jisx0201", data, 0, len(data), "no half-width katakana")
        return "".join(chr(_KATAKANA_FIRST + byte - 0xA1) for byte in data)

    def encode(self, character: str) -> bytes | None:
        """One character's bytes in this repertoire, or None."""
        if self.code == "katakana":
            offset = ord(character) - _KATAKANA_FIRST
            return bytes([0xA1 + offset]) if 0 <= offset < 63 else None
        try:
            data = character.encode(self.code)
        except UnicodeEncodeError:
            return None
        if self.prefix:
            if not data.startswith(self.prefix):
                return None
            data = data[len(self.prefix) : len(self.prefix) + self.width]
        fits = len(data) == self.width and all((byte >= 0x80) == self.high for byte in data)
        return data if fits else None


ASCII = Repertoire(b"\x1b(B", "ascii", high=False)
_ROMAJI = Repertoire(b"\x1b(J", "ascii", high=False)
_KATAKANA = Repertoire(b"\x1b)I", "katakana", high=True)
_OLD_KANJI = Repertoire(b"\x1b$@", "iso2022_jp", high=False, width=2, prefix=b"\x1b$@")

_SINGLE_BYTE = {
    100: Repertoire(b"\x1b-A", "latin_1", high=True),
    101: Repertoire(b"\x1b-B", "iso8859_2", high=True),
    109: Repertoire(b"\x1b-C", "iso8859_3", high=True),
    110: Repertoire(b"\x1b-D", "iso8859_4", high=True),
    126: Repertoire(b"\x1b-F", "iso8859_7", high=True),
    127: Repertoire(b"\x1b-G", "iso8859_6", high=True),
    138: Repertoire(b"\x1b-H", "iso8859_8", high=True),
    144: Repertoire(b"\x1b-L", "iso8859_5", high=True),
    148: Repertoire(b"\x1b-M", "iso8859_9", high=True),
    166: Repertoire(b"\x1b-T", "iso8859_11", high=True),
    203: Repertoire(b"\x1b-b", "iso8859_15", high=True),
}
_MULTI_BYTE = {
    87: Repertoire(b"\x1b$B", "iso2022_jp", high=False, width=2, prefix=b"\x1b$B"),
    159: Repertoire(b"\x1b$(D", "iso2022_jp_2", high=False, width=2, prefix=b"\x1b$(D"),
    149: Repertoire(b"\x1b$)C", "euc_kr", high=True, width=2),
    58: Repertoire(b"\x1b$)A", "gb2312", high=True, width=2),
}
_BY_ESCAPE = {
    one.escape: one
    for one in (ASCII, _ROMAJI, _KATAKANA, _OLD_KANJI, *_SINGLE_BYTE.values(), *_MULTI_BYTE.values())
}
_ESCAPES = re.compile(b"|".join(re.escape(escape) for escape in sorted(_BY_ESCAPE, key=len, reverse=True)))
_TERM = re.compile(r"ISO[ _-]*(2022)?[ _-]*IR[ _-]*(\d+)")
_SPELLINGS = {
    "UTF8": UTF8,
    "UTF-8": UTF8,
    "UTF_8": UTF8,
    "ISO 10646": UTF8,
    "ISO_10646": UTF8,
    "GB18030": "GB18030",
    "GB 18030": "GB18030",
    "GB-18030": "GB18030",
    "GBK": "GBK",
    "ISO 2022 GBK": "GBK",
    "ISO 2022 58": "ISO 2022 IR 58",
    "GB2312": "GBK",
    "ASCII": "ISO_IR 6",
    "US-ASCII": "ISO_IR 6",
    "LATIN1": "ISO_IR 100",
}
_ISO_8859 = {
    "1": 100, "2": 101, "3": 109, "4": 110, "5": 144, "6": 127, "7": 126, "8": 138, "9": 148,
    "11": 166, "15": 203,
}  # fmt: skip


def defined_term(term: str) -> str:
    """The defined term that is meant, in the spelling of PS3.3 ("ISO_IR 100", "ISO 2022 IR 87", "GBK").

    An empty term is the default repertoire, "ISO_IR 6". A term that nobody knows is given back as it is.
    """
    plain = term.strip(" \0").upper()
    if not plain:
        return "ISO_IR 6"
    if plain in _SPELLINGS:
        return _SPELLINGS[plain]
    if match := _TERM.fullmatch(plain):
        number = int(match[2])
        return f"ISO 2022 IR {number}" if match[1] and number != 192 else f"ISO_IR {number}"
    if match := re.fullmatch(r"ISO[ _-]*8859[ _-]+(\d+)", plain):
        number = _ISO_8859.get(match[1], 0)
        return f"ISO_IR {number}" if number else plain
    return plain


class Charset:
    """The set that one Specific Character Set element names; make them with `charset_of`.

    terms: the defined terms, as spelled in PS3.3. known: False when a term is none; it then reads as ASCII.
    """

    __slots__ = ("_extensions", "_high", "_low", "_whole", "known", "terms")

    def __init__(self, terms: Sequence[str]) -> None:
        self.terms = tuple(defined_term(term) for term in terms) or ("ISO_IR 6",)
        numbers = [_number(term) for term in self.terms]
        whole = [term for term in self.terms if term in _MULTI_BYTE_WHOLE]
        self._whole = _MULTI_BYTE_WHOLE[whole[0]] if whole else None
        self.known = all(number in _NUMBERS for number in numbers) or bool(whole)
        self._low = _ROMAJI if numbers[0] == 13 else ASCII
        self._high = _KATAKANA if numbers[0] == 13 else _SINGLE_BYTE.get(numbers[0])
        self._extensions: list[Repertoire] = []
        if len(self.terms) > 1 or self.terms[0].startswith("ISO 2022"):
            for number in numbers:
                self._extensions += _NUMBERS.get(number, ())

    @property
    def is_utf8(self) -> bool:
        """True when text in this set is UTF-8."""
        return self._whole == "utf-8"

    @property
    def value(self) -> bytes:
        """What Specific Character Set (0008,0005) says for it; single-valued where that is enough."""
        if self._whole is not None:
            return next(term for term in self.terms if term in _MULTI_BYTE_WHOLE).encode("ascii")
        if self.terms == ("ISO_IR 6",):
            return b""
        if len(self.terms) > 1 and self.terms[0] in ("ISO_IR 6", "ISO 2022 IR 6"):
            return "\\".join(("", *self.terms[1:])).encode("ascii", "replace")
        return "\\".join(self.terms).encode("ascii", "replace")

    def decode(self, data: bytes, vr: str = "LO") -> str:
        """Text of any bytes; those that the set does not have are read as UTF-8 or Latin-1."""
        if data.isascii() and _ESCAPE not in data:
            return data.decode("ascii")
        try:
            if self._whole is not None:
                return data.decode(self._whole)
            return self._decode_parts(data, b"\\^=\r\n\t\f" if vr == "PN" else b"\\\r\n\t\f")
        except UnicodeDecodeError:
            return _recognisable(data, self.terms)

    def _decode_parts(self, data: bytes, delimiters: bytes) -> str:
        text: list[str] = []
        low, high = self._low, self._high
        at = 0
        while at < len(data):
            escape = _ESCAPES.match(data, at) if data[at] == _ESCAPE else None
            if escape is not None:
                found = _BY_ESCAPE[escape[0]]
                low, high = (low, found) if found.high else (found, high)
                at = escape.end()
                continue
            end = self._run_end(data, at)
            run = data[at:end]
            if run[0] >= 0x80:
                text.append(_decode_high(high, run))
            elif low.width > 1:
                text.append(low.decode(run))
            else:
                text.append(run.decode("ascii"))
                if any(
                    byte in delimiters for byte in run
                ):  # back to the first value's state, PS3.5 6.1.2.5.3
                    low, high = self._low, self._high or high
            at = end
        return "".join(text)

    @staticmethod
    def _run_end(data: bytes, at: int) -> int:
        """The end of the bytes from `at` on that belong to one of G0 and G1."""
        upper = data[at] >= 0x80
        end = at + 1
        while end < len(data) and data[end] != _ESCAPE and (data[end] >= 0x80) == upper:
            end += 1
        return end

    def encode(self, text: str, vr: str = "LO") -> bytes | None:
        """The text's bytes in this set, or None when it cannot carry all of it."""
        if text.isascii():
            return text.encode("ascii")
        if self._whole is not None:
            try:
                return text.encode(self._whole)
            except UnicodeEncodeError:
                return None
        delimiters = "\\^=\r\n\t\f" if vr == "PN" else "\\\r\n\t\f"
        return _Writer(self._low, self._high, self._extensions, delimiters).write(text)


class _Writer:
    """Encodes with code extensions: escapes where the repertoire changes, back before a delimiter."""

    def __init__(
        self, low: Repertoire, high: Repertoire | None, extensions: Iterable[Repertoire], delimiters: str
    ) -> None:
        self._initial = self._low, self._high = low, high
        self._extensions = list(extensions)
        self._delimiters = delimiters
        self._out = bytearray()

    def write(self, text: str) -> bytes | None:
        for character in text:
            if character.isascii():
                self._designate_low(self._initial[0])
                self._out += character.encode("ascii")
                if character in self._delimiters:
                    self._high = self._initial[1]
            elif not self._put(character):
                return None
        self._designate_low(self._initial[0])
        return bytes(self._out)

    def _put(self, character: str) -> bool:
        candidates = [self._high, self._low, *self._extensions]
        for repertoire in candidates:
            if repertoire is None:
                continue
            data = repertoire.encode(character)
            if data is None:
                continue
            if not repertoire.high:
                self._designate_low(repertoire)
            elif repertoire is not self._high:
                self._out += repertoire.escape
                self._high = repertoire
            self._out += data
            return True
        return False

    def _designate_low(self, repertoire: Repertoire) -> None:
        if self._low is not repertoire:
            self._out += repertoire.escape
            self._low = repertoire


def _decode_high(high: Repertoire | None, run: bytes) -> str:
    if high is None:
        raise UnicodeDecodeError("ascii", run, 0, len(run), "no set for bytes above 7FH was designated")
    return high.decode(run)


def _recognisable(data: bytes, terms: Sequence[str]) -> str:
    log.info("text does not fit its Specific Character Set %s", "\\".join(terms))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin_1")


def _number(term: str) -> int:
    match = _TERM.fullmatch(term)
    return int(match[2]) if match else -1


_NUMBERS: dict[int, tuple[Repertoire, ...]] = {
    6: (),
    13: (_ROMAJI, _KATAKANA),
    192: (),
    **{number: (one,) for number, one in (*_SINGLE_BYTE.items(), *_MULTI_BYTE.items())},
}


@lru_cache(maxsize=256)
def _cached(terms: tuple[str, ...]) -> Charset:
    return Charset(terms)


def charset_of(value: bytes | str | None) -> Charset:
    """The Charset of a Specific Character Set element's value; the default repertoire when there is none."""
    if not value:
        return _cached(())
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    return _cached(tuple(text.split("\\")[:16]))
