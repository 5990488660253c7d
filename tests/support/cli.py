"""Run command line tools, DCMTK's and ours, and say what they said when they fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.support.node import CHECKOUT, require_command_line
from tests.support.processes import program

Argument = str | int | Path


def run(argv: Iterable[Argument], *, cwd: Path | None = None, seconds: float = 120) -> tuple[int, str]:
    """Exit status and everything that the command wrote."""
    done = subprocess.run(
        [str(argument) for argument in argv],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def dcmtk(tool: str, *arguments: Argument, cwd: Path | None = None) -> str:
    """Run a DCMTK tool, which must succeed; its output. Raises PeerMissing when it is not installed."""
    status, output = run([program(tool), *arguments], cwd=cwd)
    assert status == 0, f"{tool} ended with {status}:\n{output}"
    return output


def fastdicom(*arguments: Argument, expect: int = 0) -> str:
    """Run our own command line; its output. The exit status must be `expect`."""
    require_command_line()
    status, output = run([sys.executable, "-m", "fastdicom", *arguments])
    assert status == expect, f"fastdicom {arguments[0]} ended with {status} instead of {expect}:\n{output}"
    return output
