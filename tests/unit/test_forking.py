"""A host that forks while its engine runs: the fork neither uses nor harms what is its parent's."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fastdicom import Archive, Config, Engine, PeerConnection, Tls, UsageError, connect
from tests.support.certificates import Authority
from tests.support.datasets import numbered_uids, synthetic
from tests.support.part10 import join
from tests.support.records import put

pytestmark = pytest.mark.timeout(30)
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
_CLEAN, _WRONG = 0, 1


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(Config(port=0, archive=tmp_path / "archive")) as running:
        yield running


def forked(act: Callable[[], bool]) -> int:
    """Run `act` in a fork; 0 when it gave True and raised nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that forking with threads is dangerous is why these tests are here
        child = os.fork()
    if child == 0:
        code = _WRONG
        try:
            code = _CLEAN if act() else _WRONG
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def refuses(act: Callable[[], object]) -> bool:
    try:
        act()
    except UsageError as error:
        return "forked" in str(error)
    return False


def serves(engine: Engine) -> bool:
    with connect(*engine.addresses[0]) as peer:
        return peer.echo() < 10


def test_a_fork_that_stops_the_engine_leaves_the_parents_at_work(engine: Engine) -> None:
    assert forked(lambda: engine.stop() is None) == _CLEAN
    assert serves(engine)


def test_a_fork_is_told_that_engine_and_archive_are_its_parents(engine: Engine, tmp_path: Path) -> None:
    assert forked(lambda: refuses(lambda: list(engine.find(PatientID="")))) == _CLEAN
    assert forked(lambda: refuses(lambda: Archive(tmp_path / "archive").counts())) == _CLEAN
    assert list(engine.find(PatientID="")) == []


def test_a_fork_that_closes_an_archive_leaves_the_parents_open(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.dcm" for number in (1, 2)]
    for number, path in enumerate(files):
        uids = numbered_uids(9, number)
        path.write_bytes(join(synthetic(CT, EXPLICIT, uids, size=2048), CT, uids.instance, EXPLICIT))
    with Archive(tmp_path / "archive", create=True) as archive:
        archive.import_paths(files[:1])
        assert forked(lambda: archive.close() is None) == _CLEAN
        archive.import_paths(files[1:])
        report = archive.verify()
    assert (report.checked, report.damaged, report.missing) == (2, [], [])


def test_a_stopped_engine_listens_no_more_though_a_fork_lives(tmp_path: Path) -> None:
    engine = Engine(Config(port=0, archive=tmp_path / "archive"))
    engine.start()
    address = engine.addresses[0]
    told, tell = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        os.close(tell)
        os.read(told, 1)  # until the parent is done
        os._exit(0)
    try:
        engine.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, 5)
    finally:
        os.close(tell)
        os.close(told)
        os.waitpid(child, 0)


@pytest.mark.parametrize("secure", [False, True])
def test_a_fork_that_leaves_a_connection_leaves_its_parents_open(secure: bool, tmp_path: Path) -> None:
    with node_and_peer(tmp_path, secure) as peer:
        assert forked(lambda: peer.close() is None) == _CLEAN
        assert peer.echo() < 10


def test_a_fork_may_not_ask_on_its_parents_connection_but_on_one_of_its_own(engine: Engine) -> None:
    with connect(*engine.addresses[0]) as peer:

        def asks_anew() -> bool:
            peer.close()
            return peer.echo() < 10

        assert forked(lambda: refuses(peer.echo)) == _CLEAN
        assert forked(asks_anew) == _CLEAN
        assert peer.echo() < 10


def test_a_fork_in_the_middle_of_the_answers_neither_reads_nor_cancels_them(engine: Engine) -> None:
    engine.archive.index.apply([put(f"1.{n}.1.1", f"1.{n}.1", f"1.{n}") for n in range(500)])
    engine.reload(engine.config.with_changes(access={"unknown_peers": ["find"]}))
    with connect(*engine.addresses[0]) as peer:
        found = peer.find(StudyInstanceUID="")
        first = next(found)
        assert forked(lambda: refuses(lambda: next(found))) == _CLEAN
        assert forked(lambda: found.close() is None) == _CLEAN  # type: ignore[attr-defined]
        rest = {study.StudyInstanceUID for study in found}
    assert len(rest | {first.StudyInstanceUID}) == 500


@contextmanager
def node_and_peer(folder: Path, secure: bool) -> Iterator[PeerConnection]:
    authority = Authority(folder / "ca")
    pair = authority.issue("node")
    files = {"certificate": pair.certificate, "key": pair.key, "authorities": authority.certificate}
    tls = Tls(**files) if secure else None
    with (
        Engine(Config(port=0, archive=folder / "archive", tls=files if secure else None)) as engine,
        connect(*engine.addresses[0], tls=tls) as peer,
    ):
        yield peer
