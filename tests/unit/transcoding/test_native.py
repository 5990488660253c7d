"""Native conversions as streams, Deflated among them. PS3.5 A.1 to A.5."""

from __future__ import annotations

import zlib

import pytest

from fastdicom.errors import MalformedDataset, Refused, UsageError
from fastdicom.transcoding import native
from fastdicom.transcoding.native import recode
from tests.support.elements import BIG, EXPLICIT, IMPLICIT, Element, encode
from tests.support.scanning import SMALL

IMPLICIT_LE, EXPLICIT_LE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, EXPLICIT_BE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4.50"
CODINGS = {IMPLICIT_LE: IMPLICIT, EXPLICIT_LE: EXPLICIT, EXPLICIT_BE: BIG, DEFLATED: EXPLICIT}


def stored(elements: tuple[Element, ...], uid: str) -> bytes:
    data = encode(elements, CODINGS[uid])
    if uid != DEFLATED:
        return data
    deflater = zlib.compressobj(wbits=-15)
    deflated = deflater.compress(data) + deflater.flush()
    return deflated + b"\0" * (len(deflated) % 2)


def readable(data: bytes, uid: str) -> bytes:
    if uid != DEFLATED:
        return data
    assert len(data) % 2 == 0
    return zlib.decompressobj(-15).decompress(data)


@pytest.mark.parametrize("from_uid", CODINGS)
@pytest.mark.parametrize("to_uid", CODINGS)
def test_all_native_syntaxes_convert_among_themselves(from_uid: str, to_uid: str) -> None:
    data = b"".join(recode(stored(SMALL, from_uid), from_uid, to_uid))
    assert readable(data, to_uid) == encode(SMALL, CODINGS[to_uid])


@pytest.mark.parametrize("from_uid", CODINGS)
@pytest.mark.parametrize("to_uid", [IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE])
def test_the_length_is_known_unless_it_inflates_straight_through(from_uid: str, to_uid: str) -> None:
    result = recode(stored(SMALL, from_uid), from_uid, to_uid)
    straight = (from_uid, to_uid) == (DEFLATED, EXPLICIT_LE)
    assert result.length == (None if straight else len(b"".join(result)))


def test_the_same_syntax_is_the_same_bytes() -> None:
    data = stored(SMALL, DEFLATED)
    (piece,) = recode(data, DEFLATED, DEFLATED)
    assert piece is data


@pytest.mark.parametrize("length", [10_000, 200_000])
def test_a_long_deflated_data_set_waits_in_a_file(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(native, "INFLATED_IN_MEMORY", 65536)
    elements = (*SMALL[:-1], Element(0x7FE00010, "OW", bytes(length)))
    assert b"".join(recode(stored(elements, DEFLATED), DEFLATED, EXPLICIT_BE)) == encode(elements, BIG)


def test_a_report_in_an_encapsulated_syntax_is_explicit_little_endian() -> None:
    data = encode(SMALL[:-1], EXPLICIT)
    assert b"".join(recode(data, JPEG, EXPLICIT_LE)) == data
    assert b"".join(recode(data, JPEG, IMPLICIT_LE)) == encode(SMALL[:-1], IMPLICIT)


@pytest.mark.parametrize("to_uid", CODINGS)
def test_encapsulated_pixels_are_refused_before_the_first_piece(to_uid: str) -> None:
    data = encode([Element(0x7FE00010, "OB", fragments=(b"", b"\xff\xd8"))], EXPLICIT)
    with pytest.raises(MalformedDataset, match="encapsulated"):
        recode(data, JPEG, to_uid)


def test_only_native_targets_are_taken() -> None:
    with pytest.raises(UsageError, match="no native"):
        recode(b"", EXPLICIT_LE, JPEG)


@pytest.mark.parametrize("to_uid", [IMPLICIT_LE, EXPLICIT_BE, DEFLATED])
def test_a_broken_source_is_refused_before_the_first_piece(to_uid: str) -> None:
    for coding, from_uid in ((EXPLICIT, EXPLICIT_LE), (IMPLICIT, IMPLICIT_LE), (BIG, EXPLICIT_BE)):
        if from_uid != to_uid and coding != CODINGS[to_uid]:
            with pytest.raises(MalformedDataset):
                recode(encode(SMALL, coding)[:-1], from_uid, to_uid)


def test_a_broken_deflated_source_is_refused() -> None:
    data = stored(SMALL, DEFLATED)
    for to_uid in (EXPLICIT_LE, IMPLICIT_LE):
        with pytest.raises(MalformedDataset, match="cut short"):
            list(recode(data[:-3], DEFLATED, to_uid))


def test_a_bomb_is_refused() -> None:
    bomb = stored((Element(0x7FE00010, "OW", bytes(20_000_000)),), DEFLATED)
    for to_uid in (EXPLICIT_LE, IMPLICIT_LE):
        with pytest.raises(Refused, match="inflates more than"):
            list(recode(bomb, DEFLATED, to_uid))


def test_coding_of_pieces_is_bounded() -> None:
    elements = (Element(0x7FE00010, "OW", bytes(range(256)) * 8192),)
    for coding in (EXPLICIT, IMPLICIT):
        source = encode(elements, coding)
        uid = {value: key for key, value in CODINGS.items() if key != DEFLATED}[coding]
        assert max(len(piece) for piece in recode(source, uid, EXPLICIT_BE)) <= 256 * 1024
        assert len(list(recode(source, uid, EXPLICIT_BE))) > 7
