"""Which Data Sets become records and why others are refused. PS3.4 B.2.3."""

from __future__ import annotations

import pytest

from fastdicom.dataset.attributes import Attribute
from fastdicom.dataset.scanned import byte_coding, record_from, wanted_table
from fastdicom.errors import Refused
from fastdicom.kernels.scan import Scanner
from fastdicom.standard.sop_classes import NON_PATIENT
from tests.support.elements import BIG, EXPLICIT, Coding, Element, encode
from tests.support.scanning import scan

CT = "1.2.840.10008.5.1.4.1.1.2"
UIDS = {0x00080016: CT, 0x00080018: "1.2.3", 0x0020000D: "1.2.4", 0x0020000E: "1.2.5"}


def scanned(uids: dict[int, str], coding: Coding = EXPLICIT) -> Scanner:
    """A finished scanner of a Data Set with these UIDs."""
    return scan(encode([Element(tag, "UI", padded(uid)) for tag, uid in uids.items()], coding), coding)


def padded(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


def test_a_record_has_the_four_uids_and_the_rows() -> None:
    scanner = scanned(UIDS)
    record = record_from(scanner, CT, "1.2.3")
    assert record.sop_class_uid == CT
    assert record.sop_instance_uid == "1.2.3"
    assert record.study_instance_uid == "1.2.4"
    assert record.series_instance_uid == "1.2.5"
    assert (record.patient, record.study, record.series, record.image) == scanner.levels()


@pytest.mark.parametrize("tag", UIDS)
@pytest.mark.parametrize("value", [None, "", "\0"])
def test_a_missing_or_empty_uid_is_refused_by_name(tag: int, value: str | None) -> None:
    uids = {key: uid for key, uid in UIDS.items() if key != tag} | ({} if value is None else {tag: value})
    with pytest.raises(Refused) as caught:
        record_from(scanned(dict(sorted(uids.items()))), None, None)
    assert caught.value.status == 0xA900
    assert caught.value.offending == (tag,)
    assert f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is missing" in caught.value.comment


@pytest.mark.parametrize("tag", UIDS)
@pytest.mark.parametrize("value", ["../../x", "1.2\\1.3", "1" * 65, "1.2 3", "1.2.x"])
def test_what_is_no_uid_is_refused_by_name(tag: int, value: str) -> None:
    with pytest.raises(Refused) as caught:
        record_from(scanned(UIDS | {tag: value}), None, None)
    assert caught.value.status == 0xA900
    assert caught.value.offending == (tag,)
    assert len(caught.value.comment) <= 64


@pytest.mark.parametrize(
    ("command_class", "command_instance", "tag"),
    [("1.2.840.10008.5.1.4.1.1.4", "1.2.3", 0x00080016), (CT, "1.2.33", 0x00080018), (CT, "", 0x00080018)],
)
def test_a_command_that_disagrees_is_refused(command_class: str, command_instance: str, tag: int) -> None:
    with pytest.raises(Refused) as caught:
        record_from(scanned(UIDS), command_class, command_instance)
    assert caught.value.status == 0xA900
    assert caught.value.offending == (tag,)


@pytest.mark.parametrize("sop_class_uid", sorted(NON_PATIENT))
@pytest.mark.parametrize("coding", [EXPLICIT, BIG])
def test_a_class_without_studies_gets_derived_uids_in_its_rows(sop_class_uid: str, coding: Coding) -> None:
    template = {0x00080016: sop_class_uid, 0x00080018: "1.2.3"}
    record = record_from(scanned(template, coding), None, None)
    study, series = record.study_instance_uid, record.series_instance_uid
    assert study.startswith("2.25.")
    assert study != series
    assert record.study == encode([Element(0x0020000D, "UI", padded(study))], EXPLICIT)
    assert record.series == encode([Element(0x0020000E, "UI", padded(series))], EXPLICIT)
    again = record_from(scanned(template), None, None)
    other = record_from(scanned(template | {0x00080018: "1.2.4"}), None, None)
    assert (again.study_instance_uid, again.series_instance_uid) == (study, series)
    assert other.study_instance_uid != study


def test_a_class_without_studies_keeps_the_uids_that_it_has() -> None:
    record = record_from(scanned(UIDS | {0x00080016: sorted(NON_PATIENT)[0]}), None, None)
    assert (record.study_instance_uid, record.series_instance_uid) == ("1.2.4", "1.2.5")


def test_extra_attributes_are_wanted_too() -> None:
    table = wanted_table([Attribute(0x00181151, "IS", "XRayTubeCurrent", "IMAGE")])
    data = encode([Element(0x00181151, "IS", b"20")], EXPLICIT)
    assert scan(data, EXPLICIT, table=table).levels()[3] == data
    assert table.count == wanted_table().count + 1


def test_unknown_transfer_syntaxes_are_explicit_little_endian() -> None:
    assert byte_coding("1.2.840.10008.1.2") == (False, False)
    assert byte_coding("1.2.840.10008.1.2.2") == (True, True)
    assert byte_coding("1.2.3.4") == (True, False)
