"""The commands that speak to a peer: echo, send, find, move, get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastdicom.cli.main import main
from fastdicom.errors import ConnectionLost
from fastdicom.reports import RetrieveReport
from tests.support.fake_api import FakePeer, answer

HOST = ["10.0.0.5", "104"]


def test_echo_tells_the_time(peer: FakePeer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["echo", *HOST, "--called", "PACS", "--calling", "GATEWAY"]) == 0
    assert capsys.readouterr().out == "PACS at 10.0.0.5:104 answered in 2.5 ms\n"
    assert (peer.connections[0]["called"], peer.connections[0]["calling"]) == ("PACS", "GATEWAY")


def test_echo_as_json(peer: FakePeer, capsys: pytest.CaptureFixture[str]) -> None:
    main(["echo", *HOST, "--json"])
    assert json.loads(capsys.readouterr().out) == {
        "host": "10.0.0.5",
        "port": 104,
        "called": "ANY-SCP",
        "seconds": 0.0025,
    }


def test_the_timeout_holds_for_connecting_and_answers(peer: FakePeer) -> None:
    main(["echo", *HOST, "--timeout", "500 ms"])
    assert (peer.timing.connect_s, peer.timing.response_s) == (0.5, 0.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six files of different sizes, some in a folder below."""
    (tmp_path / "below").mkdir()
    for number, place in enumerate(["a", "b", "c", "below/d", "below/e", "below/f"], 1):
        (tmp_path / place).write_bytes(bytes(100 * number))
    return tmp_path


def test_send_takes_folders_with_all_below(
    peer: FakePeer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", *HOST, str(folder)]) == 0
    (_, call) = peer.calls[0]
    assert [path.name for path in call["paths"]] == ["a", "b", "c", "d", "e", "f"]
    assert call["transfer_syntaxes"] == ()
    assert capsys.readouterr().out == "sent 6 objects (2.1 KiB)\n"


def test_send_reports_each_object_that_failed(
    peer: FakePeer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peer.refused = {"b": (0xA700, "disk full"), "e": (0x0122, "")}
    assert main(["send", *HOST, str(folder)]) == 1
    output = capsys.readouterr()
    assert output.err.splitlines() == [
        f"failed {folder}/b: A700H (out of resources): disk full",
        f"failed {folder}/below/e: 0122H (SOP class not supported)",
    ]
    assert output.out == "sent 4 objects (1.4 KiB), 2 failed\n"


def test_send_of_an_empty_folder_is_a_mistake(
    peer: FakePeer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", *HOST, str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"there is no DICOM file in {tmp_path}\n"


def test_send_over_several_associations_divides_by_size(peer: FakePeer, folder: Path) -> None:
    main(["send", *HOST, str(folder), "--associations", "3"])
    assert len(peer.connections) == 3
    shares = [[path.name for path in call["paths"]] for _, call in peer.calls]
    assert sorted(name for share in shares for name in share) == ["a", "b", "c", "d", "e", "f"]
    sizes = [sum(path.stat().st_size for path in call["paths"]) for _, call in peer.calls]
    assert max(sizes) - min(sizes) <= 600


def test_send_opens_no_more_associations_than_there_are_files(peer: FakePeer, folder: Path) -> None:
    main(["send", *HOST, str(folder / "a"), "--associations", "8"])
    assert len(peer.connections) == 1


def test_send_without_any_association_ends_with_three(
    peer: FakePeer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peer.error = ConnectionLost("10.0.0.5:104 refused the connection")
    assert main(["send", *HOST, str(folder), "--associations", "2"]) == 3
    assert capsys.readouterr().err == "fastdicom send: 10.0.0.5:104 refused the connection\n"


def test_files_of_an_association_that_fails_are_reported(
    peer: FakePeer, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = peer.store

    def lose_one(paths: list[Path], **rest: Any) -> object:
        if paths[0].name == "b":
            raise ConnectionLost("the peer is gone")
        return store(paths, **rest)

    monkeypatch.setattr(peer, "store", lose_one)
    assert main(["send", *HOST, str(folder), "--associations", "2", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    lost = [Path(path).name for path, status, comment in report["failed"] if status is None]
    assert "b" in lost
    assert report["sent"] + len(lost) == 6


def test_a_bug_while_sending_is_not_swallowed(
    peer: FakePeer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(peer, "store", broken)
    with pytest.raises(ZeroDivisionError):
        main(["send", *HOST, str(folder)])


def test_send_in_a_transfer_syntax(peer: FakePeer, folder: Path) -> None:
    main(["send", *HOST, str(folder), "--transfer-syntax", "JPEGLSLossless"])
    assert peer.calls[0][1]["transfer_syntaxes"] == ("1.2.840.10008.1.2.4.80",)


def test_send_of_a_path_that_is_not_there_ends_with_two(
    peer: FakePeer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", *HOST, str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


def test_find_prints_a_table_of_the_usual_attributes(
    peer: FakePeer, capsys: pytest.CaptureFixture[str]
) -> None:
    peer.answers = [
        answer(
            PatientName="DOE^JOHN", PatientID="1", StudyInstanceUID="1.2.3", ModalitiesInStudy=["CT", "SR"]
        ),
        answer(
            PatientName="山田^太郎", PatientID="22", StudyInstanceUID="1.2.4", StudyDescription="A\nB\x1b"
        ),
    ]
    assert main(["find", *HOST, "-k", "PatientName=*"]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines() == [
        "StudyDate  PatientID  PatientName  AccessionNumber  Modalities  StudyDescription  Instances  "
        "StudyInstanceUID",
        "           1          DOE^JOHN                      CT\\SR                                    1.2.3",
        "           22         山田^太郎                                 A B�                         1.2.4",
    ]
    assert output.err == "2 matches\n"
    (_, query) = peer.calls[0]
    assert (query["level"], query["model"]) == ("STUDY", "STUDY")
    identifier = query["identifier"]
    assert identifier.PatientName == "*"
    assert identifier.QueryRetrieveLevel == "STUDY"
    assert identifier["NumberOfStudyRelatedInstances"].value is None


def test_keys_without_a_value_are_the_columns(peer: FakePeer, capsys: pytest.CaptureFixture[str]) -> None:
    peer.answers = [answer(PatientID="1", StudyDate="20240131")]
    main(["find", *HOST, "-k", "0010,0020=1", "-k", "StudyDate", "-k", "0009,1001"])
    assert capsys.readouterr().out.splitlines() == ["PatientID  StudyDate  0009,1001", "1          20240131"]
    assert set(peer.calls[0][1]["identifier"].dir()) >= {"PatientID", "QueryRetrieveLevel", "StudyDate"}


def test_no_match_is_no_error(peer: FakePeer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["find", *HOST, "-k", "PatientID=nobody"]) == 0
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "0 matches\n")


def test_find_as_json_is_one_dicom_json_object_a_line(
    peer: FakePeer, capsys: pytest.CaptureFixture[str]
) -> None:
    peer.answers = [answer(PatientID="1"), answer(PatientID="2")]
    main(["find", *HOST, "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"00100020": {"vr": "LO", "Value": [number]}} for number in ("1", "2")]


def test_levels_have_aliases_and_their_own_return_keys(peer: FakePeer) -> None:
    main(["find", *HOST, "--level", "instance", "-k", "SeriesInstanceUID=1.2"])
    (_, query) = peer.calls[0]
    assert query["level"] == query["identifier"].QueryRetrieveLevel == "IMAGE"
    assert "SOPInstanceUID" in query["identifier"]


def test_the_patient_root_asks_a_study_for_no_patient_attributes(peer: FakePeer) -> None:
    main(["find", *HOST, "--model", "patient", "-k", "PatientID=1"])
    (_, query) = peer.calls[0]
    assert query["model"] == "PATIENT"
    assert query["identifier"].PatientID == "1"
    assert "PatientName" not in query["identifier"]


def test_a_long_answer_is_streamed(peer: FakePeer, capsys: pytest.CaptureFixture[str]) -> None:
    peer.answers = [answer(PatientID=str(number)) for number in range(1000)]
    main(["find", *HOST, "-k", "PatientID"])
    assert capsys.readouterr().out.splitlines() == ["PatientID", *map(str, range(1000))]


@pytest.mark.parametrize(
    "arguments",
    [
        ["find"],
        ["find", "10.0.0.5"],
        ["find", *HOST, "--archive", "x"],
        ["find", *HOST, "--paths"],
        ["find", *HOST, "-k", "PatientID=1", "-k", "0010,0020=2"],
        ["find", *HOST, "-k", "Rows=many"],
        ["find", *HOST, "-k", "ProcedureCodeSequence=x"],
        ["move", *HOST, "--destination", "A", "-k", "StudyInstanceUID"],
    ],
)
def test_arguments_that_do_not_go_together_end_with_two(
    peer: FakePeer, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert peer.connections == []


def test_move_asks_and_tells(peer: FakePeer, capsys: pytest.CaptureFixture[str]) -> None:
    peer.retrieval = RetrieveReport(completed=11, warning=1)
    assert main(["move", *HOST, "--destination", "ARCHIVE", "-k", "StudyInstanceUID=1.2\\1.3"]) == 0
    (_, query) = peer.calls[0]
    assert (query["destination"], query["level"], query["model"]) == ("ARCHIVE", "STUDY", "STUDY")
    assert query["identifier"].StudyInstanceUID == ["1.2", "1.3"]
    assert capsys.readouterr().out == "moved 12, 1 with warnings\n"


def test_a_retrieve_with_failures_names_them(peer: FakePeer, capsys: pytest.CaptureFixture[str]) -> None:
    peer.retrieval = RetrieveReport(0xB000, 3, 2, 0, 0, ["1.2.3", "1.2.4"], "not accepted")
    assert main(["move", *HOST, "--destination", "ARCHIVE", "-k", "StudyInstanceUID=1.2"]) == 1
    output = capsys.readouterr()
    assert output.err.splitlines() == [
        "failed 1.2.3",
        "failed 1.2.4",
        "the peer answered B000H (sub-operations complete, one or more failures): not accepted",
    ]
    assert output.out == "moved 3, 2 failed\n"


def test_get_makes_its_folder(peer: FakePeer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peer.retrieval = RetrieveReport(completed=2)
    out = tmp_path / "new" / "folder"
    assert main(["get", *HOST, str(out), "-k", "StudyInstanceUID=1.2", "--json"]) == 0
    assert out.is_dir() and peer.calls[0][1]["out"] == out
    assert json.loads(capsys.readouterr().out)["completed"] == 2
