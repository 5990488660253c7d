"""The manager's datagrams, and the descriptors that it passes."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastdicom.notify import Notifier, inherited_descriptors


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(5)

    def hears(self) -> dict[str, str]:
        lines = self.socket.recv(65536).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture(params=["path", "abstract"])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Notifier, Manager]]:
    if request.param == "path":
        name = shown = str(tmp_path / "notify")
    else:
        shown = f"@fastdicom-test-{os.getpid()}"
        name = "\0" + shown[1:]
    manager = Manager(name)
    notifier = Notifier(shown)
    yield notifier, manager
    notifier.close()
    manager.socket.close()


def test_each_state_has_its_words(told: tuple[Notifier, Manager]) -> None:
    notifier, manager = told
    notifier.ready("3 associations")
    assert manager.hears() == {"READY": "1", "STATUS": "3 associations"}
    notifier.stopping("bye")
    assert manager.hears() == {"STOPPING": "1", "STATUS": "bye"}
    notifier.alive("still")
    assert manager.hears() == {"WATCHDOG": "1", "STATUS": "still"}
    notifier.status("one line")
    assert manager.hears() == {"STATUS": "one line"}
    notifier.extend(2.5, "recovering")
    assert manager.hears() == {"EXTEND_TIMEOUT_USEC": "2500000", "STATUS": "recovering"}


def test_a_reload_says_when_it_began(told: tuple[Notifier, Manager]) -> None:
    notifier, manager = told
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading()
    said = manager.hears()
    assert said["RELOADING"] == "1"
    assert before <= int(said["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_status_cannot_forge_another_field(told: tuple[Notifier, Manager]) -> None:
    notifier, manager = told
    notifier.status("AE\nWATCHDOG=trigger\r\nx")
    assert manager.hears() == {"STATUS": "AE WATCHDOG=trigger x"}


def test_without_a_manager_nothing_happens() -> None:
    notifier = Notifier.from_environment({})
    assert not notifier.heard and notifier.watchdog_s == 0
    notifier.ready("x")


def test_a_manager_that_has_gone_is_no_error(tmp_path: Path) -> None:
    notifier = Notifier(str(tmp_path / "gone"))
    notifier.ready("x")
    notifier.close()


@pytest.mark.parametrize(
    ("pid", "seconds"), [("", 1.5), (str(os.getpid()), 1.5), (str(os.getpid() + 1), 0.0)]
)
def test_the_watchdog_counts_when_it_is_meant_for_us(pid: str, seconds: float) -> None:
    environment = {"WATCHDOG_USEC": "1500000"} | ({"WATCHDOG_PID": pid} if pid else {})
    assert Notifier.from_environment(environment).watchdog_s == seconds
    assert environment == {}  # no child is to feed it


def test_an_address_of_another_kind_is_not_used() -> None:
    assert not Notifier.from_environment({"NOTIFY_SOCKET": "vsock:2:1234"}).heard


def test_descriptors_for_another_process_are_not_ours() -> None:
    environment = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDNAMES": "dicom"}
    assert inherited_descriptors(environment) == {}
    assert environment == {}


def test_descriptors_have_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off: list[int] = []
    monkeypatch.setattr(os, "set_inheritable", lambda fd, how: cut_off.append(fd))
    environment = {"LISTEN_FDS": "3", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "dicom::x"}
    assert inherited_descriptors(environment) == {3: "dicom", 4: "unknown", 5: "x"}
    assert cut_off == [3, 4, 5]
