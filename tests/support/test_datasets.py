"""The synthetic instances are what they claim to be, judged by pydicom."""

from __future__ import annotations

import zlib
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.filereader import read_dataset

from tests.support import datasets
from tests.support.conformance import STORAGE_CLASSES, TRANSFER_SYNTAXES, Row
from tests.support.datasets import CT_IMAGE_STORAGE, EXPLICIT_LE, Template, numbered_uids, synthetic
from tests.support.part10 import join, split
from tests.support.rawelements import deflated

UIDS = numbered_uids(7, 1)


def test_tables_are_whole() -> None:
    assert len(STORAGE_CLASSES) == 119
    assert len(TRANSFER_SYNTAXES) == 33
    assert len({row.uid for row in STORAGE_CLASSES + TRANSFER_SYNTAXES}) == 119 + 33


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES, ids=lambda row: row.name)
def test_every_class_can_be_read_back_in_every_syntax(syntax: Row) -> None:
    for row in STORAGE_CLASSES:
        raw = synthetic(row.uid, syntax.uid, UIDS, size=1024)
        assert len(raw) % 2 == 0
        if syntax.uid in datasets.DEFLATED:
            raw = zlib.decompress(raw, -zlib.MAX_WBITS)
        ds = read_dataset(
            BytesIO(raw), syntax.uid == datasets.IMPLICIT_LE, syntax.uid != datasets.EXPLICIT_BE
        )
        assert (ds.SOPClassUID, ds.SOPInstanceUID) == (row.uid, UIDS.instance)
        assert ("PixelData" in ds) == (datasets.has_pixels(row.uid) and syntax.uid not in datasets.JPIP)
        of_a_patient = row.uid not in datasets.WITHOUT_PATIENT
        assert (ds.get("PatientID"), ds.get("StudyInstanceUID")) == (
            (UIDS.patient_id, UIDS.study) if of_a_patient else (None, None)
        )


def test_pixels_have_the_size_asked_for_and_the_byte_order_of_the_syntax() -> None:
    little = dcmread(
        BytesIO(join(synthetic(CT_IMAGE_STORAGE, EXPLICIT_LE, UIDS, 16384), "", "", EXPLICIT_LE))
    )
    raw = synthetic(CT_IMAGE_STORAGE, datasets.EXPLICIT_BE, UIDS, 16384)
    big = dcmread(BytesIO(join(raw, "", "", datasets.EXPLICIT_BE)))
    assert len(little.PixelData) == 16384
    assert (little.pixel_array == big.pixel_array).all()
    assert little.pixel_array.max() <= 4095


def test_numbered_uids_are_legal_and_of_constant_length() -> None:
    for run, number in ((0, 0), (12345, 9_999_999), (99_999, 1)):
        uids = numbered_uids(run, number, number % 7, number % 11)
        for uid in (uids.study, uids.series, uids.instance):
            assert len(uid) == datasets.UID_LENGTH
            assert all(part == "0" or not part.startswith("0") for part in uid.split("."))
        assert len(uids.patient_id) == 12


def test_stamping_changes_the_identifiers_and_nothing_else() -> None:
    template = Template.make(CT_IMAGE_STORAGE, EXPLICIT_LE, 16384)
    uids = numbered_uids(3, 4, 5, 6)
    ds = read_dataset(BytesIO(template.stamped(uids)), False, True)
    assert (ds.PatientID, ds.StudyInstanceUID) == (uids.patient_id, uids.study)
    assert (ds.SeriesInstanceUID, ds.SOPInstanceUID) == (uids.series, uids.instance)
    assert template.stamped(template.uids) == template.data


def test_part10_is_cut_where_the_data_set_begins() -> None:
    data = synthetic(CT_IMAGE_STORAGE, EXPLICIT_LE, UIDS, 1024)
    whole = join(data, CT_IMAGE_STORAGE, UIDS.instance, EXPLICIT_LE)
    meta, rest = split(whole)
    assert rest == data
    assert meta[0x00020010].rstrip(b"\0") == EXPLICIT_LE.encode()
    assert split(whole[132:])[1] == data
    assert split(data) == ({}, data)
    assert zlib.decompress(deflated(data), -zlib.MAX_WBITS) == data
