"""The load generator in C (bench/loadgen): compiled for a run, started per measurement, read as JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parent / "loadgen"
SECONDS_MAX = 180


class LoadFailed(Exception):
    """The peer refused, answered with a failure or did not answer; the text is loadgen's."""


def build(folder: Path) -> Path:
    """Compile loadgen into `folder`; its path. Raises FileNotFoundError without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("the bench needs a C compiler (cc)")
    program = folder / "loadgen"
    sources = sorted(str(path) for path in SOURCES.glob("*.c"))
    subprocess.run([compiler, "-O2", "-pthread", "-o", str(program), *sources], check=True)
    return program


@dataclass(frozen=True)
class Generator:
    """Runs the compiled program."""

    program: Path

    def run(self, *arguments: object) -> dict[str, Any]:
        """What one run printed. Raises LoadFailed with the reason."""
        try:
            done = subprocess.run(
                self._argv(arguments), capture_output=True, text=True, timeout=SECONDS_MAX, check=False
            )
        except subprocess.TimeoutExpired:
            raise LoadFailed(f"not done within {SECONDS_MAX} s") from None
        if done.returncode:
            raise LoadFailed(done.stderr.strip().removeprefix("loadgen: ") or f"ended with {done.returncode}")
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def _argv(self, arguments: tuple[object, ...]) -> list[str]:
        return [str(self.program), *(str(argument) for argument in arguments)]

    @contextmanager
    def held(self, *arguments: object) -> Iterator[Conversation]:
        """A run that waits on its stdin; it ends when the block is left."""
        process = subprocess.Popen(
            self._argv(arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Conversation(process)
        finally:
            process.communicate(timeout=SECONDS_MAX)  # closes its stdin


@dataclass(frozen=True)
class Conversation:
    """A loadgen that is being talked to, line by line."""

    process: subprocess.Popen[str]

    def answer(self) -> dict[str, Any]:
        """Its next line. Raises LoadFailed when there is none."""
        assert self.process.stdout is not None and self.process.stderr is not None
        line = self.process.stdout.readline()
        if not line:
            raise LoadFailed(self.process.stderr.read().strip().removeprefix("loadgen: "))
        result: dict[str, Any] = json.loads(line)
        return result

    def ask(self) -> dict[str, Any]:
        """Send an empty line; the answer to it (the sink's counters)."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()
