"""Content that something executes (21), defaults that let all in (22), media that lead outside (23)."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import fastdicom
from fastdicom import Archive, Config
from fastdicom.dataset.part10 import encode_file_meta
from tests.hostile.harness import Target, fresh_uids
from tests.support.node import CHECKOUT, fastdicom_node, listening_port
from tests.support.processes import spawn
from tests.support.rawcommand import Field
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    EXPLICIT_LE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
    RawAssociation,
)
from tests.support.rawelements import STUDY_INSTANCE_UID, explicit, identifier, instance
from tests.support.rawpdu import Proposal

FIELDS = {STUDY_ROOT_FIND: Field.C_FIND, STUDY_ROOT_GET: Field.C_GET}
PREAMBLES = {
    "PE": b"MZ\x90\0" + bytes(56) + struct.pack("<I", 64) + b"PE\0\0",
    "ELF": b"\x7fELF\x02\x01\x01",
    "JSON": b'{"Plugins": ["/tmp/evil.so"], "x": "',
    "shell": b"#!/bin/sh\ntouch escaped\n",
    "HTML": b"<script>alert(1)</script>",
}


def part10(preamble: bytes, data: bytes, uid: str, meta_more: bytes = b"") -> bytes:
    """A Part 10 file with a preamble of its own, and further elements of File Meta Information."""
    whole = encode_file_meta(CT_IMAGE_STORAGE, uid, EXPLICIT_LE)
    length = struct.unpack_from("<I", whole, 140)[0] + len(meta_more)
    head = preamble.ljust(128, b" ")[:128] + whole[128:140] + struct.pack("<I", length) + whole[144:]
    return head + meta_more + data


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive(tmp_path / "archive", create=True) as opened:
        yield opened


@pytest.mark.parametrize("kind", PREAMBLES)
def test_class_21_a_preamble_is_never_the_senders(archive: Archive, tmp_path: Path, kind: str) -> None:
    uids = fresh_uids()
    data = instance(uids, CT_IMAGE_STORAGE, [])
    private = explicit(0x00020100, "UI", "1.2.3") + explicit(0x00020102, "OB", b"\x7fELF evil")
    source = tmp_path / "source.dcm"
    source.write_bytes(part10(PREAMBLES[kind], data, uids[2], private))
    assert archive.import_paths([source]).imported == 1
    (entry,) = archive.instances(SOPInstanceUID=uids[2])
    archive.export(tmp_path / "out", SOPInstanceUID=uids[2])
    (exported,) = (tmp_path / "out").rglob("*.dcm")
    transcoded = fastdicom.transcode(source, "ImplicitVRLittleEndian")
    for kept in (archive.path_of(entry).read_bytes(), exported.read_bytes(), transcoded):
        assert kept[:132] == bytes(128) + b"DICM"
        assert PREAMBLES[kind][:4] not in kept[:400] and b"evil" not in kept


def test_class_21_a_data_set_that_begins_like_a_program_is_no_file_of_that_kind(tmp_path: Path) -> None:
    """What comes by C-STORE stands behind a preamble and File Meta Information that we make."""
    with fastdicom_node(tmp_path / "node") as node:
        target = Target(node, tmp_path, node.archive)
        uids = fresh_uids()
        data = instance(uids, CT_IMAGE_STORAGE, [explicit(0x7FE00010, "OW", b"MZ\x90\0" * 100)])
        with target.unharmed(stored=1):
            assert target.send_data_set(data, uids[2]).status == 0
        (kept,) = (path for path in target.stored_files() if path.suffix == ".dcm")
        assert kept.read_bytes()[:132] == bytes(128) + b"DICM"
        assert not kept.stat().st_mode & 0o111


# ------------------------------------------------------------------------------ 22


def test_class_22_the_defaults_let_nobody_in_from_outside() -> None:
    config = Config()
    assert config.node.bind == ("127.0.0.1",)
    assert config.access.unknown_peers == ("echo", "store")
    assert not config.archive.accept_unknown_sop_classes
    assert not config.log.patient_data


def listening_addresses(pid: int) -> set[str]:
    """Where a process listens on TCP, as /proc/net/tcp writes addresses."""
    sockets = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # the process closes descriptors while we look
            sockets.add(os.readlink(fd))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and f"socket:[{columns[9]}]" in sockets:
                found.add(columns[1].partition(":")[0])
    return found


def test_class_22_a_node_without_configuration_serves_this_machine_and_echo_and_store(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "fastdicom", "serve", "--archive", str(tmp_path / "archive"), "--port", "0"]
    process = spawn(argv, tmp_path, {"PYTHONPATH": str(CHECKOUT)})
    try:
        port = None
        while port is None and process.poll() is None:
            port = listening_port((tmp_path / "stdout.txt").read_text())
        assert port is not None
        assert listening_addresses(process.pid) == {"0100007F"}
        uids = fresh_uids()
        models = [STUDY_ROOT_FIND, STUDY_ROOT_MOVE, STUDY_ROOT_GET]
        proposals = [Proposal(1, VERIFICATION, ("1.2.840.10008.1.2",))]
        proposals += [Proposal(3 + 2 * at, one, ("1.2.840.10008.1.2",)) for at, one in enumerate(models)]
        proposals += [Proposal(9, CT_IMAGE_STORAGE, (EXPLICIT_LE,))]
        with RawAssociation.to(port, proposals, calling="STRANGER") as association:
            assert association.echo() == 0
            data = instance(uids, CT_IMAGE_STORAGE, [])
            assert association.store(CT_IMAGE_STORAGE, uids[2], data).status == 0
            for model in set(models) & {
                association.contexts[one].abstract_syntax for one in association.accepted
            }:
                asked = identifier("STUDY", {STUDY_INSTANCE_UID: uids[0]})
                if model == STUDY_ROOT_MOVE:
                    final = association.move(model, asked, "STRANGER")[-1]
                else:
                    association.query(FIELDS[model], model, asked)
                    final = list(association.responses())[-1]
                assert final.status == 0x0124, f"{model} for anybody: {final.status:04X}H"
            association.release()
    finally:
        process.terminate()
        process.wait(20)


# ------------------------------------------------------------------------------ 23


def directory_record(*file_id: str) -> bytes:
    """A DICOMDIR whose one record references a file by this path. PS3.3 F.3."""
    record = explicit(0x00041400, "UL", bytes(4)) + explicit(0x00041430, "CS", "IMAGE")
    record += explicit(0x00041500, "CS", "\\".join(file_id))
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(record)) + record
    data = explicit(0x00041220, "SQ", item)
    return encode_file_meta("1.2.840.10008.1.3.10", "1.2.3.4", EXPLICIT_LE) + data


@pytest.mark.parametrize(
    "file_id", [("..", "secret.dcm"), ("/etc/passwd",), ("", "etc", "passwd"), ("..\\..\\secret.dcm",)]
)
@pytest.mark.parametrize("command", ["import", "send", "transcode"])
def test_class_23_a_dicomdir_leads_nobody_out_of_its_folder(
    tmp_path: Path, file_id: tuple[str, ...], command: str
) -> None:
    secret_uids, inner_uids = fresh_uids(), fresh_uids()
    media = tmp_path / "media"
    media.mkdir()
    (tmp_path / "secret.dcm").write_bytes(_file(secret_uids))
    (media / "IMAGE1").write_bytes(_file(inner_uids))
    (media / "DICOMDIR").write_bytes(directory_record(*file_id))
    assert taken(command, media, tmp_path) == {inner_uids[2]}


@pytest.mark.parametrize("command", ["import", "send", "transcode"])
def test_class_23_links_and_pipes_in_a_folder_lead_nowhere_else(tmp_path: Path, command: str) -> None:
    secret_uids, inner_uids = fresh_uids(), fresh_uids()
    media, outside = tmp_path / "media", tmp_path / "outside"
    media.mkdir()
    outside.mkdir()
    (outside / "secret.dcm").write_bytes(_file(secret_uids))
    (media / "IMAGE1").write_bytes(_file(inner_uids))
    (media / "direct").symlink_to(outside / "secret.dcm")
    (media / "relative").symlink_to("../outside/secret.dcm")
    (media / "folder").symlink_to(outside)
    (media / "loop").symlink_to("loop")
    (media / "gone").symlink_to("nothing")
    os.mkfifo(media / "pipe")
    assert taken(command, media, tmp_path) == {inner_uids[2]}


def _file(uids: tuple[str, str, str]) -> bytes:
    return encode_file_meta(CT_IMAGE_STORAGE, uids[2], EXPLICIT_LE) + instance(uids, CT_IMAGE_STORAGE, [])


def taken(command: str, media: Path, root: Path) -> set[str]:
    """The SOP Instance UIDs that a command of ours takes from a folder."""
    if command == "transcode":
        _cli("transcode", media, root / "out", "--transfer-syntax", "ImplicitVRLittleEndian")
        return _uids_below(root / "out")
    if command == "import":
        report = json.loads(_cli("import", media, "--archive", root / "archive", "--json"))
        with Archive(root / "archive") as archive:
            assert report["imported"] == archive.counts().instances
            return {entry.sop_instance_uid for entry in archive.instances(level="PATIENT", model="PATIENT")}
    with fastdicom.Engine(Config(port=0, archive=root / "archive")) as node:
        _cli("send", "127.0.0.1", str(node.addresses[0][1]), media)
        return {entry.sop_instance_uid for entry in node.archive.index.entries()}


def _cli(*arguments: str | Path) -> str:
    argv = [sys.executable, "-m", "fastdicom", *(str(one) for one in arguments)]
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False).stdout


def _uids_below(folder: Path) -> set[str]:
    from pydicom import dcmread

    return {
        str(dcmread(path).SOPInstanceUID)
        for path in folder.rglob("*")
        if path.name != "DICOMDIR" and path.is_file()
    }
