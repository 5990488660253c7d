"""Our native conversions beside DCMTK, GDCM and pydicom, over the native files of the shared data."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, config
from pydicom.filereader import read_dataset

from fastdicom.dataset.part10 import encode_file_meta, read_file_meta
from fastdicom.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fastdicom.transcoding.native import recode
from tests.support.elements import BIG, EXPLICIT, IMPLICIT, Coding, Element, decode
from tests.support.real_files import RealDataset, shared

pytestmark = pytest.mark.interop

CODINGS: dict[str, Coding] = {
    IMPLICIT_VR_LITTLE_ENDIAN: IMPLICIT,
    EXPLICIT_VR_LITTLE_ENDIAN: EXPLICIT,
    EXPLICIT_VR_BIG_ENDIAN: BIG,
}
BROKEN = ("MR_truncated.dcm", "rtplan_truncated.dcm", "zero-length-US.dcm", "DICOMDIR-nooffset")
DCMCONV = {
    IMPLICIT_VR_LITTLE_ENDIAN: "+ti",
    EXPLICIT_VR_LITTLE_ENDIAN: "+te",
    EXPLICIT_VR_BIG_ENDIAN: "+tb",
}
BYTES_AS_STORED = ("OB or OW", "OD", "OF", "OL", "OV", "OW")
GDCMCONV = {IMPLICIT_VR_LITTLE_ENDIAN: "--implicit", EXPLICIT_VR_LITTLE_ENDIAN: "--explicit"}


def native() -> list[RealDataset]:
    """The native files that parse; three of each series stand for all."""
    found = [one for one in shared() if one.transfer_syntax_uid in CODINGS and not one.name.endswith(BROKEN)]
    return [one for one in found if not one.name.startswith("series/") or one.name[-5] in "13"]


def part10(dataset: RealDataset) -> bytes:
    """The Data Set as a file that all readers take."""
    return encode_file_meta("1.2.840.10008.5.1.4.1.1.7", "1.2.3", dataset.transfer_syntax_uid) + dataset.data


def ours(dataset: RealDataset, to_uid: str) -> tuple[Element, ...]:
    return decode(b"".join(recode(dataset.data, dataset.transfer_syntax_uid, to_uid)), CODINGS[to_uid])


def differences(ours: tuple[Element, ...], theirs: tuple[Element, ...]) -> list[str]:
    """What differs, apart from Group Lengths, padding, spaces in UIDs, and the choices below."""
    found = []
    left = {element.tag: element for element in ours if element.tag & 0xFFFF}
    right = {element.tag: element for element in theirs if element.tag & 0xFFFF}
    for tag in sorted(left.keys() ^ right.keys()):
        found.append(f"{tag:08X} is only on one side")
    for tag in sorted(left.keys() & right.keys()):
        found += differing(left[tag], right[tag])
    return found


def differing(left: Element, right: Element) -> list[str]:
    if left.vr == right.vr == "SQ":
        if len(left.items) != len(right.items):
            return [f"{left.tag:08X}: {len(left.items)} and {len(right.items)} items"]
        pairs = zip(left.items, right.items, strict=True)
        return [text for one, other in pairs for text in differences(one.elements, other.elements)]
    if left.vr != right.vr and not either_will_do(left, right):
        return [f"{left.tag:08X}: VR {left.vr} and {right.vr}"]
    if left.vr != right.vr and {"UN", "SQ"} & {left.vr, right.vr}:
        return []  # known or taken for a sequence on one side only; then numbers are swapped there only
    if left.value.strip(b"\0 ") != right.value.strip(b"\0 ") and left.vr != "UI":
        return [f"{left.tag:08X} {left.vr}: {left.value[:20]!r} and {right.value[:20]!r}"]
    return []


def either_will_do(left: Element, right: Element) -> bool:
    """VRs that may stand for one another.

    UN where only one knows the element; OB for native pixels of 8 bits, where others write OW (PS3.5 8.2); a
    private sequence without VR is seen as one only when its length is undefined, which others make it.
    """
    private = bool((left.tag >> 16) % 2)
    vrs = {left.vr, right.vr}
    return "UN" in vrs or vrs == {"OB", "OW"} or (private and vrs == {"SQ", ""})


def run(*command: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("to_uid", CODINGS)
def test_as_dcmconv(to_uid: str, tmp_path: Path) -> None:
    for dataset in native():
        if dataset.transfer_syntax_uid == to_uid:
            continue
        (tmp_path / "in.dcm").write_bytes(part10(dataset))
        run("dcmconv", DCMCONV[to_uid], "-g", str(tmp_path / "in.dcm"), str(tmp_path / "out.dcm"))
        converted = (tmp_path / "out.dcm").read_bytes()
        theirs = decode(converted[read_file_meta(converted).dataset_offset :], CODINGS[to_uid])
        assert differences(ours(dataset, to_uid), theirs) == [], dataset.name


@pytest.mark.parametrize("to_uid", GDCMCONV)
def test_as_gdcmconv(to_uid: str, tmp_path: Path) -> None:
    compared = 0
    for dataset in native():
        if dataset.transfer_syntax_uid in (to_uid, EXPLICIT_VR_BIG_ENDIAN):
            continue  # GDCM does not write, and hardly reads, big endian
        (tmp_path / "in.dcm").write_bytes(part10(dataset))
        (tmp_path / "out.dcm").unlink(missing_ok=True)
        try:
            run("gdcmconv", GDCMCONV[to_uid], str(tmp_path / "in.dcm"), str(tmp_path / "out.dcm"))
        except subprocess.CalledProcessError:
            continue  # it wants image attributes that not every object has
        converted = (tmp_path / "out.dcm").read_bytes()
        meta = read_file_meta(converted)
        if meta.transfer_syntax_uid == to_uid:
            theirs = decode(converted[meta.dataset_offset :], CODINGS[to_uid])
            assert differences(ours(dataset, to_uid), theirs) == [], dataset.name
            compared += 1
    assert compared > 10


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("to_uid", CODINGS)
def test_pydicom_reads_the_same_values(to_uid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings, "_reading_validation_mode", config.IGNORE)
    for dataset in native():
        if dataset.name == "odd/GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm":
            continue  # pydicom stops at the private UN sequence in its middle
        converted = b"".join(recode(dataset.data, dataset.transfer_syntax_uid, to_uid))
        before, after = read(dataset.data, dataset.coding), read(converted, CODINGS[to_uid])
        assert_same_values(before, after, dataset.coding.big_endian != CODINGS[to_uid].big_endian)


def read(data: bytes, coding: Coding) -> Dataset:
    return read_dataset(BytesIO(data), not coding.explicit_vr, not coding.big_endian)


def assert_same_values(before: Dataset, after: Dataset, swapped: bool) -> None:
    """pydicom leaves OW and its like in the file's byte order: they are compared when that is the same."""
    for element in before:
        if element.tag.element == 0:
            continue
        other = after[element.tag]
        if element.VR == other.VR == "SQ":
            assert len(element.value) == len(other.value)
            for one, two in zip(element.value, other.value, strict=True):
                assert_same_values(one, two, swapped)
        elif element.VR == other.VR and not (
            swapped and (element.VR in BYTES_AS_STORED or element.tag.is_private)
        ):
            assert element.value == other.value or element.value != element.value, element
