"""`fastdicom serve`: its line, its signals, and what a broken configuration does to a running node.

The node runs as a process of its own, with a stand-in for the engine that tells what it is asked.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fastdicom.cli.main import main
from fastdicom.cli.serve import listening_line
from fastdicom.config import Config

NODE = """
import sys, fastdicom

class Engine:
    def __init__(self, config):
        self.config = config
        tell("made", config.node.ae_title, config.node.port, config.archive.path)
    def start(self, inherited, progress): tell("start")
    def stop(self, timeout_s, drain_s): tell("stop")
    def status(self): raise RuntimeError("no figures")
    def stuck(self): return []
    connections = 0
    addresses = [("127.0.0.1", 4242)]
    tls_addresses = []
    def reload(self, config):
        tell("reload", config.timeouts.idle_s, config.node.port)
        return self.config.needs_restart(config)

def tell(*words):
    print(*words, file=sys.stderr, flush=True)

fastdicom.Engine = Engine
from fastdicom.cli.main import main
sys.exit(main(["serve", *sys.argv[1:]]))
"""
WAIT_S = 20.0


class Serving:
    """The process and what it has said."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        self.log = folder / "stderr.txt"
        with self.log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", NODE, *arguments], stdout=subprocess.PIPE, stderr=stderr, text=True
            )

    def first_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def wait_for(self, text: str) -> str:
        """The log, once `text` stands in it."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            said = self.log.read_text()
            if text in said:
                return said
            time.sleep(0.01)
        pytest.fail(f"{text!r} never came:\n{self.log.read_text()}")


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Serving]:
    node = Serving(folder, list(arguments))
    try:
        yield node
    finally:
        if node.process.poll() is None:
            node.process.kill()
        node.process.wait()
        assert node.process.stdout is not None
        node.process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_one_line_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as node:
        line = "fastdicom: FASTDICOM listens on 127.0.0.1:4242, archive ./fastdicom-archive\n"
        assert node.first_line() == line
        node.process.send_signal(number)
        assert node.process.wait(WAIT_S) == 0
        assert node.process.stdout is not None and node.process.stdout.read() == ""
        said = node.log.read_text().splitlines()
        assert said == ["made FASTDICOM 11112 fastdicom-archive", "start", "stop"]


def test_options_win_over_the_file_also_after_a_reload(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('[node]\nae_title = "FROM_FILE"\nport = 1\n[timeouts]\nidle = 1\n')
    with serving(tmp_path, "--config", str(file), "--port", "7", "--archive", str(tmp_path / "x")) as node:
        assert node.first_line().startswith("fastdicom: FROM_FILE listens on")
        assert f"made FROM_FILE 7 {tmp_path / 'x'}" in node.log.read_text()
        file.write_text('[node]\nae_title = "OTHER"\nport = 2\n[timeouts]\nidle = 2\n')
        node.process.send_signal(signal.SIGHUP)
        said = node.wait_for("a restart is needed for: node.ae_title")
        assert "reload 2.0 7" in said


def test_a_broken_configuration_is_refused_and_the_node_stays(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("")
    with serving(tmp_path, "--config", str(file)) as node:
        node.first_line()
        file.write_text("[timeouts]\nidel = 5\nartim = 0\n")
        node.process.send_signal(signal.SIGHUP)
        said = node.wait_for("artim")
        assert f"reload refused, {file}:2: timeouts.idel: unknown key; the nearest known is `idle`" in said
        assert "\nreload " not in said
        file.write_text("[timeouts]\nidle = 9\n")
        node.process.send_signal(signal.SIGHUP)
        node.wait_for("reload 9.0")
        node.process.send_signal(signal.SIGTERM)
        assert node.process.wait(WAIT_S) == 0


def test_a_reload_with_a_file_that_cannot_be_used_names_its_key_and_line(tmp_path: Path) -> None:
    file, users = tmp_path / "node.toml", tmp_path / "users"
    users.write_text("named:\n")
    file.write_text('[access]\nuser_identity = "optional"\n\npasscodes = "users"\n')
    with serving(tmp_path, "--config", str(file)) as node:
        node.first_line()
        users.write_text("named:\nbroken\n")
        node.process.send_signal(signal.SIGHUP)
        said = node.wait_for("is no line of `fastdicom user`")
        assert f"reload refused, {file}:4: access.passcodes: {users}:2: " in said and "\nreload " not in said


def test_a_fifo_in_place_of_the_configuration_does_not_hold_up_a_reload(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("")
    with serving(tmp_path, "--config", str(file)) as node:
        node.first_line()
        file.unlink()
        os.mkfifo(file)
        node.process.send_signal(signal.SIGHUP)
        node.wait_for(f"reload refused, {file}: is a FIFO, not a file")
        node.process.send_signal(signal.SIGTERM)
        assert node.process.wait(WAIT_S) == 0


def test_a_broken_configuration_at_the_start_ends_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.toml"
    file.write_text("[node]\nprot = 1\n[log]\nlevel = 1\n")
    assert main(["serve", "--config", str(file)]) == 2
    assert [line.split(" ")[2] for line in capsys.readouterr().err.splitlines()] == [
        f"{file}:2:",
        f"{file}:4:",
    ]


def test_both_families_are_named_in_the_line() -> None:
    line = listening_line(Config(archive="/store"), [("127.0.0.1", 104), ("::1", 104)])
    assert line == "fastdicom: FASTDICOM listens on 127.0.0.1:104, [::1]:104, archive /store"
