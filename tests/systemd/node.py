"""The service in the container, as an operator and as its peers see it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.certificates import Pair
from tests.support.datasets import CT_IMAGE_STORAGE, EXPLICIT_LE, numbered_uids, synthetic
from tests.support.part10 import join
from tests.systemd.container import ENVIRONMENT, Container

PORT = 104
CONFIG = "/etc/fastdicom/fastdicom.toml"
ARCHIVE = "/var/lib/fastdicom"
LOGS = "/var/log/fastdicom"
UNITS = ("fastdicom.socket", "fastdicom.service")
BASE_CONFIG = """\
[node]
bind = "0.0.0.0"
port = 104
[archive]
path = "/var/lib/fastdicom"
min_free = "1 MiB"
[access]
unknown_peers = ["echo", "store", "find", "move", "get"]
"""
_runs = iter(range(1000, 1_000_000, 1000))


@dataclass
class Traffic:
    """Senders at work; what they saw, once they have stopped."""

    process: subprocess.Popen[str]
    file: Path
    seen: dict[str, Any]

    @property
    def acknowledged(self) -> set[str]:
        """The SOP Instance UIDs for which the node answered Success."""
        return set(self.file.read_text("ascii").split())


class Node:
    """fastdicom.service in a container."""

    def __init__(self, container: Container) -> None:
        self.container = container

    # ------------------------------------------------------------------------------ what an operator does

    def configure(self, more: str = "") -> None:
        """Write the configuration; `more` is TOML behind the base."""
        self._write(CONFIG, BASE_CONFIG + more)

    def install(self) -> list[str]:
        """`install-service`, as it is to be run after some changes; what it leaves for a person to do."""
        said = self.container.run(f"{ENVIRONMENT}/bin/fastdicom", "install-service", "--json").stdout
        report = json.loads(said)
        assert [action for action in report["actions"] if action["what"] == "failed"] == []
        steps: list[str] = report["next_steps"]
        return steps

    @contextmanager
    def installed_with(self, config: str) -> Iterator[list[str]]:
        """Stopped and installed with another configuration; afterwards stopped, with the base one again."""
        self.container.run("systemctl", "stop", *UNITS)
        self._write(CONFIG, config)
        try:
            yield self.install()
        finally:
            self.reset()
            self.install()

    def drop_in(self, text: str, unit: str = "fastdicom.service") -> None:
        """Settings of the unit that win, as `systemctl edit` makes them."""
        folder = self.container.root / f"etc/systemd/system/{unit}.d"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "override.conf").write_text(text)
        self.container.run("systemctl", "daemon-reload")

    def reset(self) -> None:
        """Stopped, with the base configuration, without drop-ins; the archive stays."""
        self.container.run("systemctl", "stop", *UNITS, check=False)
        self.container.run("systemctl", "reset-failed", *UNITS, check=False)
        for unit in UNITS:
            (self.container.root / f"etc/systemd/system/{unit}.d/override.conf").unlink(missing_ok=True)
        self.container.run("systemctl", "daemon-reload")
        self.configure()

    def start(self) -> None:
        """`systemctl start`, which returns when the node is ready."""
        done = self.container.run("systemctl", "start", *UNITS, check=False)
        if done.returncode != 0:
            log = self.container.run("journalctl", "--no-pager", "-n", "40").stdout
            raise AssertionError(f"the service does not start: {done.stderr}\n{log}")

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One of our commands, as the service's user."""
        command = [f"{ENVIRONMENT}/bin/fastdicom", *arguments]
        return self.container.run("runuser", "-u", "fastdicom", "--", *command, check=check)

    @property
    def main_pid(self) -> int:
        """Of the node, as the container counts."""
        return int(self.container.show("MainPID"))

    @property
    def restarts(self) -> int:
        """How often systemd started it again by itself."""
        return int(self.container.show("NRestarts"))

    @property
    def status(self) -> str:
        """Its status line."""
        return self.container.show("StatusText")

    def journal(self, since: str) -> list[dict[str, Any]]:
        """What the node itself logged since a cursor."""
        entries = self.container.journal(f"--after-cursor={since}")
        return [entry for entry in entries if entry.get("SYSLOG_IDENTIFIER") == "fastdicom"]

    def cursor(self) -> str:
        """The end of the journal now."""
        return str(self.container.journal("-n", "1")[0]["__CURSOR"])

    # ------------------------------------------------------------------------------ what peers do

    def echo(self) -> bool:
        """Does it answer a C-ECHO?"""
        process = self.calling("5 s")
        process.communicate(timeout=30)
        return process.returncode == 0

    def send(self, *paths: Path) -> None:
        """All of them are stored."""
        command = [sys.executable, "-m", "fastdicom", "send", "127.0.0.1", str(PORT), *map(str, paths)]
        process = self.container.spawn(*command, "--calling", "CT1", "--called", "GATEWAY")
        process.communicate(timeout=60)
        assert process.returncode == 0

    def calling(self, timeout: str) -> subprocess.Popen[str]:
        """A C-ECHO under way."""
        command = [sys.executable, "-m", "fastdicom", "echo", "127.0.0.1", str(PORT), "--timeout", timeout]
        return self.container.spawn(*command)

    @contextmanager
    def under_load(
        self,
        folder: Path,
        senders: int,
        *,
        size: int = 4096,
        objects_each: int = 20,
        port: int = PORT,
        tls: tuple[Path, Pair] | None = None,
    ) -> Iterator[Traffic]:
        """So many senders at work inside the block, with so many objects in each of their associations.

        tls: who signed the node's certificate, and theirs.
        """
        file = folder / f"acknowledged-{port}.txt"
        words = ("127.0.0.1", *map(str, (port, senders, next(_runs), size, objects_each, file)))
        words += () if tls is None else tuple(map(str, (tls[0], tls[1].certificate, tls[1].key)))
        process = self.container.spawn(sys.executable, "-m", "tests.systemd.senders", *words)
        traffic = Traffic(process, file, {})
        try:
            yield traffic
            said, _ = process.communicate(timeout=180)
            assert process.returncode == 0, "the senders broke down"
            traffic.seen.update(json.loads(said))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def stored(self) -> set[str]:
        """The SOP Instance UIDs that a query finds."""
        said = self.cli(
            "find", "--archive", ARCHIVE, "--level", "IMAGE", "-k", "SOPInstanceUID", "--json"
        ).stdout
        rows = (json.loads(line) for line in said.splitlines())
        return {row["00080018"]["Value"][0] for row in rows}

    def plant(self, count: int) -> set[str]:
        """Put whole files without rows into the archive, as a crash leaves them; their UIDs."""
        run = next(_runs)
        template = numbered_uids(run, 0)
        data = synthetic(CT_IMAGE_STORAGE, EXPLICIT_LE, template, size=256)
        whole = join(data, CT_IMAGE_STORAGE, template.instance, EXPLICIT_LE)
        block = self.container.root / ARCHIVE.lstrip("/") / "objects" / f"{0xF0000 + run:08x}"
        block.mkdir()
        uids = {numbered_uids(run, number).instance for number in range(1, count + 1)}
        for number, uid in enumerate(sorted(uids)):
            (block / f"{number:04x}.dcm").write_bytes(whole.replace(template.instance.encode(), uid.encode()))
        self.container.run("chown", "-R", "fastdicom:fastdicom", f"{ARCHIVE}/objects/{block.name}")
        return uids

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Within the block a start does not get past one file of the archive: reading it has no end."""
        pipe = f"{ARCHIVE}/endless"
        block = f"{ARCHIVE}/objects/{0xF0000 + next(_runs):08x}"
        for command in (("mkfifo", pipe), ("mkdir", block), ("ln", "-s", pipe, f"{block}/0001.dcm")):
            self.container.run("runuser", "-u", "fastdicom", "--", *command)
        try:
            yield
        finally:
            self.container.run("timeout", "20", "sh", "-c", f": > {pipe}")  # its end, once it is being read
            self.container.run("rm", pipe)
            self.container.run("rm", "-f", f"{block}/0001.dcm")

    def place(self, source: Path, path: str) -> None:
        """A file that the service may read and nobody else."""
        self._write(path, source.read_text("utf-8"))
        self.container.run("chown", "root:fastdicom", path)
        self.container.run("chmod", "0640", path)

    def _write(self, path: str, text: str) -> None:
        target = self.container.root / path.lstrip("/")
        target.write_text(text, "utf-8")
