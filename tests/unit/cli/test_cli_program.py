"""The program as a whole: help, exit statuses, one line for what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from fastdicom.cli.main import COMMANDS, main
from fastdicom.errors import (
    AssociationAborted,
    AssociationRejected,
    CodecError,
    ConnectionLost,
    PeerError,
    Refused,
    Unavailable,
    UsageError,
)
from tests.support.fake_api import FakeArchive, FakePeer


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert re.search(rf"examples?:\n  (\S*/)?fastdicom {command}\b", text)
    assert "--verbose" in text


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "serve"])
def test_every_command_that_prints_data_has_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "--json" in capsys.readouterr().out


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom fastdicom.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'pydicom', 'numpy', 'lmdb'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(re.search(rf"^    {command}\b", ended.stdout, re.MULTILINE) for command in COMMANDS)


def test_the_module_is_the_program() -> None:
    ended = subprocess.run([sys.executable, "-m", "fastdicom", "--version"], capture_output=True, text=True)
    assert ended.returncode == 0
    assert ended.stdout.startswith("fastdicom ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["echo"],
        ["echo", "host"],
        ["echo", "host", "0"],
        ["echo", "host", "port"],
        ["echo", "host", "70000"],
        ["echo", "host", "104", "--called", "SEVENTEEN_LETTERS"],
        ["echo", "host", "104", "--timeout", "soon"],
        ["send", "host", "104"],
        ["send", "host", "104", "x", "--associations", "0"],
        ["send", "host", "104", "x", "--transfer-syntax", "JPEGLSLosless"],
        ["find", "host", "104", "--level", "PLANET"],
        ["find", "host", "104", "-k", "PatientNam=X"],
        ["move", "host", "104", "-k", "StudyInstanceUID=1.2"],
        ["get", "host", "104", "out"],
        ["transcode", "a", "b"],
        ["delete", "--archive", "x"],
        ["verify"],
        ["status", "--archive", "x", "--config", "y"],
    ],
)
def test_wrong_arguments_end_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (ConnectionLost("connection refused by host:104"), 3),
        (AssociationRejected("rejected: called AE title not recognized", 1, 1, 7), 3),
        (AssociationAborted("aborted by the peer"), 3),
        (PeerError("PDU of unknown type 9"), 3),
        (TimeoutError("timed out"), 3),
        (UsageError("no such archive"), 2),
        (PermissionError(13, "Permission denied", "/store"), 2),
        (Refused(0xA801, "who is that"), 1),
        (Unavailable("disk full"), 1),
        (CodecError("truncated scan", 17), 1),
    ],
)
def test_the_exit_status_tells_what_kind_of_problem_it_was(
    problem: Exception, status: int, peer: FakePeer, capsys: pytest.CaptureFixture[str]
) -> None:
    peer.error = problem
    assert main(["echo", "host", "104"]) == status
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert output.err.startswith("fastdicom echo: ")


def test_an_error_names_status_and_file(peer: FakePeer, capsys: pytest.CaptureFixture[str]) -> None:
    peer.error = Refused(0xA801, "who is that")
    main(["echo", "host", "104"])
    peer.error = PermissionError(13, "Permission denied", "/store")
    main(["echo", "host", "104"])
    assert capsys.readouterr().err.splitlines() == [
        "fastdicom echo: A801H (move destination unknown): who is that",
        "fastdicom echo: /store: Permission denied",
    ]


def test_text_of_a_peer_does_not_drive_the_terminal(
    peer: FakePeer, capsys: pytest.CaptureFixture[str]
) -> None:
    peer.error = ConnectionLost("\x1b[2Jboo\r\n\x9b31m")
    main(["echo", "host", "104"])
    assert capsys.readouterr().err == "fastdicom echo: �[2Jboo���31m\n"


def test_an_interrupt_ends_as_shells_expect(
    archive: FakeArchive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(archive, "instances", interrupted)
    assert main(["find", "--archive", "x", "--paths"]) == 130


def test_a_reader_that_leaves_is_no_error() -> None:
    code = (
        "import sys, fastdicom\nfrom tests.support.fake_api import FakeArchive, entry\n"
        "archive = FakeArchive([entry(str(n)) for n in range(50000)])\n"
        "fastdicom.Archive = archive.open\n"
        "from fastdicom.cli.main import main\n"
        "sys.exit(main(['find', '--archive', 'x', '--paths']))"
    )
    ended = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -c "$0" | head -1; echo "${{PIPESTATUS[0]}}"', code],
        capture_output=True,
        text=True,
    )
    assert ended.stdout.splitlines()[-1] == "141"
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["find", "h", "1", "-k", "StudyInstanceUID=../x"], "'../x' is no UID"),
        (["find", "h", "1", "-k", "StudyInstanceUID=1.2\\x"], "'x' is no UID"),
        (["move", "h", "1", "--destination", "A\\B", "-k", "PatientID=1"], "must not contain"),
        (["echo", "h", "1", "--calling", "LONGER THAN SIXTEEN"], "at most 16 characters"),
        (["transcode", "a", "b", "--transfer-syntax", "Foo"], "'Foo' is no transfer syntax: neither a UID"),
        (["transcode", "a", "b", "--transfer-syntax", "JPEGLSLosless"], "nearest known is `JPEGLSLossless`"),
        (["find", "h", "1", "-k", "Foo=1"], "'Foo' is no attribute of PS3.6; none that is known is like it"),
    ],
)
def test_a_name_that_can_be_none_is_refused_before_anything_is_done(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
