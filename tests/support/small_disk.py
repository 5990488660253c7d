"""Real file systems that fail: on a device whose writes fail, or that turn read-only. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import missing

_PAGE = 4096


@dataclass(frozen=True)
class Device:
    """An ext4 on a loop device, whose image lies on a file system that is smaller than it claims to be."""

    backing: Path
    mounted: Path

    def heal(self) -> None:
        """From now on every write succeeds."""
        _run("mount", "-o", "remount,size=400m", self.backing)

    def fail_for_good(self) -> None:
        """What ext4 does to itself after a bad error: read-only (EROFS) until it is mounted anew."""
        _run("mount", "-o", "remount,abort", self.mounted)

    def mount_anew(self) -> None:
        """Forget what memory knows: afterwards there is what the device really has."""
        _umount(self.mounted)
        _mount(self.backing / "image", self.mounted)


@contextmanager
def device_that_runs_out(folder: Path, room: str = "24m", journal: bool = False) -> Iterator[Device]:
    """A device of 200 MB of which only `room` can be written: then writes fail where fsync reports it.

    Raises PeerMissing where nothing can be mounted.
    """
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        raise missing("needs root and mkfs.ext4 for a file system of its own")
    device = Device(folder / "backing", folder / "disk")
    device.backing.mkdir(parents=True)
    device.mounted.mkdir()
    image = device.backing / "image"
    with ExitStack() as undo:
        _try("mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", device.backing)
        undo.callback(_umount, device.backing)
        with image.open("wb") as stream:
            stream.truncate(200 << 20)
        features = [] if journal else ["-O", "^has_journal"]
        _run("mkfs.ext4", "-q", "-F", "-b", str(_PAGE), *features, "-E", "lazy_itable_init=1", image)
        _mount(image, device.mounted)
        undo.callback(_umount, device.mounted)
        yield device


def _mount(image: Path, place: Path) -> None:
    """Every request is one page: of a longer one, for whose end there is no room, the loop driver writes the
    beginning and reports success. Then fdatasync would lie, and nothing could be tested.
    """
    _try("mount", "-o", "loop,errors=continue", image, place)
    source = subprocess.run(["findmnt", "-no", "SOURCE", place], check=True, capture_output=True, text=True)
    queue = Path("/sys/block", Path(source.stdout.strip()).name, "queue")
    (queue / "max_sectors_kb").write_text(str(_PAGE // 1024))


def _try(*argv: str | Path) -> None:
    if subprocess.run([*argv], check=False, capture_output=True).returncode:
        raise missing(f"{argv[0]} is not allowed here")


def _run(*argv: str | Path) -> None:
    subprocess.run([*argv], check=True, capture_output=True)


def _umount(path: Path) -> None:
    for _ in range(50):
        if subprocess.run(["umount", path], check=False, capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "-l", path], check=False)
