"""Character sets: the examples of PS3.5 Annexes H to K byte for byte, misspellings, and damage."""

from __future__ import annotations

import pytest

from fastdicom.dataset.charset import charset_of, defined_term

# (Specific Character Set, bytes, text, VR); names from PS3.5 H.3, I.2, J.1, K.2 and PS3.3 C.12.1.1.2
EXAMPLES = [
    ("ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme", "PN"),
    ("ISO_IR 101", b"W\xb3\xb1", "Włą", "LO"),
    ("ISO_IR 109", b"\xdf\xa1", "ßĦ", "LO"),
    ("ISO_IR 110", b"\xbf", "ŋ", "LO"),
    ("ISO_IR 144", b"\xbb\xee\xda^\xce", "Люк^Ю", "PN"),
    ("ISO_IR 127", b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار", "PN"),
    ("ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος", "PN"),
    ("ISO_IR 138", b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה", "PN"),
    ("ISO_IR 148", b"\xc7avu\xfeo\xf0lu", "Çavuşoğlu", "PN"),
    ("ISO_IR 203", b"\xa4", "€", "LO"),
    ("ISO_IR 166", b"\xca\xc1\xaa\xd2\xc2", "สมชาย", "PN"),
    ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ", "PN"),
    (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "PN",
    ),
    (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
        "PN",
    ),
    (
        "\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
        "PN",
    ),
    (
        "\\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        "Zhang^XiaoDong=张^小东=",
        "PN",
    ),
    ("\\ISO 2022 IR 159", b"\x1b$(D0!\x1b(B", "丂", "LO"),
    ("GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东=", "PN"),
    ("GB18030", b"\x94\x39\xda\x33", "\U0001f4a9", "LO"),  # four bytes
    ("GBK", b"\x81\x5c", "\u4e57", "LO"),  # its second byte is a backslash
    ("ISO_IR 192", "Wang^XiaoDong=王^小東=".encode(), "Wang^XiaoDong=王^小東=", "PN"),
    ("\\ISO 2022 IR 100\\ISO 2022 IR 144", b"\x1b-A\xe9\\\x1b-L\xbb", "é\\Л", "LO"),
]


@pytest.mark.parametrize(("terms", "data", "text", "vr"), EXAMPLES)
def test_the_standards_examples_read_and_write(terms: str, data: bytes, text: str, vr: str) -> None:
    charset = charset_of(terms)
    assert charset.known
    assert charset.decode(data, vr) == text
    assert charset.encode(text, vr) == data


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ISO_IR 100", "ISO_IR 100"), ("ISO-IR 100", "ISO_IR 100"), ("ISO IR 100", "ISO_IR 100"),
        ("ISO_IR_100", "ISO_IR 100"), ("iso_ir 100 ", "ISO_IR 100"), ("ISO_IR100", "ISO_IR 100"),
        ("ISO 2022 IR 87", "ISO 2022 IR 87"), ("ISO2022 IR 87", "ISO 2022 IR 87"),
        ("ISO 2022-IR 87", "ISO 2022 IR 87"), ("ISO_2022_IR_87", "ISO 2022 IR 87"),
        ("ISO 8859-1", "ISO_IR 100"), ("ISO_8859_5", "ISO_IR 144"), ("utf-8", "ISO_IR 192"),
        ("UTF8", "ISO_IR 192"), ("ISO 2022 IR 192", "ISO_IR 192"), ("ISO 2022 GBK", "GBK"),
        ("ISO 2022 58", "ISO 2022 IR 58"), ("", "ISO_IR 6"), ("\0", "ISO_IR 6"), ("NONSENSE", "NONSENSE"),
    ],
)  # fmt: skip
def test_misspelt_terms_are_understood(written: str, meant: str) -> None:
    assert defined_term(written) == meant


def test_an_extension_may_stand_alone() -> None:
    assert charset_of("ISO 2022 IR 100").decode(b"J\xe9r\xf4me") == "Jérôme"
    assert charset_of("ISO 2022 IR 6\\ISO 2022 IR 100").decode(b"\x1b-AJ\xe9") == "Jé"


def test_escapes_that_were_not_announced_are_followed() -> None:
    assert charset_of("ISO_IR 100").decode(b"\x1b$B;3ED\x1b(B", "PN") == "山田"


def test_what_does_not_fit_stays_readable() -> None:
    assert charset_of("").decode("Müller".encode()) == "Müller"
    assert charset_of("").decode(b"M\xfcller") == "Müller"
    assert charset_of("ISO_IR 192").decode(b"M\xfcller") == "Müller"
    assert charset_of("NONSENSE").decode(b"M\xfcller") == "Müller"
    assert not charset_of("NONSENSE").known


def test_what_a_set_cannot_carry_is_refused_as_a_whole() -> None:
    for terms in ("", "ISO_IR 100", "ISO_IR 13", "\\ISO 2022 IR 87"):
        assert charset_of(terms).encode("Ω王한", "PN") is None
    assert charset_of("\\ISO 2022 IR 149").encode("Ω王한", "PN") is not None
    assert charset_of("GBK").encode("\U0001f600") is None


def test_a_delimiter_ends_an_extension() -> None:
    charset = charset_of("ISO 2022 IR 100\\ISO 2022 IR 144")
    data = charset.encode("Ю^é", "PN")
    assert data == b"\x1b-L\xce^\xe9"
    assert charset.decode(data, "PN") == "Ю^é"


@pytest.mark.parametrize(
    "terms", ["ISO_IR 100", "\\ISO 2022 IR 87", "\\ISO 2022 IR 149", "GB18030", "ISO_IR 13", ""]
)
def test_no_bytes_raise(terms: str) -> None:
    charset = charset_of(terms)
    for seed in range(400):
        data = bytes((seed * 7919 + n * n * 31) % 256 for n in range(seed % 23)) + b"\x1b$)C\x1b"
        assert isinstance(charset.decode(data, "PN"), str)


def test_the_element_value_names_the_set() -> None:
    assert charset_of("ISO 2022 IR 6\\ISO 2022 IR 87").value == b"\\ISO 2022 IR 87"
    assert charset_of("ISO-IR 100").value == b"ISO_IR 100"
    assert charset_of("\\ISO_IR 192").value == b"ISO_IR 192"
    assert charset_of("").value == b""
