"""The C headers in ext/ on this processor and, where a cross compiler and an emulator are, on aarch64."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Compiler, emulator, and the best path that the program must have reached.
MACHINES = {
    "this processor": (["cc"], [], ""),
    "aarch64": (["aarch64-linux-gnu-gcc", "-static"], ["qemu-aarch64-static"], "paths 0 to 1"),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_every_vector_path_does_what_the_scalar_one_does(machine: str, tmp_path: Path) -> None:
    compiler, emulator, reached = MACHINES[machine]
    for tool in (compiler[0], *emulator):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    program = tmp_path / "vector_paths"
    flags = ["-O3", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", f"-I{ROOT / 'ext'}"]
    source = ROOT / "tests" / "kernels" / "vector_paths.c"
    subprocess.run([*compiler, *flags, str(source), "-o", str(program)], check=True, timeout=100)
    done = subprocess.run([*emulator, str(program)], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout
    assert reached in done.stdout
