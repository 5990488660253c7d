"""Identifiers: every encoding, what is refused and with which status, and the ceilings."""

from __future__ import annotations

import struct
import zlib

import pytest
from pydicom import Dataset

from fastdicom.dataset.identifier import Identifier, IdentifierLimits, decode_identifier
from fastdicom.dataset.terms import Terms
from fastdicom.errors import Refused
from fastdicom.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from tests.support.asking import SYNTAXES, encoded, query

STUDY_UID, SERIES_UID, PATIENT_ID = 0x0020000D, 0x0020000E, 0x00100020


def decode(dataset: Dataset, model: str = "STUDY", **options: object) -> Identifier:
    data = encoded(dataset)
    return decode_identifier(data, EXPLICIT_VR_LITTLE_ENDIAN, model, **options)  # type: ignore[arg-type]


def refused(data: bytes | Dataset, model: str = "STUDY", **options: object) -> Refused:
    data = data if isinstance(data, bytes) else encoded(data)
    with pytest.raises(Refused) as caught:
        decode_identifier(data, EXPLICIT_VR_LITTLE_ENDIAN, model, **options)  # type: ignore[arg-type]
    assert 0 < len(caught.value.comment) <= 64
    return caught.value


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_encoding_says_the_same(syntax: str) -> None:
    item = Dataset()
    item.ScheduledProcedureStepID = "S1 "
    dataset = query(
        SpecificCharacterSet="ISO_IR 100",
        PatientName="Müller*",
        StudyInstanceUID=["1.2", "1.3"],
        Rows=512,
        StudyDate="20240101-",
        RequestAttributesSequence=[item],
    )
    dataset.add_new(0x00091001, "UN", b"ab")
    found = decode_identifier(encoded(dataset, syntax), syntax, "STUDY")
    assert (found.level, found.transfer_syntax_uid) == ("STUDY", syntax)
    assert found.charset.terms == ("ISO_IR 100",)
    assert found.values(0x00100010) == ("Müller*",)
    assert found.values(STUDY_UID) == ("1.2", "1.3")
    assert found.values(0x00280010) == ("512",)
    assert found.values(0x00080020) == ("20240101-",)
    sequence = found.key(0x00400275)
    assert sequence is not None and sequence.items[0][0].values == ("S1",)
    assert [key.tag for key in found.keys] == sorted(key.tag for key in found.keys)
    assert found.unsupported == (0x00091001, 0x00280010, 0x00400275)


@pytest.mark.parametrize(
    ("written", "level"), [("INSTANCE", "IMAGE"), ("IMAGES", "IMAGE"), ("study ", "STUDY")]
)
def test_levels_are_understood_in_other_spellings(written: str, level: str) -> None:
    assert decode(query(written, StudyInstanceUID="1", SeriesInstanceUID="2")).level == level


@pytest.mark.parametrize("level", [None, "", "FRAME", "\x00\x07"])
def test_no_level_is_refused(level: str | None) -> None:
    refusal = refused(query(level, StudyInstanceUID=""))
    assert (refusal.status, refusal.offending) == (0xA900, (0x00080052,))


def test_study_root_has_no_patients_unless_allowed() -> None:
    assert refused(query("PATIENT", PatientID="1")).status == 0xA900
    assert decode(query("PATIENT", PatientID="1"), patient_level_in_study_root=True).level == "PATIENT"


@pytest.mark.parametrize(
    ("model", "level", "keys", "missing"),
    [
        ("STUDY", "SERIES", {}, STUDY_UID),
        ("STUDY", "SERIES", {"StudyInstanceUID": ""}, STUDY_UID),
        ("STUDY", "SERIES", {"StudyInstanceUID": "1.*"}, STUDY_UID),
        ("STUDY", "IMAGE", {"StudyInstanceUID": "1"}, SERIES_UID),
        ("PATIENT", "STUDY", {}, PATIENT_ID),
        ("PATIENT", "STUDY", {"PatientID": "A*"}, PATIENT_ID),
        ("PATIENT", "IMAGE", {"PatientID": "A", "SeriesInstanceUID": "1"}, STUDY_UID),
    ],
)
def test_the_unique_keys_above_are_needed(model: str, level: str, keys: dict[str, str], missing: int) -> None:
    refusal = refused(query(level, **keys), model)
    assert (refusal.status, refusal.offending) == (0xA900, (missing,))
    assert decode(query(level, **keys), model, terms=Terms(relational=True)).level == level


def test_a_retrieve_needs_its_own_unique_key_only() -> None:
    assert decode(query("IMAGE", SOPInstanceUID=["1", "2"]), retrieve=True).values(0x00080018) == ("1", "2")
    for keys in ({}, {"SeriesInstanceUID": ""}, {"SeriesInstanceUID": "1*"}):
        assert refused(query("SERIES", StudyInstanceUID="1", **keys), retrieve=True).offending == (
            SERIES_UID,
        )


CYRILLIC = Terms(charset="ISO_IR 144")


def test_a_peer_that_misnames_its_set_can_be_overruled() -> None:
    dataset = query(SpecificCharacterSet="ISO_IR 100")
    dataset.add_new(0x00100010, "PN", "Люк".encode("iso8859-5"))
    found = decode_identifier(encoded(dataset), EXPLICIT_VR_LITTLE_ENDIAN, "STUDY", terms=CYRILLIC)
    assert found.values(0x00100010) == ("Люк",)


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


LEVEL = element(0x00080052, b"CS", b"STUDY ")


def test_the_ceilings() -> None:
    many = LEVEL + b"".join(element(0x00110000 + n, b"LO", b"") for n in range(1, 600))
    assert refused(many).status == 0xA700
    assert refused(b"\0" * ((1 << 20) + 2)).status == 0xA700
    uids = query(StudyInstanceUID=[f"1.{n}" for n in range(40)])
    assert refused(uids, limits=IdentifierLimits(uids_max=39)).status == 0xA700
    assert len(decode(uids, limits=IdentifierLimits(uids_max=40)).values(STUDY_UID)) == 40
    assert refused(query(PatientName="*a" * 600)).status == 0xA900


def test_all_patterns_together_have_a_ceiling() -> None:
    some = [f"*{n}*" for n in range(300)]
    assert refused(query(PatientID=some, AccessionNumber=some)).status == 0xA700
    assert len(decode(query(PatientID=some, AccessionNumber=some[:212])).keys) == 2
    items = [query(None, RequestedProcedureID=some), query(None, RequestedProcedureID=some)]
    assert refused(query(RequestAttributesSequence=items)).status == 0xA700


@pytest.mark.parametrize("names", ["a " * 600, [f"DOE^{n}" for n in range(1000)]])
def test_names_to_be_compared_by_sound_have_a_ceiling(names: str | list[str]) -> None:
    assert refused(query(PatientName=names), terms=Terms(fuzzy=True)).status == 0xA900
    assert decode(query(PatientName=names)).keys


def test_twenty_thousand_uids_are_refused_in_implicit_vr() -> None:
    value = b"\\".join(b"1.2.%d" % n for n in range(20_000))
    data = struct.pack("<HHI", 8, 0x52, 6) + b"STUDY " + struct.pack("<HHI", 0x20, 0xD, len(value)) + value
    with pytest.raises(Refused) as caught:
        decode_identifier(data, IMPLICIT_VR_LITTLE_ENDIAN, "STUDY")
    assert caught.value.status == 0xA700


def test_deep_nesting_is_refused_without_recursion() -> None:
    head = struct.pack("<HH2sHI", 0x0040, 0x0275, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    assert refused(LEVEL + head * 400, limits=IdentifierLimits(keys_max=10_000)).status == 0xC000
    assert refused(LEVEL + head * 20_000).status in (0xA700, 0xC000)


def test_a_bomb_is_not_inflated() -> None:
    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(bytes(1 << 26)) + deflater.flush()
    with pytest.raises(Refused) as caught:
        decode_identifier(data, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, "STUDY")
    assert caught.value.status == 0xA700


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_cut_identifier_is_refused_or_still_valid(syntax: str) -> None:
    item = Dataset()
    item.CodeValue = "X"
    whole = encoded(query(PatientName="A^B", ProcedureCodeSequence=[item], StudyComments="abc"), syntax)
    for end in range(len(whole)):
        try:
            decode_identifier(whole[:end], syntax, "STUDY")
        except Refused as refusal:
            assert refusal.status in (0xA900, 0xC000)


def test_lengths_that_lie_are_refused() -> None:
    assert refused(LEVEL + struct.pack("<HH2sH", 0x10, 0x10, b"PN", 500) + b"A").status == 0xC000
    assert (
        refused(LEVEL + struct.pack("<HH2sHI", 0x40, 0x275, b"SQ", 0, 0xFFFFFFF0) + b"A" * 8).status == 0xC000
    )
    assert refused(LEVEL + struct.pack("<HH4s", 0x10, 0x10, b"\1\2\3\4")).status == 0xC000
    assert refused(b"\xff" * 64).status == 0xC000
