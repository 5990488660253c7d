"""The lines of the service's log: which association, no instance by its name, no forged lines."""

from __future__ import annotations

import io
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastdicom import log_context, logs
from fastdicom.config import LogConfig
from fastdicom.journal import Journal
from tests.unit.test_journal import decode_fields

UID = "1.2.826.0.1.3680043.10.1561.4.7"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    logger = logging.getLogger("fastdicom")
    before = logger.handlers[:], logger.propagate, logger.level
    yield
    logger.handlers[:], logger.propagate = before[0], before[1]
    logger.setLevel(before[2])


def connection(calling: str = "CT1", called: str = "GATEWAY") -> object:
    request = SimpleNamespace(calling_ae_title=calling, called_ae_title=called)
    association = SimpleNamespace(request=request if calling else None)
    return SimpleNamespace(number=7, address="10.0.0.7", association=association)


def said(config: LogConfig, about: object | None, *arguments: object, **more: object) -> str:
    stream = io.StringIO()
    logs.configure(config, stream=stream)
    log = logging.getLogger("fastdicom.services.store")
    if about is None:
        log.warning(*arguments, **more)  # type: ignore[arg-type]
    else:
        with log_context.association(about):  # type: ignore[arg-type]
            log.warning(*arguments, **more)  # type: ignore[arg-type]
    return stream.getvalue()


def test_a_line_carries_the_association_and_both_titles() -> None:
    line = said(LogConfig(), connection(), "something")
    assert line.endswith(" WARNING services.store: something [7 CT1>GATEWAY]\n")
    assert said(LogConfig(), connection(calling=""), "early").endswith("early [7]\n")
    assert said(LogConfig(), None, "alone").endswith("store: alone\n")


def test_instances_are_named_by_a_hash() -> None:
    line = said(LogConfig(), None, "%s of %s is twice here", UID, CT_IMAGE_STORAGE)
    assert f"#{logs.hashed(UID)} of {CT_IMAGE_STORAGE} is twice here" in line and UID not in line
    assert UID in said(LogConfig(patient_data=True), None, "%s", UID)


@pytest.mark.parametrize("uid", [UID, "2.25.329800735698586629295641978511506172918", f"{UID}.", f"<{UID}>"])
def test_every_kind_of_uid_is_found(uid: str) -> None:
    assert uid.strip(".<>") not in logs.without_uids(f"here {uid} and there")


@pytest.mark.parametrize(
    "text", ["10.0.0.255:104", "2.255.255.255", "took 1.2345678901234567 s", "fastdicom 0.1.0"]
)
def test_what_is_no_uid_stays(text: str) -> None:
    assert logs.without_uids(text) == text


def test_a_traceback_names_no_instance_either() -> None:
    try:
        raise KeyError(UID)
    except KeyError:
        line = said(LogConfig(), None, "failed", exc_info=True)
    assert "KeyError" in line and UID not in line


def test_a_peer_cannot_forge_a_line() -> None:
    line = said(LogConfig(), connection(calling="X]\n2024 ERROR"), "title %s", "a\nb")
    assert line.count("\n") == 1 and r"title a\x0ab" in line


def test_json_has_the_same_under_names() -> None:
    entry = json.loads(
        said(LogConfig(format="json"), connection(), "%s twice", UID, extra={"sop_instance_uid": UID})
    )
    assert entry["association"] == 7 and entry["calling_ae_title"] == "CT1" and entry["address"] == "10.0.0.7"
    assert entry["message"] == f"#{logs.hashed(UID)} twice" and entry["sop_instance_uid"] == logs.hashed(UID)


def test_the_journal_gets_fields(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "journal"))
        handler = logs.JournalHandler(Journal(str(tmp_path / "journal")))
        handler.setFormatter(logs.MessageFormatter())
        record = logging.LogRecord("fastdicom.x", logging.ERROR, "f.py", 3, "%s\nlost", (UID,), None, "act")
        record.sop_instance_uid = UID
        with log_context.association(connection()):  # type: ignore[arg-type]
            handler.emit(record)
        fields = decode_fields(sock.recv(65536))
        handler.close()
    assert fields["MESSAGE"] == rf"#{logs.hashed(UID)}\x0alost"
    assert (fields["PRIORITY"], fields["LOGGER"], fields["CODE_LINE"]) == ("3", "fastdicom.x", "3")
    assert fields["FASTDICOM_ASSOCIATION"] == "7" and fields["FASTDICOM_PEER"] == "10.0.0.7"
    assert (fields["FASTDICOM_CALLING_AE"], fields["FASTDICOM_CALLED_AE"]) == ("CT1", "GATEWAY")
    assert fields["FASTDICOM_SOP_INSTANCE_UID"] == logs.hashed(UID)


def test_a_journal_that_has_gone_leaves_the_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "journal"))
        handler = logs.JournalHandler(Journal(str(tmp_path / "journal")))
        handler.setFormatter(logs.MessageFormatter())
    handler.emit(logging.LogRecord("fastdicom.x", logging.ERROR, "f.py", 3, "important", (), None))
    handler.close()
    assert "important (the journal: " in capsys.readouterr().err


FORGED = "x\r\n2026-01-01 00:00:00,000 ERROR engine: forged\x1b[2J\x0b\x85\u2028y"


@pytest.mark.parametrize("kind", ["text", "json"])
def test_no_peer_forges_a_line_with_a_title_an_address_or_an_exception(kind: str) -> None:
    config = LogConfig(format=kind)  # type: ignore[arg-type]
    lines = said(config, connection(FORGED, FORGED), "%s at %s: %s", FORGED, FORGED, {"uid": FORGED})
    assert lines.count("\n") == 1 and "\x1b" not in lines and "\u2028" not in lines
    try:
        raise ValueError(FORGED)
    except ValueError:
        traced = said(config, None, "our fault", exc_info=True)
    head, *below = traced.splitlines()
    assert all(line.startswith("    ") for line in below)
    assert not any(sign in traced for sign in "\r\x1b\x0b\x85\u2028")
    assert ("forged" in head) == (kind == "json")


def test_standard_error_gets_whole_lines_without_a_lock(capfd: pytest.CaptureFixture[str]) -> None:
    handler = logs.LineHandler()
    handler.setFormatter(logs.TextFormatter())
    assert handler.lock is not None
    handler.lock.acquire()
    said = "association %d: \n%s", (7, UID)
    record = logging.LogRecord("fastdicom.net", logging.WARNING, "", 0, *said, None)
    handler.handle(record)
    line = capfd.readouterr().err
    assert line.endswith(f" WARNING net: association 7: \\x0a#{logs.hashed(UID)}\n")
    assert line.count("\n") == 1
    handler.lock.release()


def test_a_wrong_argument_costs_no_more_than_its_line(capfd: pytest.CaptureFixture[str]) -> None:
    handler = logs.LineHandler()
    handler.handle(logging.LogRecord("fastdicom.net", logging.WARNING, "", 0, "%d", ("a",), None))
    assert "Logging error" in capfd.readouterr().err


def test_a_filter_keeps_a_line_back(capfd: pytest.CaptureFixture[str]) -> None:
    handler = logs.LineHandler()
    handler.addFilter(lambda record: record.levelno > logging.WARNING)
    for level in (logging.WARNING, logging.ERROR):
        handler.handle(logging.LogRecord("fastdicom.net", level, "", 0, "said", (), None))
    assert capfd.readouterr().err == "said\n"
