"""The file of users: nothing in it gives a passcode back, and it is replaced in one step."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastdicom.cli.main import main
from fastdicom.errors import UsageError
from fastdicom.passcodes import Passcodes, remove_user, set_passcode, users_of


def test_a_passcode_is_kept_as_a_salted_hash(tmp_path: Path) -> None:
    path = tmp_path / "passcodes"
    set_passcode(path, "one", "secret")
    set_passcode(path, "two", "secret")
    lines = path.read_text().splitlines()
    assert "secret" not in path.read_text()
    assert lines[0].split(":")[3:] != lines[1].split(":")[3:]  # the same passcode, another salt
    assert path.stat().st_mode & 0o777 == 0o600
    found = Passcodes.load(path)
    assert found.matches("one", b"secret") and not found.matches("one", b"Secret")
    assert not found.matches("nobody", b"secret") and not found.names_only("one")


def test_users_are_changed_and_removed_and_comments_stay(tmp_path: Path) -> None:
    path = tmp_path / "passcodes"
    path.write_text("# scanners: second floor\n")
    set_passcode(path, "one", "first")
    set_passcode(path, "one", "second")
    set_passcode(path, "two", None)
    assert users_of(path) == [("one", True), ("two", False)]
    assert Passcodes.load(path).matches("one", b"second")
    remove_user(path, "two")
    assert path.read_text().startswith("# scanners: second floor\n") and users_of(path) == [("one", True)]
    with pytest.raises(UsageError, match="no user 'two'"):
        remove_user(path, "two")


@pytest.mark.parametrize(
    "line",
    [
        "one",
        "one:plain:secret",
        "one:scrypt:3:AAAA:AAAA",
        "one:scrypt:16384:AAAA:AAAA",
        "one:scrypt:x:A:A",
        ":",
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "passcodes"
    path.write_text(f"# users\n{line}\n")
    with pytest.raises(UsageError, match="passcodes:2: "):
        Passcodes.load(path)


@pytest.mark.parametrize(("name", "passcode"), [("a:b", "x"), ("", "x"), ("x" * 65, "x"), ("one", "")])
def test_what_cannot_be_kept_is_refused(tmp_path: Path, name: str, passcode: str) -> None:
    with pytest.raises(UsageError):
        set_passcode(tmp_path / "passcodes", name, passcode)
    assert not (tmp_path / "passcodes").exists()


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, secret = tmp_path / "passcodes", tmp_path / "secret"
    secret.write_text("by file\n")
    assert main(["user", str(path), "one", "--passcode-file", str(secret)]) == 0
    monkeypatch.setenv("FASTDICOM_PASSCODE", "by environment")
    assert main(["user", str(path), "two"]) == 0
    assert main(["user", str(path), "three", "--no-passcode"]) == 0
    found = Passcodes.load(path)
    assert found.matches("one", b"by file") and found.matches("two", b"by environment")
    assert found.names_only("three")
    assert main(["user", str(path), "three", "--remove"]) == 0
    assert main(["user", str(path), "three", "--remove"]) == 2
    assert main(["user", str(path), "--remove"]) == 2
    capsys.readouterr()
    assert main(["user", str(path)]) == 0
    assert capsys.readouterr().out == "one\ntwo\n"


@pytest.mark.parametrize("content", [b'[node]\nae_title = "GATEWAY"\n', b"\xff\xfe\x00"])
def test_a_file_of_another_kind_is_refused_and_left_alone(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(content)
    for arguments in ([], ["bob", "--no-passcode"], ["bob", "--remove"]):
        assert main(["user", str(path), *arguments]) == 2
        assert "gateway.toml" in capsys.readouterr().err
    assert path.read_bytes() == content
