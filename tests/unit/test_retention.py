"""Retention: what goes, in which order, what stays whatever the rules say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastdicom import Archive, Config
from fastdicom.config import RetentionConfig
from fastdicom.dataset.record import StoredEntry
from fastdicom.errors import UsageError
from fastdicom.index.arrivals import ArrivedStudy
from fastdicom.keeper import ArchiveKeeper, Removal, open_keeper
from fastdicom.leaps import SETTLE_S, LeapWatch
from fastdicom.protection import FILE_NAME, change_protected, read_protected
from fastdicom.retention import INSTANCES_A_STEP, Retention
from tests.support.archives import DAY, Filler
from tests.support.datasets import Uids

NOW = 1_800_000_000.0


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[ArchiveKeeper]:
    with open_keeper(tmp_path / "archive", Config(archive={"durability": "os", "path": tmp_path})) as made:
        yield made


@pytest.fixture
def filler(keeper: ArchiveKeeper) -> Filler:
    return Filler(keeper)


def retention(keeper: ArchiveKeeper, **rules: object) -> Retention:
    return Retention(keeper, RetentionConfig(**rules), clock=lambda: NOW)  # type: ignore[arg-type]


def studies(keeper: ArchiveKeeper) -> list[str]:
    return [study.study_instance_uid for study in keeper.index.arrived()]


def test_nothing_is_deleted_without_a_rule(keeper: ArchiveKeeper, filler: Filler) -> None:
    filler.study("1.1", received=NOW - 9000 * DAY)
    assert not retention(keeper).step()
    assert studies(keeper) == ["1.1"]


def test_studies_older_than_the_limit_go_with_their_files(keeper: ArchiveKeeper, filler: Filler) -> None:
    for number, age in enumerate((400, 380, 300)):
        filler.study(f"1.{number}", received=NOW - age * DAY, instances=3)
    rules = retention(keeper, max_age_s=365 * DAY)
    rules.run()
    assert studies(keeper) == ["1.2"]
    assert (rules.deleted_studies, rules.deleted_instances) == (2, 6)
    assert keeper.counts().instances == 3
    assert sum(1 for _ in keeper.files.root.rglob("*.dcm")) == 3


def test_by_size_the_first_that_came_go_until_it_fits(keeper: ArchiveKeeper, filler: Filler) -> None:
    for number in range(5):
        filler.study(f"1.{number}", received=NOW - number)
    one = keeper.counts().bytes // 5
    retention(keeper, max_size=3 * one).run()
    assert studies(keeper) == ["1.2", "1.3", "1.4"]


def test_by_free_disk_they_go_until_enough_is_free(
    keeper: ArchiveKeeper, filler: Filler, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        filler.study(f"1.{number}", received=NOW)
    full = keeper.counts().bytes
    monkeypatch.setattr(keeper.files.disk, "free_bytes", lambda path: 1000 + full - keeper.counts().bytes)
    retention(keeper, keep_free=1000 + full // 4).run()
    assert studies(keeper) == ["1.1", "1.2", "1.3"]


def test_a_dry_run_names_what_a_run_deletes(keeper: ArchiveKeeper, filler: Filler) -> None:
    for number in range(4):
        filler.study(f"1.{number}", received=NOW - (500 - 100 * number) * DAY)
    rules = retention(keeper, max_age_s=365 * DAY, max_size=keeper.counts().bytes // 4)
    planned = [(due.study.study_instance_uid, due.rule) for due in rules.plan()]
    assert planned == [("1.0", "size"), ("1.1", "size"), ("1.2", "size")]
    assert len(studies(keeper)) == 4
    rules.run()
    assert studies(keeper) == ["1.3"]


def test_protected_patients_and_studies_stay(keeper: ArchiveKeeper, filler: Filler) -> None:
    for number in range(5):
        filler.study(f"1.{number}", patient=f"P{number}", received=NOW - 400 * DAY)
    change_protected(keeper.path, patients=["P0"], studies=["1.1"])
    retention(keeper, max_age_s=DAY, protected_patients=["P2"], protected_studies=["1.3"]).run()
    assert studies(keeper) == ["1.0", "1.1", "1.2", "1.3"]
    change_protected(keeper.path, patients=["P0"], remove=True)
    retention(keeper, max_age_s=DAY, protected_patients=["P2", "P3"]).run()
    assert studies(keeper) == ["1.1", "1.2", "1.3"]


def test_nothing_goes_while_it_is_not_known_who_is_protected(keeper: ArchiveKeeper, filler: Filler) -> None:
    filler.study("1.1", received=NOW - 400 * DAY)
    (keeper.path / FILE_NAME).write_text('{"patients": "P1"', "utf-8")
    with pytest.raises(UsageError, match="does not say who is protected"):
        retention(keeper, max_age_s=DAY).step()
    assert studies(keeper) == ["1.1"]


def test_protection_survives_and_is_listed(tmp_path: Path) -> None:
    assert read_protected(tmp_path).patients == frozenset()
    change_protected(tmp_path, patients=["A B", "Ü"], studies=["1.2"])
    protected = read_protected(tmp_path)
    assert protected.covers("A B", "9") and protected.covers("", "1.2") and not protected.covers("A", "1")


def test_a_study_that_is_being_sent_stays_until_it_is(keeper: ArchiveKeeper, filler: Filler) -> None:
    filler.study("1.1", received=NOW - 400 * DAY)
    filler.study("1.2", received=NOW - 400 * DAY)
    rules = retention(keeper, max_age_s=DAY)
    with Archive(keeper.path) as archive:
        selection = archive.instances(StudyInstanceUID="1.1")
        rules.run()
        assert studies(keeper) == ["1.1"]
        assert [bytes(keeper.read(entry)) for entry in selection]
        del selection
        rules.run()
        assert studies(keeper) == []


def test_a_large_study_goes_in_steps_and_is_told_of(keeper: ArchiveKeeper, filler: Filler) -> None:
    count = 2 * INSTANCES_A_STEP
    filler.study("1.1", received=NOW - 400 * DAY, instances=count)
    told: list[Removal] = []
    keeper.tell_removed = told.append
    rules = retention(keeper, max_age_s=DAY)
    assert keeper.counts().instances == count
    batches = keeper.committer.batches
    assert rules.step()
    assert keeper.counts().instances == count - INSTANCES_A_STEP
    assert keeper.committer.batches == batches + 1
    rules.run()
    assert [(len(one.entries), one.whole) for one in told] == [(64, False), (64, True)]
    assert told[0].reason == "age"
    assert rules.deleted_studies == 1


def test_what_replaces_an_instance_while_it_is_deleted_stays(
    keeper: ArchiveKeeper, filler: Filler, monkeypatch: pytest.MonkeyPatch
) -> None:
    [uid] = filler.study("1.1", received=NOW - 400 * DAY)
    again = Filler(keeper, replaces=True)
    select = keeper.index.study_entries

    def replaced_meanwhile(study: ArrivedStudy, count: int) -> list[StoredEntry]:
        entries = select(study, count)
        again.instance(Uids("P", "1.1", "1.1.1", uid), received=NOW - 400 * DAY)
        return list(entries)

    monkeypatch.setattr(keeper.index, "study_entries", replaced_meanwhile)
    told: list[Removal] = []
    keeper.tell_removed = told.append
    rules = retention(keeper, max_age_s=DAY)
    rules.step()
    assert told == []
    monkeypatch.undo()
    [entry] = keeper.index.entries()
    files = [path for path in keeper.files.root.rglob("*.dcm") if path.stat().st_size]
    assert files == [keeper.path_of(entry)]
    rules.run()
    assert [(one.entries, one.whole) for one in told] == [([entry], True)]


def test_a_study_protected_half_way_keeps_the_rest(keeper: ArchiveKeeper, filler: Filler) -> None:
    filler.study("1.1", received=NOW - 400 * DAY, instances=INSTANCES_A_STEP + 10)
    rules = retention(keeper, max_age_s=DAY)
    assert rules.step()
    change_protected(keeper.path, studies=["1.1"])
    rules.run()
    assert keeper.counts().instances == 10


@pytest.mark.parametrize("wrong", [1.0, 3600.0, NOW + 30 * DAY])
def test_a_clock_that_was_not_set_makes_no_study_old(
    keeper: ArchiveKeeper, filler: Filler, wrong: float
) -> None:
    filler.study("1.0", received=NOW - 500 * DAY)
    filler.study("1.1", received=wrong)
    rules = retention(keeper, max_age_s=365 * DAY)
    rules.run()
    assert studies(keeper) == ["1.1"]  # nobody knows how old it is: nothing came after it
    filler.study("1.2", received=NOW - 10 * DAY)
    rules.run()
    assert studies(keeper) == ["1.1", "1.2"]  # it may be as young as the one that came after it
    later = Retention(keeper, rules.rules, clock=lambda: NOW + 400 * DAY)
    later.run()
    assert studies(keeper) == []


class Clocks:
    """A wall clock that can be set, and one that only ticks."""

    def __init__(self) -> None:
        self.wall = NOW
        self.ticks = 100.0

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds

    def watch(self, remembered: float | None = None) -> LeapWatch:
        self.kept: list[float] = []
        return LeapWatch(remembered, self.kept.append, wall=lambda: self.wall, ticks=lambda: self.ticks)


def test_after_a_leap_of_the_clock_age_deletes_nothing_for_a_day(
    keeper: ArchiveKeeper, filler: Filler
) -> None:
    filler.study("1.1", received=NOW - 10 * DAY)
    clocks = Clocks()
    rules = Retention(
        keeper, RetentionConfig(max_age_s=365 * DAY), leaps=clocks.watch(), clock=lambda: clocks.wall
    )
    rules.run()
    clocks.wall += 3650 * DAY
    rules.run()
    assert studies(keeper) == ["1.1"]
    clocks.passes(SETTLE_S / 2)
    clocks.wall -= 3650 * DAY  # somebody noticed
    rules.run()
    clocks.passes(SETTLE_S)
    rules.run()
    assert studies(keeper) == ["1.1"]
    clocks.passes(360 * DAY)
    rules.run()
    assert studies(keeper) == []


def test_a_leap_while_the_machine_was_off_counts_and_a_short_stop_does_not() -> None:
    clocks = Clocks()
    assert clocks.watch(NOW - 3600).settled
    watch = clocks.watch(NOW - 3650 * DAY)
    assert not watch.settled
    clocks.passes(SETTLE_S)
    assert watch.settled
    assert clocks.kept == [NOW + SETTLE_S]


def test_a_restart_after_a_leap_does_not_make_it_believable() -> None:
    clocks = Clocks()
    watch = clocks.watch()
    assert watch.settled
    clocks.wall += 3650 * DAY
    assert not watch.settled
    clocks.passes(SETTLE_S / 2)
    assert not watch.settled
    restarted = clocks.watch(clocks.kept[-1] if clocks.kept else NOW)
    assert not restarted.settled


def test_emptied_folders_go_but_never_the_last(tmp_path: Path) -> None:
    config = Config(archive={"durability": "os", "path": tmp_path})
    for number in range(3):  # each process fills a folder of its own
        with open_keeper(tmp_path / "archive", config) as keeper:
            Filler(keeper).study(f"1.{number}", received=NOW - 400 * DAY)
    with open_keeper(tmp_path / "archive", config) as keeper:
        keeper.recover()
        retention(keeper, max_age_s=DAY).run()
        assert keeper.drop_empty_blocks() == 2
        assert [path.name for path in keeper.files.root.iterdir()] == ["00000003"]
        assert list(keeper.index.notes("sealed/")) == ["sealed/00000003"]
        assert keeper.index.trash() == []
        Filler(keeper).study("1.9", received=time.time())
        assert (keeper.files.root / "00000004").is_dir()


def test_a_running_node_is_not_interfered_with(tmp_path: Path) -> None:
    import fastdicom

    config = Config(port=0, archive=tmp_path / "archive", retention={"max_age": "365 d"})
    with fastdicom.Engine(config) as engine, Archive(engine.archive.path, config=config) as archive:
        deadline = time.monotonic() + 5
        while not (engine.archive.path / "status.json").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(UsageError, match="a node serves this archive"):
            archive.retention()
        assert archive.retention(dry_run=True).studies == []
