"""Which contexts a set of instances needs, and over how many associations."""

from __future__ import annotations

from fastdicom.dataset.record import FileEntry, StoredEntry
from fastdicom.services.proposals import CONTEXTS_MAX, plan_associations

IMPLICIT, EXPLICIT, JPEG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.70"
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


def entry(number: int, class_uid: str, syntax: str) -> StoredEntry:
    return StoredEntry(class_uid, f"1.2.{number}", "1", "2", FileEntry("", 0, 0, 0, syntax, 0.0, ""))


def test_the_stored_syntax_has_a_context_of_its_own_and_comes_first() -> None:
    (plan,) = plan_associations([entry(1, CT, JPEG), entry(2, MR, IMPLICIT)])
    assert plan.proposals == ((CT, JPEG), (CT, IMPLICIT), (CT, EXPLICIT), (MR, IMPLICIT), (MR, EXPLICIT))
    assert len(plan.entries) == 2


def test_a_peers_setting_limits_what_is_proposed() -> None:
    (plan,) = plan_associations([entry(1, CT, JPEG), entry(2, MR, IMPLICIT)], only=(IMPLICIT,))
    assert plan.proposals == ((CT, IMPLICIT), (MR, IMPLICIT))


def test_more_pairs_than_contexts_go_over_more_associations() -> None:
    entries = [entry(number, f"1.2.3.{number}", JPEG) for number in range(200)]
    plans = plan_associations(entries)
    assert [len(plan.proposals) <= CONTEXTS_MAX for plan in plans] == [True] * len(plans)
    assert [sent for plan in plans for sent in plan.entries] == entries
    assert len(plans) == 5  # three contexts a class


def test_one_class_in_more_syntaxes_than_contexts() -> None:
    entries = [entry(number, CT, f"1.2.3.{number}") for number in range(300)]
    plans = plan_associations(entries)
    assert sorted(sent.sop_instance_uid for plan in plans for sent in plan.entries) == sorted(
        sent.sop_instance_uid for sent in entries
    )
    assert max(len(plan.proposals) for plan in plans) <= CONTEXTS_MAX


def test_nothing_needs_nothing() -> None:
    assert plan_associations([]) == []
