"""What the service needs around it: a second port for TLS, folders outside its own to write to."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.datasets import CT_IMAGE_STORAGE, EXPLICIT_LE, numbered_uids, synthetic
from tests.support.part10 import join
from tests.systemd.node import BASE_CONFIG, LOGS, PORT, UNITS, Node

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(1200)]

TLS_PORT = 2762
TLS = f"""
[tls]
port = {TLS_PORT}
certificate = "node.crt"
key = "node.key"
authorities = "ca.crt"
"""
AUDIT = '[audit]\ntransport = "file"\nfile = "{}/audit.log"\n'
STUDY_BYTES = 300_000
KEPT_BYTES = 1_000_000
STORED, DELETED, STARTED, STOPPED = "110104", "110105", "110120", "110121"  # PS3.16 CID 400, 401


def test_a_restart_under_load_refuses_no_connection_on_either_port(node: Node, tmp_path: Path) -> None:
    """systemd holds the plain and the TLS port; eight senders, half of them over TLS."""
    authority = Authority(tmp_path / "ca")
    ours, theirs = authority.issue("node"), authority.issue("sender")
    files = {"node.crt": ours.certificate, "node.key": ours.key, "ca.crt": authority.certificate}
    for name, source in files.items():
        node.place(source, f"/etc/fastdicom/{name}")
    with node.installed_with(BASE_CONFIG + TLS):
        node.start()
        held = node.container.show("Listen", "fastdicom.socket").split("\n")
        assert held == [f"0.0.0.0:{PORT} (Stream)", f"0.0.0.0:{TLS_PORT} (Stream)"]
        pids = {node.main_pid}
        with ExitStack() as stack:
            plain = stack.enter_context(node.under_load(tmp_path, senders=4))
            secure = stack.enter_context(
                node.under_load(tmp_path, senders=4, port=TLS_PORT, tls=(authority.certificate, theirs))
            )
            for _ in range(3):
                time.sleep(2)
                node.container.run("systemctl", "restart", "fastdicom")
                pids.add(node.main_pid)
            time.sleep(2)
        stored = node.stored()
    assert len(pids) == 4
    for traffic in (plain, secure):
        assert traffic.seen["refused"] == 0 and traffic.seen["given_up"] == [], traffic.seen
        assert traffic.seen["retries"] == 0, traffic.seen
        assert len(traffic.acknowledged) > 100 and traffic.acknowledged <= stored
    print(f"3 restarts: {plain.seen['acknowledged']} stored plain, {secure.seen['acknowledged']} over TLS")


@pytest.mark.parametrize(
    ("archive", "trail", "to_make"),
    [
        ("/var/lib/fastdicom/small", LOGS, []),
        ("/srv/images", "/srv/audit", ["/srv/images", "/srv/audit"]),
    ],
    ids=["below the service's own folders", "elsewhere"],
)
def test_retention_and_audit_trail_work_in_the_sandbox(
    node: Node, tmp_path: Path, archive: str, trail: str, to_make: list[str]
) -> None:
    config = BASE_CONFIG.replace('"/var/lib/fastdicom"', f'"{archive}"')
    config += f"[retention]\nmax_size = {KEPT_BYTES}\n" + AUDIT.format(trail)
    with node.installed_with(config) as steps:
        commands = [step.partition(": ")[2] for step in steps if step.startswith("make ")]
        assert [command.split()[-1] for command in commands] == to_make
        for command in commands:
            node.container.run(*command.split())
        node.start()
        since = node.cursor()
        node.send(*studies(tmp_path, 6))
        file = node.container.root / trail.lstrip("/") / "audit.log"
        node.container.wait_for("retention", lambda: file.exists() and DELETED in file.read_text(), 60)
        node.container.run("systemctl", "stop", *UNITS)
        events = file.read_text()
        assert all(code in events for code in (STARTED, STORED, DELETED, STOPPED))
        assert [one["MESSAGE"] for one in node.journal(since) if int(one["PRIORITY"]) < 5] == []
        found = node.cli("find", "--archive", archive, "--json").stdout.splitlines()
        assert 0 < len(found) <= KEPT_BYTES // STUDY_BYTES
        node.cli("verify", "--archive", archive)


def test_an_audit_trail_where_the_sandbox_forbids_it_is_told_and_kept(node: Node, tmp_path: Path) -> None:
    """install-service was not run after the change: nothing is lost, and the log says which file it is."""
    node.container.run("mkdir", "-p", "-m", "0777", "/srv/forbidden")
    since = node.cursor()
    node.configure(AUDIT.format("/srv/forbidden"))
    node.container.run("systemctl", "restart", "fastdicom")
    node.send(*studies(tmp_path, 1))
    node.container.wait_for(
        "the log to tell",
        lambda: any("/srv/forbidden/audit.log" in entry["MESSAGE"] for entry in node.journal(since)),
    )
    told = next(entry for entry in node.journal(since) if "/srv/forbidden/audit.log" in entry["MESSAGE"])
    assert told["PRIORITY"] == "4" and "messages are spooled: [Errno 30]" in told["MESSAGE"]
    with node.installed_with(BASE_CONFIG + AUDIT.format("/srv/forbidden")):
        node.start()
        file = node.container.root / "srv/forbidden/audit.log"
        node.container.wait_for("what was spooled", lambda: file.exists() and STORED in file.read_text())


def studies(folder: Path, count: int) -> list[Path]:
    """Files of so many new studies, an instance each."""
    paths = []
    for number in range(count):
        uids = numbered_uids(time.monotonic_ns() % 10**9, number)
        data = synthetic(CT_IMAGE_STORAGE, EXPLICIT_LE, uids, size=STUDY_BYTES)
        path = folder / f"{uids.instance}.dcm"
        path.write_bytes(join(data, CT_IMAGE_STORAGE, uids.instance, EXPLICIT_LE))
        paths.append(path)
    return paths
