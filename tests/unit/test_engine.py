"""The engine in a host's process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

import fastdicom
from fastdicom import Archive, Config, Engine, StoredInstance, UsageError, connect
from fastdicom.cli.main import main
from tests.support.datasets import numbered_uids, synthetic
from tests.support.part10 import join
from tests.support.processes import free_port
from tests.support.rawcommand import Field
from tests.support.rawdicom import STUDY_ROOT_FIND, RawAssociation
from tests.support.rawelements import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, identifier
from tests.support.records import put

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
EVERYTHING = {"unknown_peers": ["echo", "store", "find", "move", "get"]}


def instance_file(folder: Path, number: int) -> Path:
    uids = numbered_uids(7, number)
    path = folder / f"{number}.dcm"
    path.write_bytes(join(synthetic(CT, EXPLICIT, uids, size=2048), CT, uids.instance, EXPLICIT))
    return path


def config(folder: Path, **more: object) -> Config:
    return Config(port=0, archive=folder, access=EVERYTHING, **more)  # type: ignore[arg-type]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(config(tmp_path / "archive")) as running:
        yield running


def store(engine: Engine, *paths: Path) -> None:
    with connect(*engine.addresses[0]) as peer:
        report = peer.store(paths)
    assert report.sent == len(paths) and not report.failed


def test_handlers_hear_of_durable_instances(engine: Engine, tmp_path: Path) -> None:
    heard: list[StoredInstance] = []

    @engine.on_stored
    def broken(instance: StoredInstance) -> None:
        raise KeyError("the host's own fault")

    @engine.on_stored
    def remember(instance: StoredInstance) -> None:
        heard.append(instance)

    store(engine, instance_file(tmp_path, 1), instance_file(tmp_path, 2))
    assert [instance.sop_instance_uid for instance in heard] == [
        numbered_uids(7, number).instance for number in (1, 2)
    ]
    assert heard[0].dataset(stop_before_pixels=True).SOPInstanceUID == heard[0].sop_instance_uid
    assert heard[0].path.is_file() and heard[0].source_ae_title == "FASTDICOM"


def test_the_host_finds_and_deletes_while_the_engine_runs(engine: Engine, tmp_path: Path) -> None:
    store(engine, *(instance_file(tmp_path, number) for number in range(3)))
    (study,) = engine.find(level="STUDY", StudyInstanceUID="", NumberOfStudyRelatedInstances="")
    assert study.NumberOfStudyRelatedInstances == 3
    with Archive(tmp_path / "archive") as archive:
        assert archive.counts().instances == 3
    assert engine.delete(SOPInstanceUID=numbered_uids(7, 1).instance).instances == 1
    assert engine.status()["counts"]["instances"] == 2
    store(engine, instance_file(tmp_path, 1))
    assert engine.status()["counts"]["instances"] == 3


def test_two_engines_side_by_side_send_to_each_other(tmp_path: Path) -> None:
    with Engine(config(tmp_path / "one", ae_title="ONE")) as one:
        host, port = one.addresses[0]
        peers = [{"ae_title": "ONE", "host": host, "port": port}]
        with Engine(config(tmp_path / "two", ae_title="TWO", peers=peers)) as two:
            store(two, instance_file(tmp_path, 1), instance_file(tmp_path, 2))
            study = numbered_uids(7, 1).study
            with connect(*two.addresses[0]) as peer:
                report = peer.move(destination="ONE", StudyInstanceUID=study)
            assert (report.status, report.completed) == (0, 2)
            assert one.status()["counts"]["instances"] == 2


def test_a_retrieve_over_several_associations_brings_every_instance_once(tmp_path: Path) -> None:
    with Engine(config(tmp_path / "to", ae_title="TO")) as to:
        host, port = to.addresses[0]
        peer = {"ae_title": "TO", "host": host, "port": port, "associations": 3}
        with Engine(config(tmp_path / "from", peers=[peer])) as origin:
            store(origin, *(instance_file(tmp_path, number) for number in range(20)))
            with connect(*origin.addresses[0]) as client:
                report = client.move(destination="TO", StudyInstanceUID=numbered_uids(7, 0).study)
        assert (report.status, report.completed, report.failed) == (0, 20, 0)
        assert to.status()["counts"]["instances"] == 20
        assert to.status()["associations"]["accepted"] == 3


def test_a_query_for_no_date_is_refused_with_the_element_and_why(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(*engine.addresses[0]) as peer, pytest.raises(fastdicom.Refused) as caught:
        list(peer.find(level="STUDY", StudyDate="20209999"))
    assert (caught.value.status, caught.value.offending) == (0xA900, (0x00080020,))
    assert main(["find", *map(str, engine.addresses[0]), "-k", "StudyDate=20209999"]) == 1
    assert "StudyDate is no date or range of dates" in capsys.readouterr().err


def test_a_move_says_why_its_destination_got_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    with Engine(
        Config(ae_title="CLOSED", port=0, archive=tmp_path / "b", access={"unknown_peers": []})
    ) as closed:
        peers = [
            {"ae_title": "DOWN", "host": "127.0.0.1", "port": port},
            {"ae_title": "CLOSED", "host": "127.0.0.1", "port": closed.addresses[0][1]},
        ]
        with Engine(config(tmp_path / "a", peers=peers)) as engine:
            store(engine, instance_file(tmp_path, 1), instance_file(tmp_path, 2))
            study = numbered_uids(7, 1).study
            for destination, reason in (
                ("DOWN", f"cannot connect: Connection refused (127.0.0.1:{port})"),
                ("CLOSED", "association rejected: calling AE title not recognized (permanent)"),
            ):
                with connect(*engine.addresses[0]) as peer:
                    report = peer.move(destination=destination, level="STUDY", StudyInstanceUID=study)
                assert (report.status, report.completed, report.failed) == (0xA702, 0, 2)
                assert report.comment == reason[:64]
                asked = ["--destination", destination, "-k", f"StudyInstanceUID={study}"]
                assert main(["move", *map(str, engine.addresses[0]), *asked]) == 1
                said = capsys.readouterr()
                assert f"A702H (out of resources: cannot perform sub-operations): {reason[:64]}" in said.err
                assert said.out == "moved 0, 2 failed\n"


def test_an_engine_may_be_started_again(tmp_path: Path) -> None:
    engine = Engine(config(tmp_path / "archive"))
    for number in range(2):
        with engine:
            store(engine, instance_file(tmp_path, number))
    assert not (tmp_path / "archive" / "status.json").exists()
    with engine:
        assert engine.status()["counts"]["instances"] == 2


def test_a_taken_port_is_said_and_leaves_nothing_open(engine: Engine, tmp_path: Path) -> None:
    port = engine.addresses[0][1]
    second = Engine(Config(port=port, archive=tmp_path / "second"))
    with pytest.raises(fastdicom.UsageError, match=str(port)):
        second.start()
    with Engine(config(tmp_path / "second")):
        pass


def test_stopping_ends_idle_associations_soon(tmp_path: Path) -> None:
    engine = Engine(config(tmp_path / "archive"))
    engine.start()
    peers = [connect(*engine.addresses[0]) for _ in range(5)]
    started = time.monotonic()
    engine.stop()
    assert time.monotonic() - started < 8
    for peer in peers:
        with pytest.raises(fastdicom.ConnectionLost):
            peer._association.next_message()  # type: ignore[union-attr]


def test_stopping_does_not_wait_for_a_query_of_the_host_that_is_half_read(tmp_path: Path) -> None:
    engine = Engine(config(tmp_path / "archive"))
    engine.start()
    engine.archive.index.apply([put(f"1.{n}.1.1", f"1.{n}.1", f"1.{n}") for n in range(100)])
    found, others = engine.find(), engine.find()
    assert len(list(islice(found, 40))) == len(list(islice(others, 40))) == 40
    started = time.monotonic()
    engine.stop()
    assert time.monotonic() - started < 2
    with pytest.raises(UsageError, match="the engine was stopped before all answers were read"):
        list(found)
    with engine, pytest.raises(UsageError, match="the engine was stopped before all answers were read"):
        list(others)  # it runs again, with another snapshot


def test_stopping_under_load_loses_nothing_acknowledged(tmp_path: Path) -> None:
    engine = Engine(config(tmp_path / "archive"))
    engine.start()
    files = [instance_file(tmp_path, number) for number in range(200)]
    reports: list[fastdicom.client.StoreReport] = []

    def send(part: list[Path]) -> None:
        with fastdicom.PeerConnection(*engine.addresses[0], called="X", calling="Y") as peer:
            reports.append(peer.store(part))

    senders = [threading.Thread(target=send, args=(files[at::4],), daemon=True) for at in range(4)]
    for sender in senders:
        sender.start()
    time.sleep(0.15)
    engine.stop()
    for sender in senders:
        sender.join(10)
    acknowledged = sum(report.sent for report in reports)
    with Archive(tmp_path / "archive") as archive:
        assert archive.counts().instances >= acknowledged
        assert archive.verify().ok


def test_reloading_changes_who_may_do_what(engine: Engine, tmp_path: Path) -> None:
    changed = config(tmp_path / "archive").with_changes(access={"unknown_peers": ["echo"]})
    assert engine.reload(changed) == []
    with connect(*engine.addresses[0]) as peer:
        assert peer.store([instance_file(tmp_path, 1)]).failed[0].status == 0x0124


def test_a_reload_names_what_needs_a_restart(engine: Engine, tmp_path: Path) -> None:
    changed = config(tmp_path / "archive").with_changes(node={"ae_title": "OTHER"})
    assert engine.reload(changed) == ["node.ae_title"]
    assert engine.config.node.ae_title == "FASTDICOM"


def test_an_engine_that_does_not_run_says_so(tmp_path: Path) -> None:
    engine = Engine(config(tmp_path / "archive"))
    for ask in (engine.status, lambda: list(engine.find()), lambda: engine.reload(engine.config)):
        with pytest.raises(fastdicom.UsageError, match="not running"):
            ask()


def test_stopping_does_not_wait_for_silent_connections(tmp_path: Path) -> None:
    engine = Engine(config(tmp_path / "archive"))
    engine.start()
    with socket.create_connection(engine.addresses[0]):
        time.sleep(0.1)
        started = time.monotonic()
        engine.stop()
        assert time.monotonic() - started < 3


def test_stopping_does_not_wait_for_a_peer_that_does_not_read(tmp_path: Path) -> None:
    engine = Engine(config(tmp_path / "archive"))
    engine.start()
    store(engine, *(instance_file(tmp_path, number) for number in range(50)))
    with RawAssociation.to(engine.addresses[0][1], [STUDY_ROOT_FIND]) as deaf:
        uids = numbered_uids(7, 0)
        one = {STUDY_INSTANCE_UID: uids.study, SERIES_INSTANCE_UID: uids.series, SOP_INSTANCE_UID: ""}
        keys = identifier("IMAGE", one)
        deaf.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):  # the node has stopped reading: it cannot write
            for _ in range(20_000):
                deaf.query(Field.C_FIND, STUDY_ROOT_FIND, keys)
        started = time.monotonic()
        engine.stop(timeout_s=0.5)
        assert time.monotonic() - started < 3
        assert not [thread for thread in threading.enumerate() if thread.name == "fastdicom-association"]


def at_once(act: Callable[[], object]) -> list[Exception]:
    """`act` on four threads at once; what they raised."""
    raised: list[Exception] = []
    ready = threading.Barrier(4)

    def run() -> None:
        ready.wait()
        try:
            act()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_of_four_starts_at_once_one_starts_and_of_four_stops_one_stops(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    engine = Engine(config(tmp_path / "archive"))
    raised = at_once(engine.start)
    assert [str(error) for error in raised] == ["the engine runs already"] * 3
    assert at_once(engine.stop) == []
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("given", ["node.toml", None, {"port": 104}])
def test_what_is_no_config_is_refused(given: object) -> None:
    with pytest.raises(UsageError, match="takes a Config"):
        Engine(given)  # type: ignore[arg-type]
