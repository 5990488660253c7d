"""`fastdicom send --transfer-syntax` to a peer: what arrives, and what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from fastdicom.cli.main import main
from fastdicom.dataset.part10 import read_file_meta
from fastdicom.transcoding.codecs import JPEG_LOSSLESS_SV1, JPEG_LS_LOSSLESS, RLE_LOSSLESS
from fastdicom.transcoding.objects import convert
from tests.support.image_objects import EXPLICIT_LE
from tests.support.rawserver import RawServer, Sink, only_syntaxes

CT = Path(str(get_testdata_file("CT_small.dcm")))


def send(
    capsys: pytest.CaptureFixture[str], sink: Sink, syntax: str, path: Path
) -> tuple[int, dict[str, object]]:
    """Exit status and report of one command."""
    with RawServer(sink.serve) as server:
        code = main(["send", "127.0.0.1", str(server.port), str(path), "--transfer-syntax", syntax, "--json"])
    report: dict[str, object] = json.loads(capsys.readouterr().out)
    return code, report


def data_set(path: Path) -> tuple[bytes, str]:
    """A file's Data Set and its transfer syntax."""
    data = path.read_bytes()
    meta = read_file_meta(data)
    return data[meta.dataset_offset :], meta.transfer_syntax_uid


@pytest.mark.parametrize("uid", [JPEG_LOSSLESS_SV1, RLE_LOSSLESS])
def test_everything_arrives_in_the_syntax_that_was_asked_for(
    capsys: pytest.CaptureFixture[str], uid: str
) -> None:
    sink = Sink()
    code, report = send(capsys, sink, uid, CT)
    (got,) = sink.received
    source, stored = data_set(CT)
    assert (code, report["sent"]) == (0, 1)
    assert got.transfer_syntax == uid and got.data == b"".join(convert(source, stored, uid))
    offered = [one for request in sink.associations for one in request.proposals]
    assert {syntax for one in offered for syntax in one.transfer_syntaxes} == {uid}


def test_a_compressed_file_is_sent_decoded(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source, stored = data_set(CT)
    coded = CT.read_bytes()[: -len(source)].replace(
        stored.encode() + b"\0" * (len(stored) % 2), b"1.2.840.10008.1.2.5\0"
    )
    (tmp_path / "rle.dcm").write_bytes(coded + b"".join(convert(source, stored, RLE_LOSSLESS)))
    sink = Sink()
    code, _ = send(capsys, sink, "ExplicitVRLittleEndian", tmp_path / "rle.dcm")
    assert code == 0 and sink.received[0].transfer_syntax == EXPLICIT_LE
    assert sink.received[0].data == b"".join(
        convert(b"".join(convert(source, stored, RLE_LOSSLESS)), RLE_LOSSLESS, EXPLICIT_LE)
    )


def test_a_peer_that_does_not_take_it_gets_nothing_and_the_report_says_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sink = Sink(only_syntaxes(EXPLICIT_LE))
    code, report = send(capsys, sink, JPEG_LS_LOSSLESS, CT)
    assert code == 1 and sink.received == []
    assert report["sent"] == 0 and "accepted no" in str(report["failed"])
