"""How fast the index answers, and how that changes from 10,000 to 200,000 studies (1,000,000 instances).

    python bench/find.py [--studies N...] [--folder DIR] [--small]

Archives are made straight in the index, without files and without a network: 5 instances a study, 2 series,
3 studies a patient, one name in ten with an accent, one in twenty in Kanji. With --folder they are kept and
used again. Times are of this process, one thread, from `Index.find` to the last encoded identifier (Explicit
VR Little Endian); p50 and p99 of the repetitions. "rows" is what was looked at, "by" the key that led there.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import lmdb

from fastdicom.dataset.identifier import Identifier
from fastdicom.dataset.keywords import identifier_from_keywords
from fastdicom.dataset.recoded import element
from fastdicom.dataset.record import FileEntry, InstanceRecord, Put
from fastdicom.index.environment import Index

INSTANCES = 5
STUDIES_OF_A_PATIENT = 3
BATCH = 64
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
ROOT = "1.2.826.0.1.3680043.10.999"
FAMILIES = (
    "SMITH",
    "JOHNSON",
    "WILLIAMS",
    "BROWN",
    "JONES",
    "GARCIA",
    "MILLER",
    "DAVIS",
    "MARTINEZ",
    "LOPEZ",
)
GIVEN = ("JAMES", "MARY", "ROBERT", "PATRICIA", "JOHN", "JENNIFER", "MICHAEL", "LINDA", "DAVID", "RUTH")
DESCRIPTIONS = ("CT HEAD WITHOUT CONTRAST", "CT CHEST", "MR KNEE LEFT", "ABDOMEN ROUTINE", "CR THORAX PA")
RETURNED = dict.fromkeys(
    ("PatientName", "PatientID", "PatientBirthDate", "StudyInstanceUID", "StudyDate", "StudyTime",
     "AccessionNumber", "StudyDescription", "ReferringPhysicianName"), "",
)  # fmt: skip

Question = tuple[str, Identifier, int]
"""(name, identifier, repetitions)"""


# ---- archives -----------------------------------------------------------------------------------


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


def progress(label: str, count: int, total: int) -> None:
    if sys.stderr.isatty() and (count == total or not count % (BATCH * 64)):
        bar = "#" * (40 * count // total)
        end = "\n" if count == total else ""
        print(f"\r{label} [{bar:40}] {count:,}/{total:,}", end=end, file=sys.stderr, flush=True)


# ---- questions ----------------------------------------------------------------------------------


def ask(level: str = "STUDY", **keys: str) -> Identifier:
    return identifier_from_keywords(level, **{**(RETURNED if level == "STUDY" else {}), **keys})


def questions(studies: int, repetitions: int) -> list[Question]:
    """The queries of a day; those that name one entity take it from the middle."""
    study = studies // 2
    uid, series_uid = f"{ROOT}.1.{study}", f"{ROOT}.2.{study}.0"
    few = max(repetitions // 20, 3)
    counts = {"ModalitiesInStudy": "", "NumberOfStudyRelatedSeries": "", "NumberOfStudyRelatedInstances": ""}
    series = ask(
        "SERIES", StudyInstanceUID=uid, SeriesInstanceUID="", Modality="", NumberOfSeriesRelatedInstances=""
    )
    image = ask(
        "IMAGE", StudyInstanceUID=uid, SeriesInstanceUID=series_uid, SOPInstanceUID="", InstanceNumber=""
    )
    return [
        ("patient ID", ask(PatientID=f"PID{study // STUDIES_OF_A_PATIENT:08}"), repetitions),
        ("accession number", ask(AccessionNumber=f"ACC{study:09}"), repetitions),
        ("study UID", ask(StudyInstanceUID=uid), repetitions),
        ("series of a study", series, repetitions),
        ("images of a series", image, repetitions),
        ("name prefix", ask(PatientName="SMITH1*"), few),
        ("name, accent folded", ask(PatientName="muller12^*"), few),
        ("one day", ask(StudyDate=date_of(study)), few),
        ("one day, CT", ask(StudyDate=date_of(study), ModalitiesInStudy="CT"), few),
        ("name, inner wild card", ask(PatientName="*77^JOHN"), few),
        ("description, inner wild card", ask(StudyDescription="*KNEE*"), few),
        ("nothing matches, all rows", ask(StudyDescription="*NOWHERE*"), few),
        ("all studies", ask(), 3),
        ("all studies with counts", ask(**counts), 3),
        ("all patients", identifier_from_keywords("PATIENT", "PATIENT", PatientID="", PatientName=""), 3),
    ]


def measure(index: Index, identifier: Identifier, repetitions: int) -> tuple[list[float], float]:
    """(seconds of each repetition in ascending order, median CPU seconds)."""
    seconds, cpu = [], []
    for _ in range(repetitions):
        start, cpu_start = time.perf_counter(), time.process_time()
        for _ in index.find(identifier):
            pass
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    return sorted(seconds), statistics.median(cpu)


def report(index: Index, studies: int, repetitions: int) -> None:
    print(
        f"\n{studies:,} studies, {studies * INSTANCES:,} instances, index of {index.length / 2**20:.0f} MiB"
    )
    columns = f"{'answers':>9}{'p50 ms':>10}{'p99 ms':>10}{'CPU ms':>10}{'us/answer':>11}{'rows':>9}"
    print(f"{'query':30}{columns}  {'by':18}result")
    for name, identifier, count in questions(studies, repetitions):
        seconds, cpu = measure(index, identifier, count)
        p50, p99 = statistics.median(seconds) * 1e3, seconds[int((len(seconds) - 1) * 0.99)] * 1e3
        plan = index.explain(identifier)
        digest = hashlib.sha256(b"".join(sorted(one for one in index.find(identifier) if one))).hexdigest()[
            :8
        ]
        each = cpu / max(plan.answers, 1) * 1e6
        key = plan.key.split(" ")[0] or "all rows"
        numbers = (
            f"{plan.answers:9,}{p50:10.3f}{p99:10.3f}{cpu * 1e3:10.3f}{each:11.2f}{plan.rows_visited:9,}"
        )
        print(f"{name:30}{numbers}  {key:18}{digest}")


def bench(folder: Path, studies: int, repetitions: int) -> None:
    """One archive: made unless it is there, measured, and filled a little more to see what that costs."""
    path = folder / f"index-{studies}"
    with Index.open(path, sync=False) as index:
        there = index.counts().studies
        if there < studies:
            start = min(studies, there + 2000)
            first = fill(index, there, start, "first studies")
            fill(index, start, studies, f"{studies:,} studies")
            print(f"ingest into an empty index: {first * 1e6:.1f} us CPU an instance, {BATCH} a transaction")
    before = time.perf_counter()
    with Index.open(path, sync=False) as index:
        now = index.counts().studies
        print(f"opened in {(time.perf_counter() - before) * 1e3:.1f} ms")
        report(index, studies, repetitions)
        each = fill(index, now, now + 2000, "more studies")
        print(f"ingest at this size: {each * 1e6:.1f} us CPU an instance")
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"largest resident size: {largest:.0f} MiB, the index's mapped pages and the digests' copies included"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, nargs="+", default=[10_000, 200_000])
    parser.add_argument("--folder", type=Path, help="keep the archives here and use those that are here")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--small", action="store_true", help="a size for the test suite")
    options = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, "
        f"lmdb {lmdb.__version__}"
    )
    sizes, repetitions = ([50], 3) if options.small else (options.studies, options.repetitions)
    with tempfile.TemporaryDirectory(prefix="fastdicom-bench-") as temporary:
        for studies in sizes:
            bench(options.folder or Path(temporary), studies, repetitions)


if __name__ == "__main__":
    main()
