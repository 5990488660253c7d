"""The scan kernel on real files: against pydicom, and independent of where they are cut."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import config
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator, read_dataset

from fastdicom.dataset.attributes import BY_TAG
from fastdicom.errors import MalformedDataset
from fastdicom.kernels.scan import Scanner
from tests.support.elements import UNITS, Coding, padded, swapped
from tests.support.real_files import RealDataset, shared, shipped
from tests.support.scanning import TABLE, scan

# Shared and shipped files whose Data Set does not parse, and where that shows.
BROKEN = {
    "MR_truncated.dcm": "(7FE0,0010) is cut short",
    "rtplan_truncated.dcm": "(300A,012C) is cut short",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "(7FE0,0010) is open at",
    "zero-length-US.dcm": "(5600,0010) is cut short",
    "DICOMDIR-nooffset": "(FFFE,E000) is longer than what encloses it",
    "SC_rgb_jpeg.dcm": "(0008,0008) has no VR",
}


def parsing(datasets: tuple[RealDataset, ...]) -> list[RealDataset]:
    return [dataset for dataset in datasets if dataset.name.rpartition("/")[2] not in BROKEN]


def read(data: bytes, coding: Coding) -> Dataset:
    return read_dataset(BytesIO(data), not coding.explicit_vr, not coding.big_endian)


def assert_as_pydicom(dataset: RealDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wanted value is what pydicom reads, every row a Data Set that pydicom reads."""
    monkeypatch.setattr(config.settings, "_reading_validation_mode", config.IGNORE)
    scanner = scan(dataset.data, dataset.coding)
    theirs = read(dataset.data, dataset.coding)
    ours = [read(row, Coding(True, False)) for row in scanner.levels()]
    raw = raw_values(dataset)
    for tag, attribute in BY_TAG.items():
        vr, expected = raw.get(tag, (None, None))
        if attribute.vr == "SQ" and tag in theirs:
            (level,) = (level for level in ours if tag in level)
            assert_same_items(level[tag].value, theirs[tag].value)
        elif vr in (None, "UN", attribute.vr):
            assert scanner.value(tag) == expected, (dataset.name, attribute.keyword)
        else:
            assert scanner.value(tag) is None, (dataset.name, attribute.keyword, vr)


def raw_values(dataset: RealDataset) -> dict[int, tuple[str | None, bytes]]:
    """VR (None when not stated) and padded little endian value of the leaves, the first of each tag."""
    coding, found = dataset.coding, {}
    for raw in data_element_generator(BytesIO(dataset.data), not coding.explicit_vr, not coding.big_endian):
        if isinstance(raw, RawDataElement) and raw.tag in BY_TAG:
            vr = BY_TAG[raw.tag].vr
            value = raw.value or b""
            value = swapped(value, UNITS.get(vr, 1)) if coding.big_endian else value
            found.setdefault(raw.tag, (raw.VR, padded(value, vr)))
    return found


def assert_same_items(ours: list[Dataset], theirs: list[Dataset]) -> None:
    assert len(ours) == len(theirs)
    for our_item, their_item in zip(ours, theirs, strict=True):
        standard = [element for element in their_item if not element.tag.is_private and element.tag.element]
        assert [element.tag for element in our_item if not element.tag.is_private] == [
            e.tag for e in standard
        ]
        for element in standard:
            if element.VR == "SQ":
                assert_same_items(our_item[element.tag].value, element.value)
            else:
                assert our_item[element.tag].value == element.value


def test_shipped_files_scan_as_pydicom_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for dataset in parsing(shipped()):
        assert_as_pydicom(dataset, monkeypatch)


def test_shared_files_scan_as_pydicom_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    unreadable = {  # pydicom stops, DCMTK and we read them
        "odd/GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm",
    }
    for dataset in parsing(shared()):
        if dataset.name not in unreadable:
            assert_as_pydicom(dataset, monkeypatch)


@pytest.mark.parametrize("source", [shipped, shared])
def test_broken_files_are_refused_where_they_break(source: object) -> None:
    broken = [dataset for dataset in source() if dataset.name.rpartition("/")[2] in BROKEN]  # type: ignore[operator]
    for dataset in broken:
        with pytest.raises(MalformedDataset) as caught:
            scan(dataset.data, dataset.coding)
        assert BROKEN[dataset.name.rpartition("/")[2]] in str(caught.value)
    assert broken


@pytest.mark.parametrize("source", [shipped, shared])
def test_small_files_may_be_cut_at_any_byte(source: object) -> None:
    small = [dataset for dataset in parsing(source()) if len(dataset.data) < 3000]  # type: ignore[operator]
    for dataset in small:
        scanner = Scanner(TABLE, dataset.coding.explicit_vr, dataset.coding.big_endian)
        whole = scan(dataset.data, dataset.coding).levels()
        for cut in range(len(dataset.data) + 1):
            scanner.reset(dataset.coding.explicit_vr, dataset.coding.big_endian)
            scanner.feed(dataset.data[:cut])
            scanner.feed(dataset.data[cut:])
            scanner.finish()
            assert scanner.levels() == whole, (dataset.name, cut)
    assert len(small) > 3


@pytest.mark.parametrize("source", [shipped, shared])
def test_byte_by_byte_is_as_good_as_whole(source: object) -> None:
    for dataset in source():  # type: ignore[operator]
        if len(dataset.data) < 20_000:
            assert outcome(dataset, 1) == outcome(dataset, len(dataset.data)), dataset.name


@pytest.mark.parametrize("source", [shipped, shared])
def test_skipping_values_is_as_good_as_feeding_them(source: object) -> None:
    for dataset in source():  # type: ignore[operator]
        assert outcome(dataset, 4096, skip=True) == outcome(dataset, len(dataset.data)), dataset.name


def outcome(dataset: RealDataset, step: int, skip: bool = False) -> object:
    """The rows of a Data Set fed `step` bytes at a time, or the text of its fault."""
    scanner = Scanner(TABLE, dataset.coding.explicit_vr, dataset.coding.big_endian)
    at, length = 0, len(dataset.data)
    try:
        while at < length:
            inside = min(scanner.skippable(), length - at) if skip else 0
            scanner.skip(inside)
            at += inside
            scanner.feed(dataset.data[at : at + step])
            at += step
        scanner.finish()
    except MalformedDataset as error:
        return str(error)
    return scanner.levels(), scanner.skipped
