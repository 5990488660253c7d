"""Path traversal by UID against our own C-GET client: the branch that others forgot (CVE-2026-50003)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.harness import fresh_uids
from tests.support.node import CHECKOUT, require_command_line
from tests.support.rawcommand import RESPONSE, Element, Field, Message, Value, request, response
from tests.support.rawdicom import CT_IMAGE_STORAGE
from tests.support.rawelements import instance
from tests.support.rawserver import RawServer, ServerConnection

EVIL = ["../../escaped", "..", "/{root}/escaped", "1.2\x00/../../escaped", "1.2.3/../../escaped"]


def hand_out(sop_instance: str) -> RawServer:
    """A C-GET SCP that answers any C-GET with one instance of this UID and ends the retrieve."""

    def send(connection: ServerConnection, get: Message) -> None:
        study, series, _ = fresh_uids()
        context = connection.context_for(CT_IMAGE_STORAGE)
        data = instance((study, series, sop_instance), CT_IMAGE_STORAGE, vrs=False)
        more: dict[int, Value] = {Element.AFFECTED_SOP_INSTANCE_UID: sop_instance}
        connection.send_command(context, request(Field.C_STORE, CT_IMAGE_STORAGE, 1, data=True, more=more))
        connection.send_data(context, data)
        assert connection.read_message().field == Field.C_STORE | RESPONSE
        counters: dict[int, Value] = {Element.COMPLETED: 1, Element.FAILED: 0, Element.WARNING: 0}
        connection.send_command(get.context_id, response(get, 0, more=counters))

    def serve(connection: ServerConnection) -> None:
        connection.read_request()
        connection.accept()
        while (message := connection.next_request()) is not None:
            if message.field == Field.C_GET:
                send(connection, message)

    return RawServer(serve)


@pytest.mark.parametrize("uid", EVIL)
def test_class_01_get_client_writes_only_into_its_folder(tmp_path: Path, uid: str) -> None:
    require_command_line()
    out = tmp_path / "a" / "b" / "out"
    out.mkdir(parents=True)
    name = uid.replace("{root}", str(tmp_path).strip("/"))
    with hand_out(name) as server:
        argv = [sys.executable, "-m", "fastdicom", "get", "127.0.0.1", str(server.port), str(out)]
        subprocess.run([*argv, "-k", "StudyInstanceUID=1.2.3"], cwd=CHECKOUT, timeout=60, check=False)
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert all(path.resolve().is_relative_to(out.resolve()) for path in written)
    assert not Path(str(tmp_path) + "/escaped").exists()
