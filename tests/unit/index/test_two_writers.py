"""What one process remembers of its last transaction is no good when another has written since."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fastdicom.dataset.record import Delete
from fastdicom.errors import Unavailable
from fastdicom.index import writer
from fastdicom.index.environment import Counts, Index
from tests.support.answers import found
from tests.support.asking import ask
from tests.support.records import put

ROOT = Path(__file__).parents[3]
OTHER = """
import sys
from fastdicom.dataset.record import Delete
from fastdicom.index.environment import Index
from tests.support.records import put
with Index.open(sys.argv[1], sync=False) as index:
    for line in sys.stdin:
        what, number = line.split()
        uid = f"1.{number}"
        index.apply([put(uid, "2.1", "3.1", PatientID="P") if what == "put" else Delete(uid)])
        print(index.counts().instances, flush=True)
"""


def test_two_processes_take_turns(tmp_path: Path) -> None:
    with (
        Index.open(tmp_path, sync=False) as index,
        subprocess.Popen(
            [sys.executable, "-c", OTHER, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None and process.stdout is not None

        def other(what: str, number: int) -> int:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(f"{what} {number}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        for number in range(0, 20, 2):
            index.apply([put(f"1.{number}", "2.1", "3.1", PatientID="P")])
            assert other("put", number + 1) == number + 2
        assert index.counts() == Counts(1, 1, 1, 20, 20000)
        for number in range(0, 18, 2):
            index.apply([Delete(f"1.{number}")])
            other("delete", number + 1)
        (answer,) = found(index, ask("STUDY", StudyInstanceUID="3.1", NumberOfStudyRelatedInstances=""))
        assert answer.NumberOfStudyRelatedInstances == 2
        index.apply([Delete("1.18")])
        assert other("delete", 19) == 0
        index.apply([put("1.99", "2.1", "3.1", PatientID="P")])
        assert index.counts() == Counts(1, 1, 1, 1, 1000)
        process.stdin.close()
        assert process.wait(20) == 0


def test_a_transaction_that_failed_leaves_no_trace(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.apply([put("1.1", "2.1", "3.1")])

    def fail(self: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        patched.setattr(writer.Writer, "finish", fail)
        index.apply([put("1.2", "2.1", "3.1"), Delete("1.1")])
    index.apply([put("1.3", "2.1", "3.1")])
    assert index.counts() == Counts(1, 1, 1, 2, 2000)
    (answer,) = found(index, ask("STUDY", StudyInstanceUID="", NumberOfStudyRelatedInstances=""))
    assert answer.NumberOfStudyRelatedInstances == 2


def test_a_full_map_that_cannot_grow_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastdicom.index import store

    monkeypatch.setattr(store, "GROW_TIMEOUT_S", 0.02)
    monkeypatch.setattr(store, "_EARLY_TIMEOUT_S", 0.0)
    with Index.open(tmp_path, sync=False, map_size=256 << 10) as index:
        index.apply([put("1.0", "2.0", "3.0")])
        held = index._store.begin()
        stored = 1
        with pytest.raises(Unavailable):
            while True:
                batch = [put(f"1.{stored + n}", "2.1", "3.1", ImageComments="x" * 900) for n in range(20)]
                index.apply(batch)
                stored += len(batch)
        assert index.counts().instances == stored
        index._store.end(held)
        index.apply([put("9.9", "2.1", "3.1")])
        assert index.counts().instances == stored + 1
        (answer,) = found(index, ask("SERIES", StudyInstanceUID="3.1", NumberOfSeriesRelatedInstances=""))
        assert answer.NumberOfSeriesRelatedInstances == stored
