"""Our command line against DCMTK's servers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interop.studies import NATIVE, Instance, by_uid, data_sets_in, make_study, store_raw
from tests.support import peers
from tests.support.cli import fastdicom
from tests.support.rawserver import RawServer, Sink, closed_port


@pytest.fixture
def study(tmp_path: Path) -> list[Instance]:
    """The files to send."""
    return make_study(tmp_path / "files", run=2)


def test_echo(tmp_path: Path) -> None:
    with peers.storescp(tmp_path / "scp") as scp:
        fastdicom("echo", "127.0.0.1", scp.port, "--called", scp.ae_title)
    fastdicom("echo", "127.0.0.1", closed_port(), expect=3)


@pytest.mark.parametrize("associations", [1, 3])
def test_send_to_storescp_arrives_byte_for_byte(
    tmp_path: Path, study: list[Instance], associations: int
) -> None:
    options = ["+B", "+xa", "--fork"]
    with peers.storescp(tmp_path / "scp", *options) as scp:
        called = ["--called", scp.ae_title, "--associations", str(associations)]
        fastdicom("send", "127.0.0.1", scp.port, study[0].path.parent, *called)
        assert data_sets_in(scp.folder / "received") == by_uid(study)


def test_send_names_every_object_that_the_peer_refused(tmp_path: Path, study: list[Instance]) -> None:
    opaque = [one for one in study if one.name in ("jpeg_ls", "jpeg_2000")]  # noise: cannot be transcoded
    with peers.storescp(tmp_path / "scp", "+xi") as scp:
        paths = [one.path for one in opaque]
        told = fastdicom("send", "127.0.0.1", scp.port, *paths, "--called", scp.ae_title, expect=1)
        assert all(one.path.name in told for one in opaque)
        assert data_sets_in(scp.folder / "received") == {}


def test_send_converts_native_syntaxes_for_a_peer_that_takes_implicit_only(
    tmp_path: Path, study: list[Instance]
) -> None:
    native = [one for one in study if one.name in (*NATIVE, "deflated", "report")]
    with peers.storescp(tmp_path / "scp", "+xi", "+B") as scp:
        fastdicom("send", "127.0.0.1", scp.port, *[one.path for one in native], "--called", scp.ae_title)
        assert set(data_sets_in(scp.folder / "received")) == set(by_uid(native))


def test_send_skips_and_names_what_is_no_dicom(tmp_path: Path, study: list[Instance]) -> None:
    (study[0].path.parent / "notes.txt").write_text("no DICOM")
    with peers.storescp(tmp_path / "scp", "+xa", "+B") as scp:
        told = fastdicom("send", "127.0.0.1", scp.port, study[0].path.parent, "--called", scp.ae_title)
        assert "notes.txt" in told


def test_find_at_dcmqrscp(tmp_path: Path, study: list[Instance]) -> None:
    native = [one for one in study if one.name in ("explicit_le", "report")]
    with peers.dcmqrscp(tmp_path / "scp") as scp:
        store_raw(scp.port, native, scp.ae_title)
        called = ["--called", scp.ae_title, "--json"]
        told = fastdicom("find", "127.0.0.1", scp.port, "-k", "PatientName=Muster*", *called)
        found = [json.loads(line) for line in told.splitlines()]
        assert [one["0020000D"]["Value"] for one in found] == [[study[0].study]]
        keys = ["--level", "SERIES", "-k", f"StudyInstanceUID={study[0].study}", "-k", "SeriesInstanceUID"]
        assert len(fastdicom("find", "127.0.0.1", scp.port, *keys, *called).splitlines()) == 2
        nobody = fastdicom("find", "127.0.0.1", scp.port, "-k", "PatientName=Nobody*", *called)
        assert nobody.strip() == ""


def test_move_from_dcmqrscp(tmp_path: Path, study: list[Instance]) -> None:
    native, sink = [one for one in study if one.name in ("explicit_le", "report")], Sink()
    with (
        RawServer(sink.serve) as server,
        peers.dcmqrscp(tmp_path / "scp", destinations=[("SINK", server.port)]) as scp,
    ):
        store_raw(scp.port, native, scp.ae_title)
        keys = ["-k", f"StudyInstanceUID={study[0].study}", "--called", scp.ae_title]
        fastdicom("move", "127.0.0.1", scp.port, "--destination", "SINK", *keys)
        assert set(sink.by_instance()) == set(by_uid(native))
        fastdicom("move", "127.0.0.1", scp.port, "--destination", "NOBODY", *keys, expect=1)


def test_get_from_dcmqrscp(tmp_path: Path, study: list[Instance]) -> None:
    native = [one for one in study if one.name in ("explicit_le", "report")]
    with peers.dcmqrscp(tmp_path / "scp") as scp:
        store_raw(scp.port, native, scp.ae_title)
        keys = ["-k", f"StudyInstanceUID={study[0].study}", "--called", scp.ae_title]
        fastdicom("get", "127.0.0.1", scp.port, tmp_path / "got", *keys)
        assert set(data_sets_in(tmp_path / "got")) == set(by_uid(native))
