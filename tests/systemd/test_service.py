"""The service under real systemd, in a container: issue 6, "what it must show", line by line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastdicom.logs import hashed
from tests.systemd.container import ENVIRONMENT, Container
from tests.systemd.node import ARCHIVE, CONFIG, PORT, UNITS, Node

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(1200)]  # the first one compiles the wheel

SECURITY_MAX = 1.5


# ---------------------------------------------------------------------------------- installation


def test_install_service_tells_what_it_does_and_keeps_an_edited_configuration(container: Container) -> None:
    command = (f"{ENVIRONMENT}/bin/fastdicom", "install-service", "--json")
    first = json.loads(container.run(*command).stdout)
    assert {action["what"] for action in first["actions"]} <= {"written", "unchanged", "kept", "ran"}
    config = container.root / CONFIG.lstrip("/")
    config.write_text(config.read_text() + "\n# edited\n")
    second = json.loads(container.run(*command).stdout)
    assert {"what": "kept", "subject": CONFIG, "detail": ""} in second["actions"]
    assert config.read_text().endswith("# edited\n")
    assert not [action for action in second["actions"] if action["what"] in ("written", "failed")]


def test_systemd_has_nothing_to_say_about_the_units(installed: Node) -> None:
    said = installed.container.run("systemd-analyze", "verify", *UNITS)
    assert said.stdout + said.stderr == ""


def test_the_sandbox_is_rated_1_5_or_better(installed: Node) -> None:
    said = installed.container.run("systemd-analyze", "security", "--no-pager", "fastdicom.service").stdout
    found = re.search(r"Overall exposure level for fastdicom.service: ([0-9.]+)", said)
    assert found is not None and float(found[1]) <= SECURITY_MAX, said


# ---------------------------------------------------------------------------------- start and reload


def test_port_104_without_root_and_without_a_capability(node: Node) -> None:
    assert node.echo()
    status = node.container.root / "proc" / str(node.main_pid) / "status"
    said = node.container.run("cat", f"/proc/{node.main_pid}/status").stdout
    assert not status.exists()  # the overlay is not the container's /proc
    fields = dict(line.split(":\t", 1) for line in said.splitlines() if ":\t" in line)
    user = node.container.run("id", "-u", "fastdicom").stdout.strip()
    assert user != "0" and fields["Uid"].split() == [user] * 4
    assert {int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"


def test_ready_means_recovered_and_listening(node: Node) -> None:
    """Whole files without rows are indexed before the node is ready; until then a peer waits."""
    node.container.run("systemctl", "stop", *UNITS)
    planted = node.plant(100)
    node.drop_in("[Service]\nTimeoutStartSec=3\n")  # recovery asks for more
    since, began = node.cursor(), time.monotonic()
    with node.held_up():
        node.container.run("systemctl", "start", "--no-block", *UNITS)
        node.container.wait_for("recovery", lambda: "recovering the archive" in node.status)
        peer = node.calling("60 s")
        time.sleep(max(0.0, 3 + 1.5 - (time.monotonic() - began)))
        assert node.container.show("ActiveState") == "activating" and node.restarts == 0
        assert peer.poll() is None
    node.start()
    took = time.monotonic() - began
    peer.communicate(timeout=60)
    assert peer.returncode == 0
    assert planted <= node.stored()
    messages = [entry["MESSAGE"] for entry in node.container.journal(f"--after-cursor={since}")]
    recovered = next(at for at, text in enumerate(messages) if text.startswith("start-up indexed "))
    listening = next(at for at, text in enumerate(messages) if "listens on 0.0.0.0:104" in text)
    started = next(at for at, text in enumerate(messages) if text.startswith("Started fastdicom.service"))
    assert recovered < listening < started
    print(f"held up in recovery: ready after {took:.1f} s with TimeoutStartSec=3")


def test_a_stop_does_not_wait_for_the_end_of_recovery(node: Node) -> None:
    """It is over with the file at hand: the node never listens."""
    node.container.run("systemctl", "stop", *UNITS)
    since = node.cursor()
    with node.held_up():
        node.container.run("systemctl", "start", "--no-block", *UNITS)
        node.container.wait_for("recovery", lambda: "recovering the archive" in node.status)
        node.container.run("systemctl", "stop", "--no-block", *UNITS)
        node.container.wait_for("the stop", lambda: node.container.show("ActiveState") == "deactivating")
    node.container.wait_for("its end", lambda: node.container.show("ActiveState") == "inactive")
    assert node.container.show("Result") == "success"
    assert not [entry for entry in node.journal(since) if "listens on" in entry["MESSAGE"]]


def test_a_reload_under_load_drops_nothing(node: Node, tmp_path: Path) -> None:
    pid = node.main_pid
    with node.under_load(tmp_path, senders=4) as traffic:
        for seconds in (41, 42, 43):
            node.configure(f'[timeouts]\nidle = "{seconds} s"\n')
            node.container.run("systemctl", "reload", "fastdicom")
            time.sleep(1)
    assert traffic.seen["retries"] == 0, traffic.seen["problems"]
    assert traffic.acknowledged <= node.stored()
    assert node.main_pid == pid


def test_reload_returns_when_the_new_configuration_is_in_force_where_systemd_can_wait(node: Node) -> None:
    version = int(node.container.run("systemctl", "--version").stdout.split()[1])
    assert node.container.show("Type") == ("notify-reload" if version >= 254 else "notify")
    if version < 254:
        return
    assert node.container.show("RestartSteps") == "6"
    for _ in range(3):
        since = node.cursor()
        node.container.run("systemctl", "reload", "fastdicom")
        assert [entry["MESSAGE"] for entry in node.journal(since)][-1:] == ["configuration reloaded"]


def test_a_broken_configuration_is_refused_with_its_line_and_the_old_one_stays(node: Node) -> None:
    node.container.wait_for("a status", lambda: "associations" in node.status)
    since = node.cursor()
    line = len((node.container.root / CONFIG.lstrip("/")).read_text().splitlines()) + 2
    node.configure("[timeouts]\nidel = 5\n")
    assert node.container.run("systemctl", "reload", "fastdicom", check=False).returncode != 0
    node.container.run("systemctl", "kill", "-s", "HUP", "--kill-whom=main", "fastdicom")
    node.container.wait_for("the refusal", lambda: "reload refused" in node.status)
    assert f"{CONFIG}:{line}: timeouts.idel" in node.status
    refusals = [entry for entry in node.journal(since) if "reload refused" in entry["MESSAGE"]]
    assert refusals and all(entry["PRIORITY"] == "3" for entry in refusals)
    assert all(f"{CONFIG}:{line}: timeouts.idel" in entry["MESSAGE"] for entry in refusals)
    assert node.echo()
    node.configure()
    node.container.run("systemctl", "reload", "fastdicom")
    node.container.wait_for("all is well again", lambda: "refused" not in node.status)


def test_a_port_that_is_not_the_sockets_is_refused_until_they_agree(node: Node) -> None:
    node.container.run("systemctl", "stop", *UNITS)
    since = node.cursor()
    config = node.container.root / CONFIG.lstrip("/")
    config.write_text(config.read_text().replace("port = 104", "port = 11112"))
    assert node.container.run("systemctl", "start", "fastdicom", check=False).returncode != 0
    assert node.container.show("ExecMainStatus") == "2"
    said = " ".join(entry["MESSAGE"] for entry in node.container.journal(f"--after-cursor={since}"))
    assert "the service manager listens on 0.0.0.0 port 104" in said
    assert "but the configuration says 0.0.0.0 port 11112" in said
    node.configure()
    node.container.wait_for("it to come up by itself", node.echo)


# ---------------------------------------------------------------------------------- the journal


def _store_twice(node: Node, folder: Path) -> str:
    """Store an instance, then another one under the same UID; the UID. The second earns a line in the log."""
    from tests.support.datasets import CT_IMAGE_STORAGE, EXPLICIT_LE, numbered_uids, synthetic
    from tests.support.part10 import join

    uids = numbered_uids(time.monotonic_ns() % 10**9, 1)
    for size in (2048, 4096):
        path = folder / f"{size}.dcm"
        data = synthetic(CT_IMAGE_STORAGE, EXPLICIT_LE, uids, size=size)
        path.write_bytes(join(data, CT_IMAGE_STORAGE, uids.instance, EXPLICIT_LE))
        node.send(path)
    return uids.instance


def _entry_about(node: Node, since: str, text: str) -> dict[str, str]:
    return next(entry for entry in node.journal(since) if text in entry["MESSAGE"])


def test_the_journal_has_fields_for_association_peer_and_hashed_instance(node: Node, tmp_path: Path) -> None:
    since = node.cursor()
    uid = _store_twice(node, tmp_path)
    entry = _entry_about(node, since, "was there already")
    assert entry["PRIORITY"] == "4" and entry["_SYSTEMD_UNIT"] == "fastdicom.service"
    assert entry["FASTDICOM_ASSOCIATION"].isdigit() and entry["FASTDICOM_PEER"] == "127.0.0.1"
    assert (entry["FASTDICOM_CALLING_AE"], entry["FASTDICOM_CALLED_AE"]) == ("CT1", "GATEWAY")
    assert entry["FASTDICOM_SOP_INSTANCE_UID"] == hashed(uid)
    assert entry["LOGGER"] == "fastdicom.services.store"
    selected = node.container.journal(f"FASTDICOM_SOP_INSTANCE_UID={hashed(uid)}")
    assert [one["MESSAGE"] for one in selected] == [entry["MESSAGE"]]
    everything = node.container.run("journalctl", "-o", "json", "--all", "--no-pager").stdout
    assert uid not in everything


def test_the_journal_names_instances_when_patient_data_is_allowed(node: Node, tmp_path: Path) -> None:
    node.configure("[log]\npatient_data = true\n")
    node.container.run("systemctl", "reload", "fastdicom")
    since = node.cursor()
    uid = _store_twice(node, tmp_path)
    entry = _entry_about(node, since, "was there already")
    assert entry["FASTDICOM_SOP_INSTANCE_UID"] == uid and uid in entry["MESSAGE"]


# ---------------------------------------------------------------------------------- watchdog and crash


def test_a_stopped_process_is_restarted_by_the_watchdog(node: Node) -> None:
    node.drop_in("[Service]\nWatchdogSec=3\nTimeoutAbortSec=5\n")
    node.container.run("systemctl", "restart", "fastdicom")
    pid, before = node.main_pid, node.restarts
    time.sleep(4)
    assert node.main_pid == pid  # a healthy node is left alone
    since = node.cursor()
    node.container.run("kill", "-STOP", str(pid))
    took = node.container.wait_for("the restart", lambda: node.restarts > before, 30)
    node.container.wait_for("a new node", lambda: node.container.show("ActiveState") == "active")
    assert node.main_pid != pid and node.echo()
    said = [entry["MESSAGE"] for entry in node.container.journal(f"--after-cursor={since}")]
    assert any("Watchdog timeout" in text for text in said)
    assert any("Fatal Python error: Aborted" in text for text in said)  # and where each thread was
    print(f"SIGSTOP: restarted after {took:.1f} s with WatchdogSec=3")


def test_a_stuck_committer_is_no_life_for_the_watchdog(node: Node, tmp_path: Path) -> None:
    """The main loop turns and peers are answered, but no commit ends: a timer would feed the watchdog."""
    node.drop_in("[Service]\nWatchdogSec=4\nTimeoutAbortSec=5\n")
    node.configure('[limits]\ncommit_stall = "3 s"\n')
    node.container.run("systemctl", "restart", "fastdicom")
    before, since = node.restarts, node.cursor()
    holder = "\n".join(
        (
            "import lmdb, sys",
            f"index = lmdb.open({ARCHIVE + '/index'!r}, max_dbs=64, map_size=1 << 30)",
            "write = index.begin(write=True)",
            "print('held', flush=True)",
            "sys.stdin.read()",
        )
    )
    argv = [
        "nsenter",
        "-t",
        str(node.container.init),
        "-m",
        "-n",
        "-p",
        "-r",
        "-w",
        "runuser",
        "-u",
        "fastdicom",
    ]
    hold = subprocess.Popen(
        [*argv, "--", f"{ENVIRONMENT}/bin/python", "-c", holder],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert hold.stdout is not None and hold.stdout.readline() == "held\n"
        with node.under_load(tmp_path, senders=2) as traffic:
            node.container.wait_for("the status to tell", lambda: "stuck: the committer" in node.status, 30)
            assert node.echo()
            took = node.container.wait_for("the watchdog", lambda: node.restarts > before, 40)
            hold.communicate()
            node.container.wait_for("a new node", lambda: node.container.show("ActiveState") == "active")
            time.sleep(2)
    finally:
        if hold.poll() is None:
            hold.communicate()  # the end of its input ends the holder
    assert traffic.seen["given_up"] == [] and traffic.seen["refused"] == 0, traffic.seen
    assert traffic.acknowledged <= node.stored()
    assert "the committer has not moved for" in _entry_about(node, since, "only a restart helps")["MESSAGE"]
    print(f"stuck committer: restarted {took:.1f} s after the status told of it")


def test_an_association_that_hangs_is_no_life_for_the_watchdog(node: Node, tmp_path: Path) -> None:
    """Reading a file never ends, as on a network disk that is gone; other peers are served all the while."""
    uid = _store_twice(node, tmp_path)
    node.drop_in("[Service]\nWatchdogSec=4\nTimeoutAbortSec=5\n")
    node.configure(
        '[timeouts]\nconnect = "1 s"\nresponse = "1 s"\n'
        '[limits]\nmessage_stall = "1 s"\nsend_stall = "1 s"\nwork_stall = "2 s"\n'
    )
    node.container.run("systemctl", "restart", "fastdicom")
    before, since = node.restarts, node.cursor()
    command = ("find", "--archive", ARCHIVE, "--level", "IMAGE", "-k", f"SOPInstanceUID={uid}", "--paths")
    path = next(word for word in node.cli(*command).stdout.split() if word.endswith(".dcm"))
    node.container.run("mv", path, f"{path}.away")
    node.container.run("runuser", "-u", "fastdicom", "--", "mkfifo", path)  # nobody ever writes to it
    try:
        wanted = ("--level", "IMAGE", "-k", f"SOPInstanceUID={uid}", "--calling", "HANGS")
        get = [
            sys.executable,
            "-m",
            "fastdicom",
            "get",
            "127.0.0.1",
            str(PORT),
            str(tmp_path / "out"),
            *wanted,
        ]
        client = node.container.spawn(*get)
        node.container.wait_for("the status to tell", lambda: "with HANGS has not moved" in node.status, 30)
        assert node.echo()
        node.container.wait_for("the watchdog", lambda: node.restarts > before, 40)
        client.communicate(timeout=60)
    finally:
        node.container.run("mv", f"{path}.away", path)
    node.container.wait_for("a new node", node.echo)
    stack = _entry_about(node, since, "only a restart helps")
    assert stack["PRIORITY"] == "3" and re.search(r"net/server\.py:\d+ run < ", stack["MESSAGE"])
    dump = [entry["MESSAGE"] for entry in node.journal(since)]  # of every thread, at the watchdog's SIGABRT
    assert any("archive/files.py" in line and "in read" in line for line in dump)
    assert uid in node.stored()


def test_a_killed_node_comes_back_with_everything_it_acknowledged(node: Node, tmp_path: Path) -> None:
    before = node.restarts
    with node.under_load(tmp_path, senders=4) as traffic:
        for kills in (1, 2, 3):
            time.sleep(2)
            node.container.run("kill", "-KILL", str(node.main_pid))
            node.container.wait_for("the restart", lambda kills=kills: node.restarts >= before + kills, 20)
            node.container.wait_for("a node", lambda: node.container.show("ActiveState") == "active", 20)
        time.sleep(1)
    assert traffic.seen["retries"] > 0  # it was under load
    assert traffic.seen["refused"] == 0 and traffic.seen["given_up"] == [], traffic.seen
    assert traffic.acknowledged <= node.stored()
    node.cli("verify", "--archive", ARCHIVE)
    print(f"3 x SIGKILL: {traffic.seen['acknowledged']} acknowledged, {traffic.seen['retries']} sent again")


# ---------------------------------------------------------------------------------- restart and stop


@pytest.mark.parametrize(
    ("objects_each", "timeouts"),
    [(20, ""), (100_000, '[timeouts]\ndrain = "1 s"\n')],
    ids=["short associations", "endless associations"],
)
def test_a_restart_under_eight_senders_refuses_no_connection(
    node: Node, tmp_path: Path, objects_each: int, timeouts: str
) -> None:
    """Short associations notice nothing; endless ones are ended between two objects when `drain` is over."""
    node.configure(timeouts)
    node.container.run("systemctl", "reload", "fastdicom")
    took, pids = [], {node.main_pid}
    with node.under_load(tmp_path, senders=8, objects_each=objects_each) as traffic:
        for _ in range(3):
            time.sleep(2)
            began = time.monotonic()
            node.container.run("systemctl", "restart", "fastdicom")
            took.append(round(time.monotonic() - began, 1))
            pids.add(node.main_pid)
        time.sleep(2)
    seen = traffic.seen | {"problems": sorted(set(traffic.seen["problems"]))}
    assert len(pids) == 4 and node.restarts == 0
    assert seen["refused"] == 0 and seen["given_up"] == [], seen
    assert (seen["retries"] > 0) == (objects_each > 1000), seen
    assert len(traffic.acknowledged) == seen["acknowledged"] > 100
    assert traffic.acknowledged <= node.stored()
    print(f"restarts of {took} s: {seen}")


def test_it_stops_in_time_although_a_peer_stalls_inside_a_message(node: Node, tmp_path: Path) -> None:
    node.configure('[timeouts]\ndrain = "2 s"\nstop = "3 s"\n')
    node.container.run("systemctl", "restart", "fastdicom")
    staller = node.container.spawn(sys.executable, "-m", "tests.systemd.staller", "127.0.0.1", str(PORT))
    assert staller.stdout is not None and staller.stdout.readline() == "inside a message\n"
    began = time.monotonic()
    node.container.run("systemctl", "stop", *UNITS)
    took = time.monotonic() - began
    staller.communicate("")
    assert took < 2 + 3 + 6
    assert node.container.show("Result") == "success" and node.container.show("ExecMainStatus") == "0"
    print(f"stopped after {took:.1f} s with a peer inside a message (drain 2 s, stop 3 s)")


def test_an_idle_association_does_not_hold_the_stop_up(node: Node) -> None:
    idle = node.container.spawn(sys.executable, "-m", "tests.systemd.staller", "127.0.0.1", str(PORT), "idle")
    assert idle.stdout is not None and idle.stdout.readline() == "between messages\n"
    began = time.monotonic()
    node.container.run("systemctl", "stop", *UNITS)
    assert time.monotonic() - began < 6
    idle.communicate("")
