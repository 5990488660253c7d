"""A host that forks while its engine runs: the fork neither uses nor harms what is its parent's."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastdicom import Archive, Config, Engine, UsageError, connect
from tests.support.datasets import numbered_uids, synthetic
from tests.support.part10 import join

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
