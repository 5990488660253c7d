"""The fault library fails what it is told to, when it is told to, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.failio import CALLS, Faults, build_faults

PROBE = """
import os, sys
folder = sys.argv[1]
def attempt(name, work):
    try:
        work()
        print(name, "works")
    except OSError as error:
        print(name, os.strerror(error.errno))
fd = os.open(folder + "/probe", os.O_RDWR | os.O_CREAT, 0o600)
attempt("open", lambda: os.close(os.open(folder + "/new", os.O_RDWR | os.O_CREAT, 0o600)))
attempt("write", lambda: os.write(fd, b"x"))
attempt("pwrite", lambda: os.pwrite(fd, b"x", 0))
attempt("writev", lambda: os.writev(fd, [b"x", b"y"]))
attempt("fsync", lambda: os.fsync(fd))
attempt("fdatasync", lambda: os.fdatasync(fd))
attempt("ftruncate", lambda: os.ftruncate(fd, 10))
attempt("fallocate", lambda: os.posix_fallocate(fd, 0, 10))
attempt("rename", lambda: os.rename(folder + "/new", folder + "/renamed"))
attempt("link", lambda: os.link(folder + "/probe", folder + "/linked"))
"""


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """The compiled library."""
    return build_faults(tmp_path_factory.mktemp("failio"))


def outcomes(faults: Faults, folder: Path) -> dict[str, str]:
    """What each call did in another process."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(folder)], env=faults.env, capture_output=True, text=True, check=True
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_without_instruction_everything_works(faults: Faults, tmp_path: Path) -> None:
    assert outcomes(faults, tmp_path) == dict.fromkeys(CALLS, "works")


@pytest.mark.parametrize("call", [call for call in CALLS if call != "open"])
def test_only_the_instructed_call_fails(faults: Faults, tmp_path: Path, call: str) -> None:
    with faults.failing(call):
        seen = outcomes(faults, tmp_path)
    assert seen.pop(call) == "Input/output error"
    assert set(seen.values()) == {"works"}


def test_calls_can_be_let_pass_first(faults: Faults, tmp_path: Path) -> None:
    with faults.failing("open", skip=1, count=1):
        assert outcomes(faults, tmp_path)["open"] == "Input/output error"
    with faults.failing("open", skip=2, count=1):
        assert outcomes(faults, tmp_path)["open"] == "works"
