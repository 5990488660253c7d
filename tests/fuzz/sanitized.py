"""Kernels with AddressSanitizer and UBSan: how they are built, and how a process runs with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARIES = ("libasan.so", "libubsan.so")
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",  # CPython itself leaks at exit
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "PYTHONMALLOC": "malloc",  # a guard zone for each bytes object
}


def build(folder: Path) -> Path:
    """Build the kernels of this checkout into `folder`; what is there and up to date stays."""
    library = folder.resolve() / "lib"
    command = [sys.executable, "setup.py", "-q", "build", "--build-base", folder, "--build-lib", library]
    print(f"building sanitized kernels into {folder}", flush=True)
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "FASTDICOM_SANITIZE": "1"})
    return library


def run(library: Path, name: str, options: list[str], progress: Path) -> int:
    """Fuzz one harness in a process of its own; 1 when it found something."""
    # -P keeps the checkout, with its other kernels, behind the sanitized build.
    command = [sys.executable, "-P", "-m", "tests.fuzz", name, *options]
    command += [f"--progress={progress}", f"--kernels-in={library}"]
    environment = {**os.environ, **OPTIONS}
    environment["PYTHONPATH"] = os.pathsep.join([str(library), str(ROOT)])
    environment["LD_PRELOAD"] = " ".join(library_path(name) for name in LIBRARIES)
    done = subprocess.run(command, env=environment, cwd=progress.parent, check=False)
    if done.returncode == 0:
        return 0
    number = progress.read_bytes().split(b" ")[0].decode() if progress.exists() else "?"
    print(f"{name}: FINDING in execution {number} (exit status {done.returncode})", flush=True)
    return 1


def library_path(name: str) -> str:
    """Where the compiler's own sanitizer library is."""
    found = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return found.stdout.strip()
