"""File Meta Information, ours and anybody's. PS3.10 7.1."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from fastdicom.dataset.part10 import encode_file_meta, read_file_meta, scan_file
from fastdicom.errors import FastdicomError, MalformedDataset, Refused, UsageError
from fastdicom.standard.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from tests.support.elements import BIG, EXPLICIT, IMPLICIT, Coding, Element, encode
from tests.support.shared_data import manifest

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DATASET = (
    Element(0x00080016, "UI", CT.encode() + b"\0"),
    Element(0x00080018, "UI", b"1.2.3\0"),
    Element(0x0020000D, "UI", b"1.2.4\0"),
    Element(0x0020000E, "UI", b"1.2.5\0"),
    Element(0x7FE00010, "OW", bytes(300_000)),
)


def meta_elements(*elements: Element) -> bytes:
    return bytes(128) + b"DICM" + encode(elements, EXPLICIT)


def test_pydicom_reads_what_we_write() -> None:
    head = encode_file_meta(CT, "1.2.3", EXPLICIT_LE, "SOURCE", "RECEIVER")
    meta = pydicom.dcmread(BytesIO(head + encode(DATASET, EXPLICIT))).file_meta
    assert meta.FileMetaInformationVersion == b"\0\1"
    assert meta.MediaStorageSOPClassUID == CT
    assert meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert meta.TransferSyntaxUID == EXPLICIT_LE
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
    assert meta.SourceApplicationEntityTitle == "SOURCE"
    assert meta.ReceivingApplicationEntityTitle == "RECEIVER"
    assert meta.FileMetaInformationGroupLength == len(head) - 128 - 4 - 12


def test_the_preamble_is_zeros_and_titles_may_be_left_out() -> None:
    head = encode_file_meta(CT, "1.2.3", EXPLICIT_LE)
    assert head[:132] == bytes(128) + b"DICM"
    assert "SourceApplicationEntityTitle" not in pydicom.dcmread(BytesIO(head), force=True).file_meta


@pytest.mark.parametrize("instance_uid", ["1.2", "1.2.3", "9" * 64, "9" * 63])
def test_we_read_what_we_write(instance_uid: str) -> None:
    head = encode_file_meta(CT, instance_uid, EXPLICIT_LE, "SOURCE")
    for source in (head, bytearray(head), memoryview(head), BytesIO(head)):
        meta = read_file_meta(source)
        assert (meta.sop_class_uid, meta.sop_instance_uid) == (CT, instance_uid)
        assert (meta.transfer_syntax_uid, meta.source_ae_title) == (EXPLICIT_LE, "SOURCE")
        assert (meta.dataset_offset, meta.guessed) == (len(head), False)


def test_a_wrong_group_length_is_not_believed() -> None:
    for stated in (0, 5, 12, 20_000, 0xFFFFFFFF):
        data = meta_elements(
            Element(0x00020000, "UL", struct.pack("<I", stated)),
            Element(0x00020010, "UI", b"1.2.840.10008.1.2.1\0"),
        )
        meta = read_file_meta(data + encode(DATASET, EXPLICIT))
        assert (meta.dataset_offset, meta.transfer_syntax_uid) == (len(data), EXPLICIT_LE)


def test_a_right_group_length_ends_the_meta_information() -> None:
    """Deflated bytes may look like an element of group 0002."""
    syntax = Element(0x00020010, "UI", b"1.2.840.10008.1.2.1.99\0\0")
    length = Element(0x00020000, "UL", struct.pack("<I", len(encode([syntax], EXPLICIT))))
    data = meta_elements(length, syntax)
    assert read_file_meta(data + b"\x02\x00\x99\x99\xaa\xaa\xff\xff" * 9).dataset_offset == len(data)


@pytest.mark.parametrize("start", [b"", b"DICM"])
def test_meta_information_without_a_preamble_is_read(start: bytes) -> None:
    data = start + encode([Element(0x00020010, "UI", b"1.2.840.10008.1.2.2\0")], EXPLICIT)
    meta = read_file_meta(data + encode(DATASET, BIG))
    assert (meta.dataset_offset, meta.transfer_syntax_uid) == (len(data), "1.2.840.10008.1.2.2")


@pytest.mark.parametrize(
    ("coding", "uid"),
    [(IMPLICIT, "1.2.840.10008.1.2"), (EXPLICIT, EXPLICIT_LE), (BIG, "1.2.840.10008.1.2.2")],
)
def test_a_bare_data_set_is_recognized(coding: Coding, uid: str) -> None:
    meta = read_file_meta(encode(DATASET, coding))
    assert (meta.transfer_syntax_uid, meta.dataset_offset, meta.guessed) == (uid, 0, True)


def test_the_letters_dicm_inside_a_bare_data_set_are_no_prefix() -> None:
    data = encode(
        [Element(0x00080005, "CS", b"ISO_IR 100"), Element(0x00081010, "SH", bytes(102) + b"DICM")], EXPLICIT
    )
    assert data[128:132] == b"DICM"
    assert read_file_meta(data).dataset_offset == 0


def test_a_missing_transfer_syntax_is_inferred_behind_the_meta_information() -> None:
    data = meta_elements(Element(0x00020002, "UI", CT.encode() + b"\0"))
    assert read_file_meta(data + encode(DATASET, EXPLICIT)).transfer_syntax_uid == EXPLICIT_LE
    assert read_file_meta(data + encode(DATASET, IMPLICIT)).guessed


def test_long_meta_information_is_read_on() -> None:
    data = meta_elements(
        Element(0x00020010, "UI", b"1.2.840.10008.1.2.1\0"), Element(0x00020102, "OB", bytes(100_000))
    )
    assert read_file_meta(BytesIO(data + encode(DATASET, EXPLICIT))).dataset_offset == len(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes"),
        (b"short", "5 bytes"),
        (bytes(5000), "neither DICM"),
        (b"GET / HTTP/1.1\r\n" * 50, "neither DICM"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "neither DICM"),
        (bytes(128) + b"DICM", "no Data Set"),
        (meta_elements(Element(0x00020010, "UI", b"1.2.840.10008.1.2\0"))[:-4], "cut short"),
        (bytes(128) + b"DICM\x02\x00\x10\x00\x05\x00\x00\x00" + bytes(40), "has no VR"),
        (bytes(128) + b"DICM\2\0\2\1OB\0\0\xff\xff\xff\x7f" + bytes(2_000_000), "has 2147483647 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_dicom_file_is_named(data: bytes, reason: str) -> None:
    for source in (data, BytesIO(data)):
        with pytest.raises(UsageError, match=reason):
            read_file_meta(source)


# ---- scan_file ----


def written(tmp_path: Path, dataset: bytes, uid: str = EXPLICIT_LE) -> Path:
    path = tmp_path / "instance.dcm"
    path.write_bytes(encode_file_meta(CT, "1.2.3", uid) + dataset)
    return path


def test_a_file_becomes_a_record(tmp_path: Path) -> None:
    record, meta = scan_file(written(tmp_path, encode(DATASET, EXPLICIT)))
    assert (record.sop_class_uid, record.sop_instance_uid) == (CT, "1.2.3")
    assert (record.study_instance_uid, record.series_instance_uid) == ("1.2.4", "1.2.5")
    assert meta.transfer_syntax_uid == EXPLICIT_LE


@pytest.mark.parametrize("cut", [1, 1000, 299_999, 300_011])
def test_a_cut_file_is_refused(tmp_path: Path, cut: int) -> None:
    with pytest.raises(MalformedDataset):
        scan_file(written(tmp_path, encode(DATASET, EXPLICIT)[:-cut]))


def test_a_dicomdir_is_no_instance(tmp_path: Path) -> None:
    path = tmp_path / "DICOMDIR"
    path.write_bytes(
        encode_file_meta("1.2.840.10008.1.3.10", "1.2.3", EXPLICIT_LE) + encode(DATASET, EXPLICIT)
    )
    with pytest.raises(UsageError, match="DICOMDIR"):
        scan_file(path)


# Shared files that are no instance we can store, and why.
REFUSED = {
    "charsets/chrSQEncoding.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "charsets/chrSQEncoding1.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "charsets/empty_charset_LEI.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "dicomdir/DICOMDIR": (UsageError, "a DICOMDIR"),
    "dicomdir/DICOMDIR-bigEnd": (UsageError, "a DICOMDIR"),
    "dicomdir/DICOMDIR-empty.dcm": (UsageError, "a DICOMDIR"),
    "dicomdir/DICOMDIR-implicit": (UsageError, "a DICOMDIR"),
    "dicomdir/DICOMDIR-nooffset": (UsageError, "a DICOMDIR"),
    "dicomdir/DICOMDIR-nopatient": (UsageError, "a DICOMDIR"),
    "dicomdir/DICOMDIR-reordered": (UsageError, "a DICOMDIR"),
    "modalities/MWLCFind.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "modalities/gdcm-CT-MONO2-8-abdo.dcm": (Refused, "Series Instance UID (0020,000E) has characters"),
    "odd/GH220.dcm": (Refused, "Study Instance UID (0020,000D) is missing"),
    "odd/MR_truncated.dcm": (MalformedDataset, "(7FE0,0010) is cut short"),
    "odd/OD-single-word-example.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "odd/UN_sequence.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "odd/bad_sequence.dcm": (Refused, "SOP Instance UID (0008,0018) has characters"),
    "odd/dwv-test-sequence.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "odd/dwv-test_no-number-rows.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "odd/emri_small_jpeg_2k_lossless_too_short.dcm": (MalformedDataset, "(7FE0,0010) is open"),
    "odd/meta_missing_tsyntax.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "odd/nested_priv_SQ.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "odd/no_meta.dcm": (UsageError, "neither DICM at byte 128 nor"),
    "odd/no_meta_group_length.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "odd/no_preamble_dicm_in_data": (Refused, "SOP Class UID (0008,0016) is missing"),
    "odd/priv_SQ.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "odd/priv_SQ_2.dcm": (Refused, "SOP Class UID (0008,0016) is missing"),
    "odd/rtplan_truncated.dcm": (MalformedDataset, "(300A,012C) is cut short"),
    "odd/undefined-length-test.dcm": (Refused, "Study Instance UID (0020,000D) is missing"),
    "odd/zero-length-US.dcm": (MalformedDataset, "(5600,0010) is cut short"),
    "transfer_syntaxes/htj2k_201/HTJ2KLossless_08_RGB.dcm": (Refused, "Study Instance UID (0020,000D)"),
    "transfer_syntaxes/htj2k_203/HTJ2K_08_RGB.dcm": (Refused, "Study Instance UID (0020,000D)"),
    "transfer_syntaxes/jls_80_lossless/JLSL_08_07_0_1F.dcm": (Refused, "Study Instance UID (0020,000D)"),
    "transfer_syntaxes/jls_80_lossless/JLSL_16_15_1_1F.dcm": (Refused, "Study Instance UID (0020,000D)"),
    "transfer_syntaxes/jls_80_lossless/JLSL_RGB_ILV1.dcm": (Refused, "SOP Instance UID (0008,0018)"),
    "transfer_syntaxes/jls_81_near/JLSN_RGB_ILV0.dcm": (Refused, "SOP Instance UID (0008,0018)"),
    "transfer_syntaxes/jls_81_near/JPEGLSNearLossless_08.dcm": (Refused, "Study Instance UID (0020,000D)"),
    "transfer_syntaxes/jls_81_near/SC_rgb_jls_lossy_sample.dcm": (Refused, "Study Instance UID (0020,000D)"),
    "transfer_syntaxes/jpeg_50_baseline/SC_rgb_jpeg.dcm": (MalformedDataset, "(0008,0008) has no VR, byte 0"),
}  # fmt: skip


def test_every_shared_file_becomes_a_record_or_is_refused_for_its_reason() -> None:
    for file in manifest():
        try:
            record, meta = scan_file(file.path)
        except FastdicomError as error:
            kind, reason = REFUSED[file.name]
            assert type(error) is kind, file.name
            assert reason in str(error), file.name
            continue
        assert file.name not in REFUSED
        assert record.sop_class_uid == file.sop_class_uid
        assert record.sop_instance_uid == file.sop_instance_uid
        assert meta.guessed or meta.transfer_syntax_uid == file.transfer_syntax_uid
