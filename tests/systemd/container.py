"""A container that boots real systemd, with fastdicom installed as a user would install it.

The root is a minimal Debian, made once by debootstrap from the mirror that this machine uses and kept for
later runs (FASTDICOM_SYSTEMD_ROOT, else a folder below the temporary one). Each run works in an overlay on
top of it. The container has a network of its own with nothing but a loopback, so port 104 is free.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
ENVIRONMENT = "/opt/fastdicom"  # in the container
PACKAGES = ("systemd", "dbus", "python3", "python3-venv", "procps", "libgomp1", "libstdc++6")
SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}  # whose Python is ours: the kernels are compiled
BOOT_SECONDS = 90.0
_REQUIREMENT = re.compile(r"^[A-Za-z0-9._-]+")


class Unavailable(Exception):
    """Why no container can be booted here."""


class Container:
    """A booted container. init: the process id of its systemd, seen from here."""

    def __init__(self, root: Path, init: int) -> None:
        self.root = root
        self.init = init

    def run(
        self, *command: str, check: bool = True, timeout: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root."""
        argv = ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-r", "-w", *command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, env=_ENVIRONMENT)
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def spawn(self, *command: str) -> subprocess.Popen[str]:
        """Start a command of this machine that sees the container's network only."""
        argv = ["nsenter", f"--net=/proc/{self.init}/ns/net", *command]
        return subprocess.Popen(argv, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def show(self, name: str, unit: str = "fastdicom.service") -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).stdout.strip()

    def journal(self, *arguments: str) -> list[dict[str, Any]]:
        """Entries of the journal, oldest first."""
        self.run("journalctl", "--sync")
        said = self.run("journalctl", "-o", "json", "--all", "--no-pager", "-q", *arguments).stdout
        return [json.loads(line) for line in said.splitlines()]

    def wait_for(self, what: str, condition: Callable[[], object], seconds: float = 30.0) -> float:
        """Wait until `condition` holds; how long that took."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                log = self.run("journalctl", "--no-pager", "-n", "60").stdout
                raise AssertionError(f"waited {seconds:g} s for: {what}\n{log}")
            time.sleep(0.1)
        return time.monotonic() - began


_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


@contextmanager
def booted(folder: Path) -> Iterator[Container]:
    """A container with fastdicom in /opt/fastdicom. Raises Unavailable."""
    _check_possible()
    base = _base_root()
    with ExitStack() as undo:
        root = undo.enter_context(_overlay(base, folder))
        _install(root, _wheel(folder))
        yield undo.enter_context(_boot(root, folder / "console.txt"))


def _check_possible() -> None:
    if os.geteuid() != 0:
        raise Unavailable("only root can boot a container")
    for program in ("systemd-nspawn", "nsenter", "debootstrap"):
        if shutil.which(program, path=_ENVIRONMENT["PATH"]) is None:
            raise Unavailable(f"{program} is not installed")
    if sys.version_info[:2] not in SUITES:
        raise Unavailable(f"no Debian has Python {sys.version_info[0]}.{sys.version_info[1]}")


# ---------------------------------------------------------------------------------- the root


def _base_root() -> Path:
    """The minimal Debian; made when it is not there."""
    suite = SUITES[sys.version_info[:2]]
    given = os.environ.get("FASTDICOM_SYSTEMD_ROOT")
    root = Path(given) if given else Path(tempfile.gettempdir(), "fastdicom-systemd", suite)
    if (root / "usr/bin").exists():
        return root
    making = root.with_name(f"{root.name}.making-{os.getpid()}")
    making.mkdir(parents=True)
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, str(making)]
    done = subprocess.run([*command, _mirror()], capture_output=True, text=True, timeout=1800)
    if done.returncode != 0:
        shutil.rmtree(making)
        raise Unavailable(f"debootstrap failed: {done.stdout.strip().splitlines()[-1:]}")
    making.rename(root)
    return root


def _mirror() -> str:
    """The archive that this machine gets its own packages from."""
    policy = subprocess.run(["apt-cache", "policy"], capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"^\s*\d+ (https?://\S+/debian/?) \S+/main ", policy, re.MULTILINE)
    if found is None:
        raise Unavailable("apt knows no Debian mirror")
    return found[1]


@contextmanager
def _overlay(base: Path, folder: Path) -> Iterator[Path]:
    upper, work, root = (folder / name for name in ("upper", "work", "root"))
    for place in (upper, work, root):
        place.mkdir(parents=True)
    options = f"lowerdir={base},upperdir={upper},workdir={work}"
    done = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", options, str(root)], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise Unavailable(f"no overlay: {done.stderr.strip()}")
    try:
        yield root
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=True)


# ---------------------------------------------------------------------------------- fastdicom in it


def _wheel(folder: Path) -> Path:
    """This checkout as a wheel, built the way `pip install .` does."""
    source, out = folder / "source", folder / "wheel"
    shutil.copytree(CHECKOUT, source, ignore=shutil.ignore_patterns(".git", ".venv", "*.egg-info", "lib.*"))
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "-w", str(out), str(source)], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"the wheel cannot be built:\n{done.stderr[-2000:]}")
    return next(out.glob("*.whl"))


def _install(root: Path, wheel: Path) -> None:
    """A virtual environment of the container's own Python, with the wheel and what it requires.

    The requirements are copied from the environment that runs the tests: no network is needed.
    """
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    _chroot(root, f"/usr/bin/{version}", "-m", "venv", ENVIRONMENT)
    site = root / ENVIRONMENT.lstrip("/") / "lib" / version / "site-packages"
    for name in _required("fastdicom-engine", wheel):
        _copy_distribution(name, site)
    shutil.copy(wheel, root / "opt" / wheel.name)
    _chroot(root, f"{ENVIRONMENT}/bin/pip", "install", "-q", "--no-index", f"/opt/{wheel.name}")


def _chroot(root: Path, *command: str) -> None:
    done = subprocess.run(["chroot", str(root), *command], capture_output=True, text=True, env=_ENVIRONMENT)
    if done.returncode != 0:
        raise AssertionError(f"{command}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _required(name: str, wheel: Path) -> set[str]:
    """The distributions that a wheel needs, and what they need, without extras."""
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        metadata = next(entry for entry in archive.namelist() if entry.endswith("/METADATA"))
        lines = archive.read(metadata).decode().splitlines()
    waiting = _names(
        line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist")
    )
    found: set[str] = set()
    while waiting:
        one = waiting.pop()
        if one in found or one == name:
            continue
        try:
            requires = distribution(one).requires or []
        except PackageNotFoundError:
            continue  # for another platform or Python
        found.add(one)
        waiting += _names(requires)
    return found


def _names(requirements: Iterable[str]) -> list[str]:
    plain = [text for text in requirements if "extra ==" not in text]
    return [match[0] for text in plain if (match := _REQUIREMENT.match(text))]


def _copy_distribution(name: str, site: Path) -> None:
    found = distribution(name)
    source = Path(str(found.locate_file("")))
    for entry in found.files or []:
        path = Path(str(found.locate_file(entry)))
        if ".." in entry.parts or path.suffix == ".pyc" or not path.is_file():
            continue  # scripts, and what Python makes anew
        target = site / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


# ---------------------------------------------------------------------------------- booting


@contextmanager
def _boot(root: Path, console: Path) -> Iterator[Container]:
    command = ["systemd-nspawn", "--quiet", f"--directory={root}", "--boot", "--register=no", "--keep-unit"]
    with console.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--private-network", "--console=read-only", "--machine=fastdicom-test"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _ready(process, root, console)
    finally:
        _power_off(process)


def _ready(process: subprocess.Popen[bytes], root: Path, console: Path) -> Container:
    """Wait until the container's systemd has come up."""
    deadline = time.monotonic() + BOOT_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if children:
            container = Container(root, int(children[0]))
            state = container.run("systemctl", "is-system-running", check=False).stdout.strip()
            if state in ("running", "degraded"):
                return container
        time.sleep(0.2)
    raise Unavailable(f"the container did not boot: {console.read_text('utf-8', 'replace')[-600:]}")


def _power_off(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)  # nspawn has the container power off
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
