"""The memory map grows under writers and readers, of this process and of others."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

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


def batch(start: int, count: int = 50) -> list[object]:
    return [
        put(f"1.{n}", f"2.{n}", f"3.{n}", StudyDescription="x" * 900) for n in range(start, start + count)
    ]


def test_a_small_map_grows(tmp_path: Path) -> None:
    with Index.open(tmp_path, sync=False, map_size=256 * KIB) as index:
        for start in range(0, 2000, 50):
            index.apply(batch(start))  # type: ignore[arg-type]
        assert index.counts().instances == 2000
        assert index.length > 1024 * KIB
    with Index.open(tmp_path, map_size=256 * KIB) as index:
        assert index.counts().studies == 2000


def test_queries_of_other_threads_go_on_while_it_grows(tmp_path: Path) -> None:
    with Index.open(tmp_path, sync=False, map_size=256 * KIB) as index:
        index.apply(batch(0))  # type: ignore[arg-type]
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
            index.apply(batch(start))  # type: ignore[arg-type]
        done.set()
        for reader in readers:
            reader.join()
        assert not problems
        assert index.counts().instances == 400


def test_a_query_that_stays_open_does_not_hold_the_writer_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "GROW_TIMEOUT_S", 0.05)
    with Index.open(tmp_path, sync=False, map_size=256 * KIB) as index:
        index.apply(batch(0))  # type: ignore[arg-type]
        answers = index.find(ask("STUDY", StudyInstanceUID=""))
        next(answers)
        with pytest.raises(Unavailable, match="has to grow"):
            for start in range(50, 400, 50):
                index.apply(batch(start))  # type: ignore[arg-type]
        before = index.counts().instances
        answers.close()  # type: ignore[attr-defined]
        index.apply(batch(before))  # type: ignore[arg-type]
        assert index.counts().instances == before + 50


def test_other_processes_read_while_it_grows(tmp_path: Path) -> None:
    with Index.open(tmp_path, sync=False, map_size=256 * KIB) as index:
        index.apply(batch(0))  # type: ignore[arg-type]
        command = [sys.executable, "-c", READER, str(tmp_path)]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as reader:
            assert reader.stdin is not None and reader.stdout is not None
            for start in range(50, 400, 50):
                reader.stdin.write("\n")
                reader.stdin.flush()
                assert reader.stdout.readline().split() == [str(start), str(start)]
                index.apply(batch(start))  # type: ignore[arg-type]
            reader.stdin.close()
            assert reader.wait(20) == 0


def test_a_reader_that_was_killed_is_cleared(tmp_path: Path) -> None:
    with Index.open(tmp_path, sync=False) as index:
        index.apply(batch(0))  # type: ignore[arg-type]
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
