"""Start a server program in a folder of its own, wait until it answers, and end it by its own process id."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import unittest
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.rawdicom import VERIFICATION, ConnectionEnded, RawAssociation, Rejected

START_SECONDS = 20.0
STOP_SECONDS = 15.0


class PeerMissing(unittest.SkipTest):
    """The program is not on this machine: pytest turns this into a skip with its reason."""


def missing(reason: str) -> Exception:
    """PeerMissing, or a failure where FASTDICOM_REQUIRE_PEERS=1 says that nothing may be skipped."""
    if os.environ.get("FASTDICOM_REQUIRE_PEERS") == "1":
        return RuntimeError(reason)
    return PeerMissing(reason)


def program(name: str) -> str:
    """The path of an installed program; raises PeerMissing."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise missing(f"{name} is not installed")
    return path


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Peer:
    """A running server. `http_port` only where it has one."""

    name: str
    ae_title: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    http_port: int | None = None
    host: str = "127.0.0.1"
    secure: bool = False  # speaks TLS: that it listens has to be enough

    @property
    def pid(self) -> int:
        """Process id of the server (its children are in /proc)."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "log.txt").read_text(errors="replace")

    def stop(self) -> int:
        """SIGTERM, wait, and SIGKILL to what is left of its process group; the exit status."""
        if self.alive:
            self.process.terminate()
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        self.kill()
        return code

    def kill(self) -> None:
        """SIGKILL to the server and to the children that it forked."""
        with contextlib.suppress(ProcessLookupError):  # all of them are gone
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def spawn(
    argv: Sequence[str | Path], folder: Path, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start the program in `folder` as the leader of a process group of its own; stderr goes to log.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "log.txt", "ab") as log, open(folder / "stdout.txt", "wb") as out:
        return subprocess.Popen(
            [str(part) for part in argv],
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            start_new_session=True,
        )


def wait_until_answering(peer: Peer, seconds: float = START_SECONDS) -> None:
    """Wait until the peer answers an A-ASSOCIATE-RQ; raises RuntimeError with its log otherwise."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and peer.alive:
        try:
            if peer.secure:
                socket.create_connection((peer.host, peer.port), 2).close()
                return
            with RawAssociation.to(
                peer.port, [VERIFICATION], called=peer.ae_title, timeout_s=2
            ) as association:
                association.release()
                return
        except Rejected:
            return
        except (OSError, ConnectionEnded):
            time.sleep(0.02)
    state = "does not answer" if peer.alive else f"ended with {peer.process.returncode}"
    raise RuntimeError(f"{peer.name} {state}:\n{peer.log[-4000:]}")


@contextmanager
def running(peer: Peer) -> Iterator[Peer]:
    """Yield the peer once it answers, and stop it at the end."""
    try:
        wait_until_answering(peer)
        yield peer
    finally:
        peer.stop()
