"""Disk faults from outside: a preloaded library that fails chosen system calls of another process."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import missing

SOURCE = Path(__file__).with_name("failio.c")
CALLS = (
    "write",
    "pwrite",
    "writev",
    "fsync",
    "fdatasync",
    "rename",
    "link",
    "open",
    "ftruncate",
    "fallocate",
)


@dataclass(frozen=True)
class Faults:
    """The environment of the process to torment, and the folder through which it is told what fails."""

    folder: Path
    env: dict[str, str]

    def start(self, call: str, error: int = errno.EIO, skip: int = 0, count: int = 0) -> None:
        """From now on let `skip` of these calls pass and fail the next `count` (0: all) with `error`."""
        if call not in CALLS:
            raise ValueError(f"{call} cannot be failed")
        waiting = self.folder / f".{call}"
        waiting.write_text(f"{error} {skip} {count}")
        os.replace(waiting, self.folder / call)

    def stop(self, call: str) -> None:
        """Let the call work again."""
        (self.folder / call).unlink(missing_ok=True)

    @contextmanager
    def failing(self, call: str, error: int = errno.EIO, skip: int = 0, count: int = 0) -> Iterator[None]:
        """`start` now, `stop` at the end."""
        self.start(call, error, skip, count)
        try:
            yield
        finally:
            self.stop(call)


def build_faults(folder: Path) -> Faults:
    """Compile the library into `folder`; raises PeerMissing without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise missing("no C compiler for the fault library")
    told = folder / "faults"
    told.mkdir(parents=True)
    library = folder / "failio.so"
    subprocess.run(
        [compiler, "-O1", "-Wall", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl", "-lpthread"], check=True
    )
    return Faults(told, {"LD_PRELOAD": str(library), "FAILIO_DIR": str(told)})
