"""Every harness by its name: a function from (number of the execution, seed of the run) to nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

from tests.fuzz import driver

CORPUS = Path(__file__).parent / "corpus"
Execute = Callable[[int, int], None]

BYTES = (
    "pdu", "pdata", "command", "rows", "query", "rle", "pixels", "colour", "encapsulated", "jpeg_lossless",
    "codestream", "flusher", "block", "turnstile", "association",
)  # fmt: skip
"""Modules fuzz_<name> with `seeds()` and `one_input(data)`; driver.py mutates."""
DATASETS = ("scan", "recode", "part10", "inflate")
"""Targets of fuzz_dataset.py, whose mutations know Data Sets."""
NAMES = BYTES + DATASETS


def module(name: str) -> ModuleType:
    return importlib.import_module(f"tests.fuzz.fuzz_{name}")


@cache
def corpus(name: str) -> tuple[bytes, ...]:
    """Inputs that are kept: what was found once, and one for each refusal that a mutation reached."""
    return tuple(path.read_bytes() for path in sorted((CORPUS / name).glob("*.bin")))


def harness(name: str) -> Execute:
    """The first executions are the seeds and the corpus as they are, the others mutations of them."""
    if name in DATASETS:
        return _dataset_harness(name)
    one_input = module(name).one_input
    seeds = [*module(name).seeds(), *corpus(name)]

    def execute(number: int, seed: int) -> None:
        driver.run(one_input, seeds, 1, number, seed)

    return execute


def _dataset_harness(name: str) -> Execute:
    from tests.fuzz import fuzz_dataset

    target = fuzz_dataset.TARGETS[name]

    def execute(number: int, seed: int) -> None:
        fuzz_dataset.run(target, seed << 40 | number)

    return execute
