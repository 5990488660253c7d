"""A configuration that is no file, or is without an end, is refused at once: nobody waits for it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from fastdicom.cli.main import main
from fastdicom.config import FILE_LENGTH_MAX, Config, ConfigError
from fastdicom.credentials import Credentials
from fastdicom.errors import UsageError
from fastdicom.passcodes import Passcodes
from fastdicom.sections.tls import TlsConfig
from fastdicom.users import read_passcode
from tests.support.certificates import Authority

pytestmark = pytest.mark.timeout(20)


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "fifo")
    return folder / "fifo"


def a_socket(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "socket"))
    return folder / "socket"


def long(folder: Path) -> Path:
    path = folder / "long"
    with path.open("wb") as stream:
        stream.truncate(100 << 30)  # a hole: no byte of it is on the disk
    return path


NO_FILES = {
    "is a FIFO, not a file": fifo,
    "is a socket, not a file": a_socket,
    "is a folder, not a file": lambda folder: folder,
    "is a device, not a file": lambda folder: Path("/dev/zero"),
    f"is longer than {FILE_LENGTH_MAX >> 20} MiB": long,
}


@pytest.mark.parametrize("said", NO_FILES)
def test_what_is_no_configuration_file_is_named(
    said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = NO_FILES[said](tmp_path)
    with pytest.raises(ConfigError) as raised:
        Config.load(path)
    assert str(raised.value) == f"{path}: {said}"
    assert main(["check-config", str(path)]) == 2
    assert main(["serve", "--config", str(path)]) == 2
    out, err = capsys.readouterr()
    assert f"{path}: {said}" in out and f"fastdicom serve: {path}: {said}" in err


def test_a_link_to_a_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("[node]\nport = 4242\n")
    (tmp_path / "link.toml").symlink_to("real.toml")
    assert Config.load(tmp_path / "link.toml").node.port == 4242


def test_a_file_of_users_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fifo: is a FIFO, not a file"):
        Passcodes.load(fifo(tmp_path))


def test_a_passcode_has_an_end() -> None:
    with pytest.raises(UsageError, match="/dev/zero: its first line is too long"):
        read_passcode(Path("/dev/zero"))


@pytest.mark.parametrize("key", ["certificate", "key", "authorities", "revoked"])
def test_a_fifo_in_place_of_a_tls_file_does_not_hold_up_the_node(
    key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path / "ca")
    pair = authority.issue("node")
    lists = authority.revocation_list()
    paths = {"certificate": pair.certificate, "key": pair.key, "revoked": lists}
    credentials = Credentials(TlsConfig(authorities=authority.certificate, **paths))
    path = getattr(credentials.config, key)
    path.unlink()
    os.mkfifo(path)
    credentials.look_after()
    credentials.look_after()  # it has settled
    assert f"tls.{key}: {path}: is a FIFO, not a file; the one that was loaded before stays" in caplog.text
