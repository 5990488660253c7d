"""The load generator in C: compiled when the bench begins, run as a process beside the server."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.datasets import CT_IMAGE_STORAGE, EXPLICIT_LE, UID_LENGTH, Template, numbered_uids
from tests.support.processes import missing

SOURCES = Path(__file__).parent / "loadgen"
FLAGS = ("-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Wno-unused-parameter")
COUNTER_DIGITS = 12
PIXEL_DATA_HEAD = b"\xe0\x7f\x10\x00OW\0\0"
LOAD_SECONDS_MAX = 600


class LoadFailed(Exception):
    """The load could not run against this server; the text says what the generator said."""


@dataclass(frozen=True)
class Generator:
    """The compiled program."""

    binary: Path

    def _argv(self, command: str, patches: tuple[str, ...], options: dict[str, Any]) -> list[str]:
        argv = [str(self.binary), command]
        for name, value in options.items():
            argv += [f"--{name.replace('_', '-')}", str(value)]
        for patch in patches:
            argv += ["--patch", patch]
        return argv

    def run(self, command: str, patches: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
        """Run one load to its end; its figures. Raises LoadFailed."""
        argv = self._argv(command, patches, options)
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX, check=False)
        except subprocess.TimeoutExpired as error:
            raise LoadFailed(f"not done after {LOAD_SECONDS_MAX} s") from error
        if done.returncode:
            raise LoadFailed(done.stderr.strip() or f"ended with {done.returncode}")
        figures: dict[str, Any] = json.loads(done.stdout)
        return figures


def build(folder: Path) -> Generator:
    """Compile the generator into `folder`; raises PeerMissing without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise missing("no C compiler for the load generator")
    folder.mkdir(parents=True, exist_ok=True)
    binary = folder / "loadgen"
    sources = sorted(str(path) for path in SOURCES.glob("*.c"))
    subprocess.run([compiler, *FLAGS, "-o", str(binary), *sources, "-lpthread"], check=True)
    return Generator(binary)


@dataclass(frozen=True)
class StoreFile:
    """An encoded instance for the generator, and where its identifiers are."""

    path: Path
    size: int
    patches: tuple[str, ...]

    def options(self) -> dict[str, Any]:
        """What the store load needs to know of it."""
        return {"file": self.path, "class": CT_IMAGE_STORAGE, "syntax": EXPLICIT_LE}


def store_file(folder: Path, size: int, run: int, fill: int = 0) -> StoreFile:
    """Write an instance with `size` bytes of pixels; `run` keeps its UIDs apart from those of other runs.

    fill: bytes that the generator appends to the pixels; the length of Pixel Data counts them.
    """
    template = Template.make(CT_IMAGE_STORAGE, EXPLICIT_LE, size)
    data = template.stamped(numbered_uids(run, 0))
    if fill:
        head = PIXEL_DATA_HEAD + struct.pack("<I", size)
        data = data.replace(head, PIXEL_DATA_HEAD + struct.pack("<I", size + fill))
    path = folder / f"{size}-{run}.template"
    path.write_bytes(data)
    patches = [f"t:{place + 6}:6" for place in template.offsets["patient_id"]]
    for name, kind in (("study", "t"), ("series", "e"), ("instance", "i")):
        last = UID_LENGTH - COUNTER_DIGITS
        patches += [f"{kind}:{place + last}:{COUNTER_DIGITS}" for place in template.offsets[name]]
    return StoreFile(path, len(data), tuple(patches))
