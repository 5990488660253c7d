"""Who was right lately is not asked again, and nobody stands in the queue of passcodes for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastdicom import passcodes as passcodes_module
from fastdicom.passcodes import REMEMBERED_S, Hashed, Passcodes, set_passcode
from fastdicom.upperlayer.pdus import REJECT_CONGESTION, REJECT_USER_IDENTITY, UserIdentity
from fastdicom.user_identity import Failures, UserCheck


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Computed:
    """Counts the comparisons; each lasts a while."""

    def __init__(self, seconds: float) -> None:
        self.count = 0
        self.seconds = seconds

    def __call__(self, passcode: bytes, how: Hashed) -> bytes:
        self.count += 1
        time.sleep(self.seconds)
        return passcode.ljust(32, b"\0")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Computed]:
    """A passcode is its own hash here: what it costs is what is looked at."""
    found = Computed(0.005)
    monkeypatch.setattr(passcodes_module, "_digest", found)
    yield found


def users(count: int, clock: Clock | None = None) -> Passcodes:
    hashed = {
        f"user{number}": Hashed(2, b"salt%d" % number, (b"right%d" % number).ljust(32, b"\0"))
        for number in range(count)
    }
    return Passcodes(dict(hashed), clock or time.monotonic)


def check(known: Passcodes, wait_s: float = 5.0, failures_max: int = 5) -> UserCheck:
    found = UserCheck(
        "required", None, Failures(), failures_max=failures_max, window_s=60, wait_s=wait_s,
        clock=time.monotonic,
    )  # fmt: skip
    found._passcodes = known
    return found


def identity(number: int, passcode: bytes = b"") -> UserIdentity:
    return UserIdentity(2, False, b"user%d" % number, passcode or b"right%d" % number)


def at_once(checked: UserCheck, identities: list[UserIdentity]) -> list[tuple[object, float]]:
    """(what each is rejected with, seconds until then), of all of them together."""
    found: list[tuple[object, float]] = []

    def ask(one: UserIdentity, number: int) -> None:
        began = time.monotonic()
        objection = checked.objection(one, f"10.0.0.{number}")
        found.append((objection and objection[0], time.monotonic() - began))

    threads = [threading.Thread(target=ask, args=(one, number)) for number, one in enumerate(identities)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_hundred_users_at_once_wait_for_a_bounded_time_and_all_get_in(computed: Computed) -> None:
    everybody = [identity(number) for number in range(100)]
    checked = check(users(100), wait_s=0.1)
    rounds = []
    for _ in range(20):  # those who are rejected for the moment come again
        verdicts = at_once(checked, everybody)
        assert {verdict for verdict, _ in verdicts} <= {None, REJECT_CONGESTION}
        assert max(seconds for _, seconds in verdicts) < 0.1 + 1.0  # and what a loaded machine takes
        rounds.append(sum(verdict is None for verdict, _ in verdicts))
        if rounds[-1] == 100:
            break
    assert rounds[0] < 100 == rounds[-1], rounds
    count = computed.count
    assert all(verdict is None for verdict, _ in at_once(checked, everybody))
    assert computed.count == count  # nobody was asked again


def test_one_user_with_many_associations_costs_one_comparison(computed: Computed) -> None:
    checked = check(users(1))
    assert [verdict for verdict, _ in at_once(checked, [identity(0)] * 50)] == [None] * 50
    assert computed.count == 1


def test_a_flood_of_wrong_passcodes_from_one_address_costs_a_few_comparisons(computed: Computed) -> None:
    checked = check(users(1), failures_max=3)
    answers: list[object] = []

    def guess(number: int) -> None:
        answers.append(checked.objection(identity(0, b"guess%d" % number), "10.0.0.1"))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert computed.count == 3
    assert sum("too many wrong passcodes" in str(answer) for answer in answers) == 37
    objection = checked.objection(identity(0), "10.0.0.1")
    assert objection is not None and objection[0] is REJECT_USER_IDENTITY  # right, but from there
    assert checked.objection(identity(0), "10.0.0.2") is None
    assert checked.objection(identity(0), "10.0.0.1") is not None  # remembered, and still from there


def test_only_the_same_passcode_of_the_same_user_is_remembered_and_not_for_long(computed: Computed) -> None:
    clock = Clock()
    known = users(2, clock)
    assert known.matches("user0", b"right0") and known.matched_lately("user0", b"right0")
    for name, passcode in (("user0", b"right1"), ("user1", b"right0"), ("user1", b"right1"), ("", b"")):
        assert not known.matched_lately(name, passcode)
    assert not known.matches("user1", b"right0") and not known.matched_lately("user1", b"right0")
    clock.now += REMEMBERED_S
    assert not known.matched_lately("user0", b"right0")
    assert known.matches("user1", b"right1") and len(known._verified) == 1  # what is over is forgotten


def test_a_name_and_a_passcode_are_kept_apart(computed: Computed) -> None:
    shared = Hashed(2, b"", b"right".ljust(32, b"\0"))
    known = Passcodes({"a": shared, "ab": shared})
    assert known.matches("ab", b"right") and not known.matched_lately("a", b"bright")


def test_a_changed_file_is_another_memory_and_none_holds_a_passcode(tmp_path: Path) -> None:
    path = tmp_path / "passcodes"
    set_passcode(path, "one", "open sesame")
    known = Passcodes.load(path)
    assert known.matches("one", b"open sesame") and known.matched_lately("one", b"open sesame")
    assert "sesame" not in repr(vars(known))
    set_passcode(path, "one", "another")
    assert not Passcodes.load(path).matched_lately("one", b"open sesame")
    other = Passcodes(known._users)
    other._verified = dict(known._verified)
    assert not other.matched_lately("one", b"open sesame")  # the marks say nothing under another key


def test_a_username_alone_waits_for_no_passcode(computed: Computed) -> None:
    computed.seconds = 0.5
    known = Passcodes({**users(1)._users, "named": None})
    checked = check(known, wait_s=0.1)
    busy = threading.Thread(target=checked.objection, args=(identity(0), "10.0.0.1"))
    busy.start()
    time.sleep(0.05)
    began = time.monotonic()
    assert checked.objection(UserIdentity(1, False, b"named", b""), "10.0.0.2") is None
    assert checked.objection(UserIdentity(1, False, b"user0", b"right0"), "10.0.0.2") is not None
    assert time.monotonic() - began < 0.3
    busy.join()
