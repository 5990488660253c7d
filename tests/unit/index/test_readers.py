"""A query that somebody lets lie does not make the index grow; who does make it grow is named."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from fastdicom.dataset.record import Put
from fastdicom.errors import UsageError
from fastdicom.index.environment import Index
from fastdicom.index.readers import OLD_S, OldReader, Readers
from tests.support.asking import ask
from tests.support.records import put

ROOT = Path(__file__).parents[3]
STUDIES = 300
WRITES = 200
READER = """
import sys
from tests.support.asking import ask
from fastdicom.index.environment import Index
with Index.open(sys.argv[1], readonly=True) as index:
    answers = index.find(ask("STUDY", StudyInstanceUID="", StudyDescription=""))
    answers = answers.unheld() if sys.argv[2] == "unheld" else answers
    found = {next(answers)}
    print("asked", flush=True)
    sys.stdin.readline()
    found.update(answer for answer in answers if answer is not None)
    print(len(found), flush=True)
"""


def study(number: int, text: str = "x") -> Put:
    return put(f"1.{number}", f"2.{number}", f"3.{number}", StudyDescription=text * 900)


def growth(index: Index, round_: int) -> int:
    """Bytes by which the index grows while the same study is written again and again."""
    before = index.length
    for _ in range(WRITES):
        index.apply([study(10_000 + round_)])
        index.apply([], {"note": b"x" * 2000})
    return index.length - before


@contextmanager
def asked(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has had one answer of many and lets the others lie."""
    process = subprocess.Popen(
        [sys.executable, "-c", READER, path, how],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "asked\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def filled(index: Index) -> Index:
    index.apply([study(number) for number in range(STUDIES)])
    growth(index, 0)  # pages to use again
    return index


def test_what_another_process_lets_lie_does_not_make_the_index_grow(filled: Index) -> None:
    with asked(filled.path, "held"):
        held = growth(filled, 1)
    filled.rest()  # that process was killed, which must not count for ever
    with asked(filled.path, "unheld") as process:
        unheld = growth(filled, 2)
        out, _ = process.communicate("go on\n")
    assert int(out) == STUDIES + 3 - 1 or int(out) == STUDIES + 3  # the last one was written meanwhile
    assert unheld < held / 10


def test_a_query_of_this_process_gives_way_to_the_writes_of_another(filled: Index) -> None:
    answers = filled.find(ask("STUDY", StudyInstanceUID="", StudyDescription=""))
    first = next(answers)
    filled.rest()
    assert " - " in filled._store._environment.readers().splitlines()[1] + " "
    rest = [answer for answer in answers if answer is not None]
    assert len({first, *rest}) == len(rest) + 1 == STUDIES + 1


def test_a_reader_without_a_pause_is_named(filled: Index, caplog: pytest.LogCaptureFixture) -> None:
    with asked(filled.path, "held") as process:
        filled.rest()
        growth(filled, 1)
        filled.rest()
        assert filled.old_readers == []  # it is young
        readers = filled._store._readers
        readers._since = {reader: since - OLD_S for reader, since in readers._since.items()}
        for _ in range(3):
            filled.rest()
        (old,) = filled.old_readers
        assert old == OldReader(process.pid, 60, 2 * WRITES)
        assert filled.figures()["old_readers"] == [old._asdict()]
    filled.rest()
    assert filled.old_readers == []
    said = [record.message for record in caplog.records if "without a pause" in record.message]
    assert len(said) == 1 and said[0].startswith(f"process {process.pid} has read the index for 60 s")


def test_who_looks_at_the_newest_holds_up_nobody() -> None:
    readers = Readers()
    table = "    pid     thread     txnid\n     11 7f1919e8bb80 41\n     12 7f1919e8bb80 -\n     13 7f19 40\n"
    for now in (0.0, OLD_S - 1):
        readers.look(table, 41, now)
        assert readers.old == []
    readers.look(table, 41, OLD_S)
    assert readers.old == [OldReader(13, 60, 1)]
    readers.look(table.replace("40", "41"), 41, OLD_S + 1)
    assert readers.old == []


def test_no_page_of_the_table_of_readers_is_a_hole(index: Index) -> None:
    status = (index.path / "lock.mdb").stat()  # a full disk would have no block for it: SIGBUS
    assert status.st_blocks * 512 >= status.st_size == 65536
    with ExitStack() as open_at_once:
        for _ in range(200):
            open_at_once.enter_context(index._store.reading())


def test_what_is_no_index_is_said_with_what_helps(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(random.Random(1).randbytes(65536))
    said = (
        f"{tmp_path}: the index cannot be opened: MDB_INVALID: File is not an LMDB file: `fastdicom rebuild`"
    )
    with pytest.raises(UsageError, match=re.escape(said)):
        Index.open(tmp_path)
