"""The whole command line against a running node: what a person with a shell can do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import FileMetaDataset

from tests.support.datasets import header, numbered_uids
from tests.support.node import Node, fastdicom_node, peer_table

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
INSTANCES = 6


class Shell:
    """Runs our commands."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.status = 0
        self.errors = ""

    def __call__(self, command: str, *arguments: str | Path) -> str:
        """The standard output of a command that speaks to the node."""
        return self.run(command, "127.0.0.1", str(self.node.port), *arguments)

    def local(self, command: str, *arguments: str | Path) -> str:
        """The standard output of a command that works on the node's archive."""
        return self.run(command, *arguments, "--archive", self.node.archive)

    def run(self, *arguments: str | Path) -> str:
        """The standard output of any command; `status` and `errors` are kept."""
        ended = subprocess.run(self.node.cli(*arguments), capture_output=True, text=True, timeout=60)
        self.status, self.errors = ended.returncode, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two studies with three instances each, and a file that is no DICOM."""
    folder = tmp_path_factory.mktemp("files")
    for number in range(INSTANCES):
        uids = numbered_uids(7, number, study=number // 3)
        dataset = header(CT, uids)
        dataset.PatientName = "Müller^Jörg"
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = EXPLICIT_LE
        dataset.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    (folder / "readme.txt").write_text("no DICOM")
    return folder


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with fastdicom_node(tmp_path / "node", peers=[peer_table("NOWHERE", 9)]) as node:
        yield Shell(node)


def studies(shell: Shell) -> list[dict[str, dict[str, list[object]]]]:
    """What the node answers at STUDY level, as DICOM JSON."""
    return [json.loads(line) for line in shell("find", "--json").splitlines()]


def test_echo(shell: Shell) -> None:
    assert "answered in" in shell("echo")
    assert shell.status == 0


def test_send_find_get(shell: Shell, files: Path, tmp_path: Path) -> None:
    assert shell("send", files, "--associations", "2").startswith(f"sent {INSTANCES} objects (")
    assert shell.status == 0
    assert f"skipped {files}/readme.txt: " in shell.errors

    answers = studies(shell)
    assert [answer["00201208"]["Value"] for answer in answers] == [[3], [3]]
    assert answers[0]["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]
    uid = str(answers[0]["0020000D"]["Value"][0])
    assert "Müller^Jörg" in shell("find", "-k", "PatientName=MULLER*", "-k", f"StudyInstanceUID={uid}")

    out = tmp_path / "out"
    assert shell("get", out, "-k", f"StudyInstanceUID={uid}") == "fetched 3\n"
    fetched = {dcmread(path).SOPInstanceUID for path in out.iterdir()}
    assert fetched <= {dcmread(path).SOPInstanceUID for path in files.glob("*.dcm")}
    assert len(fetched) == 3


def test_move(tmp_path: Path, files: Path) -> None:
    with (
        fastdicom_node(tmp_path / "second") as second,
        fastdicom_node(tmp_path / "first", peers=[peer_table("SECOND", second.port)]) as first,
    ):
        shell = Shell(first)
        shell("send", files)
        uid = str(studies(shell)[0]["0020000D"]["Value"][0])
        assert shell("move", "--destination", "SECOND", "-k", f"StudyInstanceUID={uid}") == "moved 3\n"
        assert shell.status == 0
        assert len(studies(Shell(second))) == 1


def test_a_move_that_fails_says_why(shell: Shell, files: Path) -> None:
    shell("send", files)
    uid = str(studies(shell)[0]["0020000D"]["Value"][0])
    shell("move", "--destination", "NOBODY", "-k", f"StudyInstanceUID={uid}")
    assert (shell.status, "A801H" in shell.errors) == (1, True)
    shell("move", "--destination", "NOWHERE", "-k", f"StudyInstanceUID={uid}")
    assert (shell.status, "A702H" in shell.errors, shell.errors.count("failed ")) == (1, True, 3)


def test_the_archive_while_the_node_runs(shell: Shell, files: Path, tmp_path: Path) -> None:
    assert shell.local("import", files).startswith(f"imported {INSTANCES} instances (")
    assert len(studies(shell)) == 2
    paths = shell.local("find", "--paths", "-k", "PatientName=Müller*").splitlines()
    assert len(paths) == INSTANCES and all(Path(path).is_file() for path in paths)

    uid = str(studies(shell)[0]["0020000D"]["Value"][0])
    assert shell.local("export", tmp_path / "out", "-k", f"StudyInstanceUID={uid}").startswith("exported 3 ")
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 3

    shell.local("delete", "-k", f"StudyInstanceUID={uid}", "--dry-run")
    assert len(studies(shell)) == 2
    assert shell.local("delete", "-k", f"StudyInstanceUID={uid}").startswith("deleted 3 instances of 1 study")
    assert len(studies(shell)) == 1
    assert "0 damaged, 0 missing, 0 not indexed" in shell.local("verify")
    assert shell.status == 0


def test_status_with_and_without_the_node(shell: Shell, files: Path) -> None:
    shell("send", files)
    told = json.loads(shell.local("status", "--json"))
    assert told["counts"]["instances"] == INSTANCES
    assert (told["node"]["state"], told["node"]["pid"]) == ("running", shell.node.pid)
    shell.node.stop()
    told = json.loads(shell.local("status", "--json"))
    assert (told["counts"]["instances"], told["node"]["state"]) == (INSTANCES, "not running")


def test_rebuild_waits_for_no_node_and_then_finds_all(shell: Shell, files: Path) -> None:
    shell("send", files)
    shell.local("rebuild")
    assert (shell.status, "stop the node first" in shell.errors) == (2, True)
    shell.node.stop()
    assert shell.local("rebuild").startswith(f"indexed {INSTANCES} instances (")
    assert len(shell.local("find", "--paths").splitlines()) == INSTANCES


def test_verify_finds_a_damaged_file(shell: Shell, files: Path) -> None:
    shell("send", files)
    path = Path(shell.local("find", "--paths").splitlines()[0])
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert f"damaged {path}: " in shell.local("verify")
    assert shell.status == 1


def test_no_node_is_no_association(shell: Shell) -> None:
    shell.node.stop()
    shell("echo")
    assert (shell.status, shell.errors.count("\n")) == (3, 1)
