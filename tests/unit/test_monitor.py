"""A whole node under observation: what it tells over HTTP, in its status file and to the auditor."""

from __future__ import annotations

import json
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest

import fastdicom
from fastdicom import Archive, Config, Engine, connect, status_file
from fastdicom.audit import codes
from fastdicom.cli import status_view
from fastdicom.dimse import messages as dimse
from fastdicom.keeper import ArchiveKeeper
from fastdicom.monitoring.exposition import METRICS
from fastdicom.net.requestor import ClientAssociation
from tests.support.audit_schema import EVENTS, check, detail, kind_of
from tests.support.syslog_receiver import Certificates, Receiver, parsed
from tests.support.waiting import wait_for
from tests.unit.test_engine import CT, EVERYTHING, EXPLICIT, instance_file

DOCUMENT = Path(__file__).parents[2] / "docs" / "monitoring.md"


def require_client_library() -> None:
    pytest.importorskip("prometheus_client", reason="prometheus-client is not installed")


@contextmanager
def node(folder: Path, **sections: Any) -> Iterator[Engine]:
    settings: dict[str, Any] = {"access": EVERYTHING, **sections}
    with Engine(Config(port=0, archive=folder / "archive", **settings)) as engine:
        yield engine


def page(engine: Engine, path: str) -> tuple[int, str]:
    assert engine.monitor.address is not None
    host, port = engine.monitor.address
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def sample(metrics: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", metrics, re.MULTILINE)
    assert found, name
    return float(found[1])


def audited(receiver: Receiver) -> dict[str, Any]:
    section = {"transport": receiver.transport, "host": "127.0.0.1", "port": receiver.port}
    if receiver.certificates is not None:
        section["authorities"] = receiver.certificates.certificate
    return {"audit": section}


def messages(receiver: Receiver, wanted: Callable[[list[tuple[str, str, str]]], bool]) -> list[Element]:
    """All messages so far, each checked, once `wanted` is true of their (EventID, action, outcome)."""

    def read() -> list[Element]:
        return [check(parsed(message)[1]) for message in list(receiver.messages)]

    wait_for(lambda: wanted([kind(one) for one in read()]))
    return read()


def kind(root: Element) -> tuple[str, str, str]:
    event = root[0]
    return event[0].attrib["csd-code"], event.attrib["EventActionCode"], event.attrib["EventOutcomeIndicator"]


# ---------------------------------------------------------------------------------------- metrics, health


def test_metrics_and_health_of_a_node_that_works(tmp_path: Path) -> None:
    require_client_library()
    peers = [{"ae_title": "FASTDICOM"}]
    with node(tmp_path, metrics={"enabled": True, "port": 0}, peers=peers) as engine:
        assert page(engine, "/healthz") == (200, "ok\n")
        with connect(*engine.addresses[0]) as peer:
            peer.echo()
            peer.store([instance_file(tmp_path, number) for number in range(3)])
            peer.store([instance_file(tmp_path, 1)])
        with connect(*engine.addresses[0], calling="STRANGER") as peer:
            list(peer.find(level="STUDY", StudyInstanceUID=""))
        status, metrics = page(engine, "/metrics")
        assert status == 200
        assert sample(metrics, 'fastdicom_images_total{fate="stored"}') == 3
        assert sample(metrics, 'fastdicom_images_total{fate="duplicate"}') == 1
        stores = 'fastdicom_operation_seconds_bucket{le="+Inf",peer="FASTDICOM",service="store"}'
        assert sample(metrics, stores) == 4
        finds = 'fastdicom_operations_total{outcome="success",peer="unknown",service="find"}'
        assert sample(metrics, finds) == 1
        assert "STRANGER" not in metrics
        assert sample(metrics, 'fastdicom_entities{level="instances"}') == 3
        assert sample(metrics, "fastdicom_commit_batch_size_sum") == 4
        assert sample(metrics, "fastdicom_sync_seconds_count") > 0


def test_every_metric_is_in_the_table_and_the_table_in_the_document(tmp_path: Path) -> None:
    require_client_library()
    with Receiver("udp") as receiver:
        settings = {"metrics": {"enabled": True, "port": 0}, **audited(receiver)}
        with node(tmp_path, **settings) as engine:
            engine.monitor.certificate_days = lambda: {"certificate": 29.5}
            metrics = page(engine, "/metrics")[1]
    exposed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", metrics, re.MULTILINE))
    assert exposed == {metric.name: metric.kind for metric in METRICS}
    rows = re.findall(
        r"^\| `(fastdicom_\w+)` \| (\w+) \| (.*?) \|", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )
    assert rows == [
        (metric.name, metric.kind, ", ".join(metric.labels) or "-") for metric in METRICS
    ]  # fmt: skip


def test_the_document_names_every_audit_event() -> None:
    named = re.findall(r"^\| ([A-Z][\w ]+) \| (1101\d\d) \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    events = {
        code.meaning: code.value
        for code in vars(codes).values()
        if isinstance(code, codes.Code) and code.value in EVENTS
    }
    assert dict(named) == events and set(events.values()) == set(EVENTS)


def test_a_full_disk_is_not_healthy(tmp_path: Path) -> None:
    require_client_library()
    with node(tmp_path, metrics={"enabled": True, "port": 0}) as engine:
        engine.archive.files.space.min_free = 1 << 60
        status, reasons = page(engine, "/healthz")
        assert status == 503 and "must stay free" in reasons
        assert sample(page(engine, "/metrics")[1], "fastdicom_healthy") == 0


def test_health_is_answered_before_during_and_after_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_client_library()
    seen: list[tuple[int, str]] = []
    engine = Engine(Config(port=0, archive=tmp_path, metrics={"enabled": True, "port": 0}))
    recover, withdraw = ArchiveKeeper.recover, status_file.withdraw

    def look_and_recover(*arguments: Any) -> Any:
        seen.extend(page(engine, path) for path in ("/healthz", "/metrics"))
        return recover(*arguments)

    def look_and_withdraw(*arguments: Any) -> None:
        seen.append(page(engine, "/healthz"))
        withdraw(*arguments)

    monkeypatch.setattr(ArchiveKeeper, "recover", look_and_recover)
    monkeypatch.setattr(status_file, "withdraw", look_and_withdraw)
    with engine:
        seen.append(page(engine, "/healthz"))
    recovering, stopping = (503, "the node is recovering\n"), (503, "the node is stopping\n")
    assert seen == [recovering, recovering, (200, "ok\n"), stopping]


def test_another_receiver_or_port_needs_a_restart_and_new_peers_do_not(tmp_path: Path) -> None:
    with node(tmp_path) as engine:
        audit = {"transport": "file", "file": str(tmp_path / "a.log")}
        changed = engine.config.with_changes(audit=audit, metrics={"port": 1})
        assert set(engine.reload(changed)) == {"audit.transport", "audit.file", "metrics.port"}
        engine.reload(Config.from_dict({"peers": [{"ae_title": "CT1"}], "access": EVERYTHING}))
        assert engine.monitor.figures.label("CT1") == "CT1"


def test_metrics_in_the_open_metrics_format(tmp_path: Path) -> None:
    require_client_library()
    with node(tmp_path, metrics={"enabled": True, "port": 0}) as engine:
        assert engine.monitor.address is not None
        host, port = engine.monitor.address
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        request = urllib.request.Request(f"http://{host}:{port}/metrics", headers=accept)
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            assert answer.read().endswith(b"# EOF\n")


def test_neither_port_nor_library_without_metrics(tmp_path: Path) -> None:
    with node(tmp_path) as engine:
        assert engine.monitor.address is None
    code = "import sys; from fastdicom.engine import Engine; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


# ---------------------------------------------------------------------------------------- audit


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_what_happens_on_the_wire_is_audited(tmp_path: Path, transport: str) -> None:
    certificates = Certificates(tmp_path) if transport == "tls" else None
    with Receiver(transport, certificates) as receiver:
        with node(tmp_path / "there", ae_title="THERE") as there:
            host, port = there.addresses[0]
            peers = [{"ae_title": "THERE", "host": host, "port": port}]
            with node(tmp_path, ae_title="HERE", peers=peers, **audited(receiver)) as engine:
                with connect(*engine.addresses[0], calling="CT1") as peer:
                    peer.store([instance_file(tmp_path, number) for number in range(2)])
                    peer.store([instance_file(tmp_path, 0)])
                    (study,) = peer.find(level="STUDY", StudyInstanceUID="")
                    uid = study.StudyInstanceUID
                    assert peer.move(destination="THERE", StudyInstanceUID=uid).completed == 2
                    assert peer.get(tmp_path / "got", StudyInstanceUID=uid).completed == 2
                engine.delete(StudyInstanceUID=uid)
        found = messages(receiver, lambda kinds: ("110100", "E", "0") in kinds[1:])
    kinds = [kind(one) for one in found]
    assert kinds.count(("110104", "C", "0")) == 1  # two new ones
    assert kinds.count(("110104", "R", "0")) == 3  # one that was there; one for C-MOVE and one for C-GET
    assert kinds.count(("110102", "E", "0")) == 2  # both began
    assert kinds.count(("110112", "E", "0")) == 3  # C-FIND, C-MOVE, C-GET
    assert kinds.count(("110105", "D", "0")) == 1
    assert kinds[0] == ("110100", "E", "0") and kinds[-1] == ("110100", "E", "0")
    deletion = found[kinds.index(("110105", "D", "0"))]
    patient = next(
        one for one in deletion.findall("ParticipantObjectIdentification") if kind_of(one) == "patient"
    )
    assert patient.findtext("ParticipantObjectName") == "Muster^Müller"


def alert_texts(found: list[Element]) -> list[tuple[str, str]]:
    return [
        (one[0][1].attrib["csd-code"], detail(subject, "Alert Description").decode())
        for one in found
        for subject in one.findall("ParticipantObjectIdentification")
        if kind_of(subject) == "alert"
    ]


def test_who_is_turned_away_or_misbehaves_is_an_alert(tmp_path: Path) -> None:
    with Receiver("udp") as receiver:
        settings: dict[str, Any] = {
            "peers": [{"ae_title": "ECHOER", "allow": ["echo"]}],
            "access": {"unknown_peers": []},
            "limits": {"association_request_length_max": "4 KiB"},
        }
        with node(tmp_path, **settings, **audited(receiver)) as engine:
            with pytest.raises(fastdicom.AssociationRejected), connect(*engine.addresses[0], calling="EVIL"):
                pass
            with connect(*engine.addresses[0], calling="ECHOER") as peer:
                assert peer.store([instance_file(tmp_path, 1)]).failed
            for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00" + struct.pack(">I", 1 << 31)):
                with socket.create_connection(engine.addresses[0]) as sock:
                    sock.sendall(nonsense)
                    sock.recv(100)
            found = messages(receiver, lambda kinds: kinds.count(("110113", "E", "4")) == 4)
            figures = engine.status()
    texts = alert_texts(found)
    assert [code for code, _ in texts[:2]] == ["110126", "110132"]
    assert {code for code, _ in texts[2:]} == {"protocol-violation"}
    assert "calling AE title not recognized" in texts[0][1]
    assert figures["alerts"] == {
        "unknown-node": 1, "restricted-function": 1, "protocol-violation": 2,
    }  # fmt: skip
    assert [one["peer"] for one in figures["incidents"]["images"]] == ["ECHOER"]


def test_an_interrupted_store_is_told_as_not_acknowledged(tmp_path: Path) -> None:
    with Receiver("udp") as receiver, node(tmp_path, **audited(receiver)) as engine:
        host, port = engine.addresses[0]
        proposals = [(CT, (EXPLICIT,))]
        sender = ClientAssociation.open(host, port, called="NODE", calling="CT1", proposals=proposals)
        command = dimse.encode(dimse.CStoreRequest(9, CT, "1.2.3.4"))
        sender.send_framed([sender.framed(1, command, None)])
        sender.transport.close()
        messages(receiver, lambda kinds: ("110104", "C", "8") in kinds)
        figures = engine.status()
        assert figures["images"]["interrupted"] == 1
        assert "must be sent again" in figures["incidents"]["images"][0]["reason"]


def test_names_from_peers_never_break_a_message(tmp_path: Path) -> None:
    from pydicom import dcmread

    path = instance_file(tmp_path, 1)
    dataset = dcmread(path)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = 'Evil^<b>&"\x1b[2J\r\nforged'
    dataset.PatientID = "%s%n]]>"
    dataset.save_as(path)
    with Receiver("udp") as receiver, node(tmp_path, **audited(receiver)) as engine:
        with connect(*engine.addresses[0], calling="<A>&\"'%s") as peer:
            assert peer.store([path]).sent == 1
        found = messages(receiver, lambda kinds: ("110104", "C", "0") in kinds)
    assert all(b"\n" not in message and b"\x1b" not in message for message in receiver.messages)
    transfer = next(one for one in found if kind(one)[0] == "110104")
    assert transfer.findall("ActiveParticipant")[0].get("UserID") == "<A>&\"'%s"
    objects = transfer.findall("ParticipantObjectIdentification")
    assert objects[-1].get("ParticipantObjectID") == "%s%n]]>"


def test_the_command_line_deletes_under_the_eyes_of_the_auditor(tmp_path: Path) -> None:
    with Receiver("udp") as receiver, node(tmp_path, **audited(receiver)) as engine:
        with connect(*engine.addresses[0]) as peer:
            peer.store([instance_file(tmp_path, number) for number in range(2)])
        command = ["delete", "--yes", "--archive", str(tmp_path / "archive"), "-k", "PatientID=P00007000000"]
        subprocess.run([sys.executable, "-m", "fastdicom", *command], check=True)
        found = messages(receiver, lambda kinds: ("110105", "D", "0") in kinds)
    deletion = next(one for one in found if kind(one)[0] == "110105")
    assert (deletion.findall("ActiveParticipant")[0].get("UserID") or "").endswith("__main__.py")
    assert [one.get("NumberOfInstances") for one in deletion.findall(".//SOPClass")] == ["2"]


def test_what_is_deleted_while_the_node_is_stopped_is_told_at_its_next_start(tmp_path: Path) -> None:
    with Receiver("udp") as receiver:
        with node(tmp_path, **audited(receiver)) as engine, connect(*engine.addresses[0]) as peer:
            peer.store([instance_file(tmp_path, 1)])
        with Archive(tmp_path / "archive") as archive:
            assert archive.export(tmp_path / "out").exported == 1
            assert archive.delete(PatientID="P*").instances == 1
        assert not any(kind(check(parsed(one)[1]))[0] == "110105" for one in receiver.messages)
        with node(tmp_path, **audited(receiver)):
            wanted = {("110103", "R", "0"), ("110105", "D", "0")}
            messages(receiver, lambda kinds: wanted <= set(kinds))


def test_an_archive_without_an_audit_trail_gets_none(tmp_path: Path) -> None:
    with Receiver("udp") as receiver:
        with node(tmp_path, **audited(receiver)):
            assert (tmp_path / "archive" / "audit" / "source.json").exists()
        with node(tmp_path) as engine, connect(*engine.addresses[0]) as peer:
            peer.store([instance_file(tmp_path, 1)])
            with Archive(tmp_path / "archive") as archive:
                archive.delete(PatientID="P*")
        assert list((tmp_path / "archive" / "audit").iterdir()) == []


def test_a_receiver_that_is_away_costs_a_store_nothing(tmp_path: Path) -> None:
    settings = {"audit": {"transport": "tcp", "host": "127.0.0.1", "port": 1}}
    with node(tmp_path, **settings) as engine:
        with connect(*engine.addresses[0]) as peer:
            started = time.monotonic()
            peer.store([instance_file(tmp_path, number) for number in range(5)])
            assert time.monotonic() - started < 3
        wait_for(lambda: engine.status()["audit"]["spool_bytes"] > 0)
        assert engine.status()["audit"]["dropped"] == 0


def test_what_housekeeping_finds_and_deletes_is_told(tmp_path: Path) -> None:
    with Receiver("udp") as receiver, node(tmp_path, **audited(receiver)) as engine:
        with connect(*engine.addresses[0]) as peer:
            peer.store([instance_file(tmp_path, 1)])
        with Archive(tmp_path / "archive") as archive:
            entries = list(archive.instances(PatientID="P*"))
        patient = engine.archive.patient_of(entries[0].sop_instance_uid)
        engine.monitor.damaged(entries[0], "has 5 bytes, not 6")
        engine.monitor.removed(patient, entries, True, "older than 30 d")
        found = messages(receiver, lambda kinds: {("110113", "E", "4"), ("110105", "D", "0")} <= set(kinds))
        figures = engine.status()
    assert [text for _, text in alert_texts(found)] == [f"{entries[0].file.path} has 5 bytes, not 6"]
    deletion = next(one for one in found if kind(one)[0] == "110105")
    assert deletion.findall("ActiveParticipant")[0].get("UserID") == "retention: older than 30 d"
    assert [one["what"] for one in figures["incidents"]["images"]] == ["damaged object"]


# ---------------------------------------------------------------------------------------- status


def test_the_status_file_says_what_became_of_images(tmp_path: Path) -> None:
    with node(tmp_path) as engine:
        with connect(*engine.addresses[0]) as peer:
            peer.store([instance_file(tmp_path, number) for number in range(3)])
        archive = tmp_path / "archive"
        wait_for(lambda: status_file.read(archive).figures.get("images", {}).get("stored") == 3)
        figures = status_file.read(archive).figures
        assert figures["operations"]["store"]["count"] == 3
        assert figures["health"] == {"reasons": []}
        assert 1 <= figures["flushes"]["batches"] <= 3
        assert figures["totals"]["bytes_received"] > 3 * 2048


def test_failures_are_still_known_after_a_restart(tmp_path: Path) -> None:
    with node(tmp_path) as engine:
        engine.archive.files.space.min_free = 1 << 60
        with connect(*engine.addresses[0], calling="CT1") as peer:
            assert peer.store([instance_file(tmp_path, 1)]).failed
    lines = status(tmp_path / "archive")
    assert "node not running" in lines
    assert any("CT1 at 127.0.0.1: C-STORE refused: A700H" in line for line in lines)
    with node(tmp_path) as engine:
        (incident,) = engine.status()["incidents"]["images"]
        assert incident["peer"] == "CT1" and "must be free" in incident["reason"]


def status(archive: Path, *more: str) -> list[str]:
    command = [sys.executable, "-m", "fastdicom", "status", "--archive", str(archive), *more]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_what_will_soon_keep_the_node_from_working_stands_at_the_top() -> None:
    old = {"process": 4711, "seconds": 3600, "transactions": 12}
    figures = {
        "pid": 1,
        "health": {"reasons": []},
        "tls": {"warnings": ["our certificate expires in 20 days: node.crt"]},
        "index": {"old_readers": [old]},
    }
    shown = list(status_view.lines(status_file.NodeStatus("running", 0.0, figures)))
    assert shown[1:4] == [
        "healthy",
        "WARNING: our certificate expires in 20 days: node.crt",
        "WARNING: process 4711 has read the index for 3,600 s without a pause: it grows meanwhile",
    ]


def test_a_silent_node_is_not_called_healthy_for_what_it_said_once() -> None:
    silent = status_file.NodeStatus("silent", 42.0, {"pid": 1, "health": {"reasons": []}})
    shown = list(status_view.lines(silent))
    assert shown[0].endswith("said nothing for 42 s") and shown[1].startswith("NOT HEALTHY: ")
    assert "healthy" not in shown


def test_a_person_sees_whether_an_image_was_lost(tmp_path: Path) -> None:
    with node(tmp_path) as engine:
        with connect(*engine.addresses[0]) as peer:
            peer.store([instance_file(tmp_path, 1)])
        wait_for(lambda: status_file.read(tmp_path / "archive").figures["images"]["stored"] == 1)
        lines = status(tmp_path / "archive")
    assert "healthy" in lines and "no image has failed" in lines
    assert any(re.fullmatch(r"  stored, and acknowledged +1", line) for line in lines)
    assert any(re.match(r"  store +1 +0 +1 +[\d.]+ ms +[\d.]+ ms", line) for line in lines)


def test_watching_shows_it_again_until_interrupted(tmp_path: Path) -> None:
    with node(tmp_path):
        command = [sys.executable, "-m", "fastdicom", "status", "--archive", str(tmp_path / "archive")]
        heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it
        with subprocess.Popen(
            [*command, "--watch", "50 ms", "--json"], stdout=subprocess.PIPE, preexec_fn=heard
        ) as watching:
            assert watching.stdout is not None
            first, second = (json.loads(watching.stdout.readline()) for _ in range(2))
            watching.send_signal(2)
            assert watching.wait(60) == 0
    assert first["node"]["state"] == second["node"]["state"] == "running"


def test_a_full_disk_at_the_end_still_closes_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with node(tmp_path):
        monkeypatch.setattr(status_file, "withdraw", full)
    assert "No space left" in caplog.text
    with node(tmp_path) as again:  # the lock and the index are free
        assert again.status()["counts"]["instances"] == 0
