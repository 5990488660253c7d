"""The memory map grows under writers and readers, of this process and of others."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fastdicom.dataset.record import Put
from fastdicom.errors import Unavailable
from fastdicom.index import store
from fastdicom.index.environment import Index
from tests.support.asking import ask
from tests.support.records import put

KIB = 1 << 10
ROOT = Path(__file__).parents[3]
READER = """
import sys
from tests.support.asking import ask
from fastdicom.index.environment import Index
with Index.open(sys.argv[1], readonly=True, map_size=256 << 10) as index:
    for line in sys.stdin:
        answers = sum(a is not None for a in index.find(ask("STUDY", StudyInstanceUID="")))
        print(index.counts().instances, answers, flush=True)
"""


def batch(start: int, count: int = 50) -> list[Put]:
    return [
        put(f"1.{n}", f"2.{n}", f"3.{n}", StudyDescription="x" * 900) for n in range(start, start + count)
    ]


def test_a_small_map_grows(tmp_path: Path) -> None:
    with Index.open(tmp_path, sync=False, map_size=256 * KIB) as index:
        for start in range(0, 2000, 50):
            index.apply(batch(start))
        assert index.counts().instances == 2000
        assert index.length > 1024 * KIB
    with Index.open(tmp_path, map_size=256 * KIB) as index:
        assert index.counts().studies == 2000


def test_queries_of_other_threads_go_on_while_it_grows(tmp_path: Path) -> None:
    with Index.open(tmp_path, sync=False, map_size=256 * KIB) as index:
        index.apply(batch(0))
        done = threading.Event()
        problems: list[BaseException] = []

        def read() -> None:
            try:
                while not done.wait(0.002):  # let the writer have the interpreter, too
                    answers = [a for a in index.find(ask("STUDY", StudyInstanceUID="")) if a is not None]
                    assert len(answers) >= 50 and len(set(answers)) == len(answers)
            except BaseException as problem:
                problems.append(problem)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for start in range(50, 400, 50):
            index.apply(batch(start))
        done.set()
        for reader in readers:
            reader.join()
        assert not problems
        assert index.counts().instances == 400


KEYS = {"StudyInstanceUID": "", "PatientName": "", "StudyDescription": ""}
QUERIES = {
    "STUDY": ask("STUDY", **KEYS),
    "STUDY by a key": ask("STUDY", **(KEYS | {"PatientName": "N*"})),
    "STUDY with counts": ask("STUDY", NumberOfStudyRelatedInstances="", **KEYS),
    "PATIENT": ask("PATIENT", "PATIENT", PatientID="", PatientName=""),
    "SERIES": ask("SERIES", SeriesInstanceUID="", Modality="", **KEYS),
    "IMAGE": ask("IMAGE", SOPInstanceUID="", SeriesInstanceUID="", **KEYS),
    "IMAGE of one study": ask("IMAGE", **(KEYS | {"StudyInstanceUID": "3.0"}), SOPInstanceUID=""),
    "IMAGE by UID": ask("IMAGE", SOPInstanceUID=[f"1.{n}.0.0" for n in range(40)], **KEYS),
}


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("before", [0, 1, 5, 17, 30])
def test_an_open_query_gives_way_to_a_map_that_grows(tmp_path: Path, name: str, before: int) -> None:
    """Nothing is lost, doubled or changed, wherever the query stands, and the writer does not wait."""
    with Index.open(tmp_path, sync=False, map_size=256 * KIB) as index:
        index.apply([stored(*numbers) for numbers in NUMBERS])
        expected = [one for one in index.find(QUERIES[name]) if one is not None]
        answers = index.find(QUERIES[name])
        found = [one for _, one in zip(range(before), answers, strict=False) if one is not None]
        length = index.length
        started = time.monotonic()
        while index.length < 2 * length:
            index.apply([put(f"9.{index.counts().instances}", "9", "9", ImageComments="x" * 9000)])
        assert time.monotonic() - started < 5
        found += [one for one in answers if one is not None]
        assert answers.walk.lease.renewals == (1 if 0 < before < len(expected) else 0)
        assert len(found) == len(set(found))
        there_before = {*expected}  # a scan also comes by what has been stored since
        assert [one for one in found if one in there_before] == expected


NUMBERS = [(study, series, image) for study in range(40) for series in range(2) for image in range(2)]


def stored(study: int, series: int, image: int) -> Put:
    text = "y" * (5000 if study % 7 == 3 else 50)  # some rows stand alone
    return put(
        f"1.{study}.{series}.{image}", f"2.{study}.{series}", f"3.{study}", PatientID=f"P{study}",
        PatientName=f"N\u00e4me{study}" if study % 2 else f"N{study}", StudyDescription=f"{study}",
        PatientComments=text, Modality="CT", charset="ISO_IR 192", codec="utf-8",
    )  # fmt: skip


def test_a_transaction_that_stays_open_does_not_hold_the_writer_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "GROW_TIMEOUT_S", 0.05)
    with Index.open(tmp_path, sync=False, map_size=256 * KIB) as index:
        index.apply(batch(0))
        with index._store.reading(), pytest.raises(Unavailable, match="has to grow"):
            for start in range(50, 400, 50):
                index.apply(batch(start))
        before = index.counts().instances
        index.apply(batch(before))
        assert index.counts().instances == before + 50


def test_a_query_that_nobody_reads_does_not_keep_old_pages(tmp_path: Path) -> None:
    with Index.open(tmp_path, sync=False) as index:
        index.apply(batch(0))
        held = index.find(ask("STUDY", StudyInstanceUID=""))
        assert next(held) is not None
        lengths = []
        for start in range(50, 1050):
            index.apply(batch(start, 1))
            lengths.append(index.length)
        rows = sum(answer is not None for answer in held)
        assert rows >= 49
        assert lengths[-1] - lengths[0] < 48 << 20  # three times as much when it keeps them


def test_a_query_that_is_open_when_the_index_closes_ends_with_an_error(tmp_path: Path) -> None:
    with Index.open(tmp_path, sync=False) as index:
        index.apply(batch(0))
        answers = index.find(ask("STUDY", StudyInstanceUID=""))
        next(answers)
    with pytest.raises(Unavailable, match="closed"):
        next(answers)
    answers.close()


def test_other_processes_read_while_it_grows(tmp_path: Path) -> None:
    with Index.open(tmp_path, sync=False, map_size=256 * KIB) as index:
        index.apply(batch(0))
        command = [sys.executable, "-c", READER, str(tmp_path)]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as reader:
            assert reader.stdin is not None and reader.stdout is not None
            for start in range(50, 400, 50):
                reader.stdin.write("\n")
                reader.stdin.flush()
                assert reader.stdout.readline().split() == [str(start), str(start)]
                index.apply(batch(start))
            reader.stdin.close()
            assert reader.wait(20) == 0


def test_a_reader_that_was_killed_is_cleared(tmp_path: Path) -> None:
    with Index.open(tmp_path, sync=False) as index:
        index.apply(batch(0))
        hold = READER.replace(
            "for line in sys.stdin:",
            "t = index._store.begin(); print('in', flush=True)\n    for line in sys.stdin:",
        )
        with subprocess.Popen(
            [sys.executable, "-c", hold, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as reader:
            assert reader.stdout is not None and reader.stdout.readline() == "in\n"
            reader.kill()
    with Index.open(tmp_path, sync=False) as index:
        assert index._store._environment.reader_check() == 0
