"""A few thousand executions of each harness, so that none of them rots; and the driver itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import collect, driver
from tests.fuzz.harnesses import BYTES, NAMES, corpus, harness, module

ROOT = Path(__file__).parents[2]
KERNELS = {path.stem for path in (ROOT / "ext").glob("*.pyx")}
EXECUTIONS = {"association": 600, "pdu": 1500}


@pytest.mark.parametrize("name", BYTES)
def test_the_harness_finds_nothing(name: str) -> None:
    execute = harness(name)
    for number in range(EXECUTIONS.get(name, 2500)):
        execute(number, 1)


@pytest.mark.parametrize("name", BYTES)
def test_the_corpus_finds_nothing(name: str) -> None:
    for data in corpus(name):
        module(name).one_input(data)


def test_every_kernel_has_a_harness() -> None:
    assert set(NAMES) >= KERNELS


def test_the_corpus_of_lossless_jpeg_hears_what_the_kernel_can_say() -> None:
    """Every sentence of its faults, but those that the harness's sizes cannot lead to."""
    heard = set().union(*(collect.refusals("jpeg_lossless", data) for data in corpus("jpeg_lossless")))
    texts = [path.read_text("utf-8") for path in (ROOT / "ext").glob("jpeg_lossless*.p*")]
    said = {part.split('"')[1] for text in texts for part in text.split("fault(&d.fault,")[1:]}
    silent = {sentence for sentence in said if not any(sentence in one for one in heard)}
    assert len(said) > 20
    assert len(silent) <= 2, silent


def test_a_finding_names_its_execution_and_input() -> None:
    def finds(data: bytes) -> None:
        assert data != b"b"

    with pytest.raises(AssertionError) as caught:
        driver.run(finds, [b"a", b"b"], executions=10)
    assert caught.value.__notes__ == ["execution 1, input 62"]


def test_the_command_runs_a_harness_and_knows_their_names() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--runs", "20"]
    done = subprocess.run(
        [*command, "colour"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert "colour: 20 executions" in done.stdout
    wrong = subprocess.run(
        [*command, "color"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert wrong.returncode == 2
    assert "no harness color" in wrong.stderr
