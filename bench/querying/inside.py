"""How fast the index answers by itself: one thread of this process, no network."""

from __future__ import annotations

import hashlib
import statistics
import time
from pathlib import Path
from typing import Any

from bench.querying.archives import fill
from bench.querying.questions import Question, questions
from fastdicom.dataset.identifier import Identifier, decode_identifier
from fastdicom.identifiers import tag_name
from fastdicom.index.environment import Index
from fastdicom.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN

Row = dict[str, Any]
MORE = 2000  # studies


def decoded(question: Question) -> Identifier:
    """The question as the index takes it."""
    return decode_identifier(question.identifier, IMPLICIT_VR_LITTLE_ENDIAN, "STUDY")


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


def row_of(index: Index, question: Question, repetitions: int) -> Row:
    """One question: milliseconds, rows, the key that led to them, and a digest of the answers."""
    identifier = decoded(question)
    seconds, cpu = measure(index, identifier, repetitions if question.point else max(repetitions // 20, 3))
    plan = index.explain(identifier)
    answers = hashlib.sha256()
    for one in sorted(one for one in index.find(identifier) if one):
        answers.update(one)
    return {
        "query": question.name,
        "answers": plan.answers,
        "p50_ms": statistics.median(seconds) * 1e3,
        "p99_ms": seconds[int((len(seconds) - 1) * 0.99)] * 1e3,
        "cpu_ms": cpu * 1e3,
        "cpu_us_per_answer": cpu / max(plan.answers, 1) * 1e6,
        "rows_visited": sum(plan.rows_visited),
        "key": "" if plan.key is None else tag_name(plan.key).split(" ")[0],
        "digest": answers.hexdigest()[:8],
    }


def report(archive: Path, studies: int, repetitions: int) -> Row:
    """All questions, and how long opening takes."""
    before = time.perf_counter()
    with Index.open(archive / "index", sync=False) as index:
        opened = time.perf_counter() - before
        rows = [row_of(index, question, repetitions) for question in questions(studies)]
        return {"open_ms": opened * 1e3, "index_mib": index.length / 2**20, "rows": rows}


def growth(folder: Path, archive: Path, studies: int) -> tuple[float, float]:
    """CPU microseconds an instance on an empty index and at this size, taken in turns; the least of three."""
    empty, here = [], []
    for turn in range(3):
        with Index.open(folder / f"empty-{studies}-{turn}", sync=False) as index:
            empty.append(fill(index, 0, min(studies, MORE), "first studies"))
        with Index.open(archive / "index", sync=False) as index:
            there = index.counts().studies
            here.append(fill(index, there, there + min(studies, MORE), "more studies"))
    return min(empty) * 1e6, min(here) * 1e6
