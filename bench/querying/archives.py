"""Archives of so many studies, made straight in the index: what it would hold had scanners sent them.

5 instances a study in 2 series, 3 studies a patient, one name in ten with an accent, one in twenty in Kanji.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fastdicom.dataset.recoded import element
from fastdicom.dataset.record import FileEntry, InstanceRecord, Put
from fastdicom.index.environment import Index
from fastdicom.kernels.rows import elements

INSTANCES = 5
STUDIES_OF_A_PATIENT = 3
BATCH = 64
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
ROOT = "1.2.826.0.1.3680043.10.999"
FAMILIES = (
    "SMITH", "JOHNSON", "WILLIAMS", "BROWN", "JONES", "GARCIA", "MILLER", "DAVIS", "MARTINEZ", "LOPEZ",
)  # fmt: skip
GIVEN = ("JAMES", "MARY", "ROBERT", "PATRICIA", "JOHN", "JENNIFER", "MICHAEL", "LINDA", "DAVID", "RUTH")
DESCRIPTIONS = ("CT HEAD WITHOUT CONTRAST", "CT CHEST", "MR KNEE LEFT", "ABDOMEN ROUTINE", "CR THORAX PA")


def text(tag: int, vr: str, value: str) -> bytes:
    return element(tag, vr, value.encode("utf-8"))


def name_of(patient: int) -> str:
    family = f"{FAMILIES[patient * 7919 % 10]}{patient * 104729 % 9973}"
    given = GIVEN[patient * 31 % 10]
    if patient % 20 == 7:
        return f"YAMADA{patient % 997}^TARO=山田^太郎"
    return f"MÜLLER{patient % 997}^{given}" if patient % 10 == 3 else f"{family}^{given}"


def date_of(study: int) -> str:
    return f"{2004 + study % 20}{study * 7 % 12 + 1:02}{study * 11 % 28 + 1:02}"


def patient_row(patient: int) -> bytes:
    born = f"19{patient % 90 + 10}{patient % 12 + 1:02}{patient % 28 + 1:02}"
    return (
        text(0x00080005, "CS", "ISO_IR 192")
        + text(0x00100010, "PN", name_of(patient))
        + text(0x00100020, "LO", f"PID{patient:08}")
        + text(0x00100030, "DA", born)
        + text(0x00100040, "CS", "FM"[patient % 2])
    )


def study_row(study: int) -> bytes:
    return (
        text(0x00080020, "DA", date_of(study))
        + text(0x00080030, "TM", f"{study % 24:02}{study % 60:02}00")
        + text(0x00080050, "SH", f"ACC{study:09}")
        + text(0x00080090, "PN", f"DOC{study % 300}^ANN")
        + text(0x00081030, "LO", DESCRIPTIONS[study % 5])
        + text(0x0020000D, "UI", f"{ROOT}.1.{study}")
        + text(0x00200010, "SH", f"S{study % 10000}")
    )


def series_row(study: int, series: int) -> bytes:
    return (
        text(0x00080060, "CS", ("CT", "MR", "CR", "SR")[(study + series) % 4])
        + text(0x00080070, "LO", "ACME MEDICAL")
        + text(0x0008103E, "LO", f"Series {series}")
        + text(0x0020000E, "UI", f"{ROOT}.2.{study}.{series}")
        + text(0x00200011, "IS", str(series + 1))
    )


IMAGE_START = text(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL") + text(0x00080016, "UI", CT)
IMAGE_MIDDLE = text(0x00080023, "DA", "20240102") + text(0x00080033, "TM", "101112.5")
IMAGE_END = (
    text(0x00201041, "DS", "-102.5")
    + element(0x00280002, "US", b"\1\0")
    + text(0x00280004, "CS", "MONOCHROME2")
    + element(0x00280010, "US", b"\0\2")
    + element(0x00280011, "US", b"\0\2")
    + element(0x00280100, "US", b"\x10\0")
)


def image_row(uid: str, number: int) -> bytes:
    instance = text(0x00080018, "UI", uid)
    return IMAGE_START + instance + IMAGE_MIDDLE + text(0x00200013, "IS", str(number + 1)) + IMAGE_END


def instances(first: int, last: int) -> Iterator[Put]:
    """What scanners would have sent: studies `first` to `last`."""
    for study in range(first, last):
        patient, own = patient_row(study // STUDIES_OF_A_PATIENT), study_row(study)
        for number in range(INSTANCES):
            series = number * 2 // INSTANCES
            uid = f"{ROOT}.3.{study}.{number}"
            record = InstanceRecord(
                CT, uid, f"{ROOT}.1.{study}", f"{ROOT}.2.{study}.{series}", patient, own,
                series_row(study, series), image_row(uid, number),
            )  # fmt: skip
            path = f"{study >> 10:06}/{study:08}{number}.dcm"
            yield Put(record, FileEntry(path, 16384, 900, study, EXPLICIT, 1.7e9, "SCANNER"))


def fill(index: Index, first: int, last: int, label: str) -> float:
    """Put studies in, BATCH instances a transaction; CPU seconds of `apply` for each instance."""
    batch: list[Put] = []
    seconds, count, total = 0.0, 0, (last - first) * INSTANCES
    for put in instances(first, last):
        batch.append(put)
        if len(batch) == BATCH or count + len(batch) == total:
            start = time.process_time()
            index.apply(batch)
            seconds += time.process_time() - start
            count += len(batch)
            batch = []
            progress(label, count, total)
    return seconds / max(total, 1)


def made(folder: Path, studies: int) -> Path:
    """An archive with so many studies in `folder`, made unless it is there, without the files."""
    archive = folder / f"archive-{studies}"
    (archive / "objects").mkdir(parents=True, exist_ok=True)
    with Index.open(archive / "index", sync=False) as index:
        there = index.counts().studies
        if there < studies:
            fill(index, there, studies, f"{studies:,} studies")
        index.sync()
    return archive


def write_files(folder: Path, studies: int, join: Callable[[bytes, str, str, str], bytes]) -> Path:
    """The instances of so many studies as files, for who has to be sent them.

    join: (Data Set, SOP class, SOP Instance UID, transfer syntax) -> Part 10 file.
    """
    target = folder / f"files-{studies}"
    if target.is_dir():
        return target
    target.mkdir()
    for number, put in enumerate(instances(0, studies)):
        record = put.record
        rows = b"".join((record.patient, record.study, record.series, record.image))
        found = {tag: element(tag, vr, value) for tag, vr, value in elements(rows)}
        data = b"".join(found[tag] for tag in sorted(found))
        (target / f"{number}.dcm").write_bytes(join(data, CT, record.sop_instance_uid, EXPLICIT))
        progress(f"files of {studies:,} studies", number + 1, studies * INSTANCES)
    return target


def progress(label: str, count: int, total: int) -> None:
    """A bar on a terminal."""
    if sys.stderr.isatty() and (count == total or not count % (BATCH * 64)):
        bar = "#" * (40 * count // total)
        end = "\n" if count == total else ""
        print(f"\r{label} [{bar:40}] {count:,}/{total:,}", end=end, file=sys.stderr, flush=True)
