"""Names that a peer chooses: path traversal by UID (1) and by AE title or attribute (2), commands (3)."""

from __future__ import annotations

import contextlib

import pytest

from tests.hostile.harness import Outcome, Target, fresh_uids
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
    Aborted,
    RawAssociation,
    Rejected,
)
from tests.support.rawelements import (
    PATIENT_ID,
    PATIENT_NAME,
    STUDY_DESCRIPTION,
    STUDY_INSTANCE_UID,
    identifier,
    instance,
)

TRAVERSALS = [
    "../../escaped",
    "../escaped.dcm",
    "..",
    ".",
    "1.2.3/../../../escaped",
    "1.2.3\x00/../escaped",
    "1.2.3/4",
    "..\\..\\escaped",
    "%2e%2e%2fescaped",
    "1.2.3\n4",
    "-rf",
    "~/escaped",
    "\xff\xfe",
]
COMMANDS = [
    ";touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "|touch pwned",
    "';touch pwned;'",
    "&touch pwned&",
]
EVIL_TITLES = ["../secret/VICTIM", "/etc/passwd", "%s%n%s%n%x", "..", "a\x00b", "A\nFORGED LINE", "\xff\xff"]


def check_kept_or_refused(target: Target, outcome: Outcome, study: str) -> int:
    """How many files must be there: an accepted oddity is found again, a refused one leaves nothing."""
    assert not outcome.ended, f"a bad value ended the association: {outcome}"
    if outcome.status == 0:
        assert target.studies_found(study) == 1
        return 1
    assert outcome.refused, f"status {outcome.status:04X}H"
    assert outcome.comment, "a refusal without an Error Comment"
    return 0


@pytest.mark.parametrize("uid", TRAVERSALS)
def test_class_01_sop_instance_uid_is_no_path(target: Target, uid: str) -> None:
    study, series, _ = fresh_uids()
    with target.unharmed() as after:
        outcome = target.send_data_set(instance((study, series, uid), CT_IMAGE_STORAGE), uid)
        after.stored = check_kept_or_refused(target, outcome, study)


@pytest.mark.parametrize("level", ["study", "series"])
@pytest.mark.parametrize("uid", TRAVERSALS)
def test_class_01_study_and_series_uid_are_no_paths(target: Target, uid: str, level: str) -> None:
    study, series, sop_instance = fresh_uids()
    uids = (uid, series, sop_instance) if level == "study" else (study, uid, sop_instance)
    with target.unharmed() as after:
        outcome = target.send_data_set(instance(uids, CT_IMAGE_STORAGE), sop_instance)
        assert not outcome.ended
        assert outcome.status == 0 or outcome.refused
        after.stored = int(outcome.status == 0)


def test_class_01_absolute_path_as_uid(target: Target) -> None:
    study, series, _ = fresh_uids()
    uid = f"{target.root}/x"[:64]
    with target.unharmed() as after:
        outcome = target.send_data_set(instance((study, series, uid), CT_IMAGE_STORAGE), uid)
        after.stored = check_kept_or_refused(target, outcome, study)


@pytest.mark.parametrize("length", [65, 128, 4000])
def test_class_01_uid_longer_than_64_is_refused(target: Target, length: int) -> None:
    study, series, _ = fresh_uids()
    uid = "1." * (length // 2) + "1" * (length % 2)
    with target.unharmed():
        outcome = target.send_data_set(instance((study, series, uid), CT_IMAGE_STORAGE), uid)
        assert outcome.refused or outcome.ended, outcome


@pytest.mark.parametrize("title", EVIL_TITLES)
@pytest.mark.parametrize("side", ["called", "calling"])
def test_class_02_ae_title_is_no_path_and_no_format(target: Target, title: str, side: str) -> None:
    with target.unharmed():
        try:
            with RawAssociation.to(target.port, **{side: title}) as association:  # type: ignore[arg-type]
                assert association.echo() == 0
                association.release()
        except (Rejected, Aborted):
            pass  # refusing such a title is as good as ignoring it
    assert not any(line.startswith("FORGED") for line in target.peer.log.splitlines()), "a forged log line"


@pytest.mark.parametrize("tag", [PATIENT_ID, PATIENT_NAME, STUDY_DESCRIPTION])
@pytest.mark.parametrize("value", ["../../escaped", "/etc/passwd", "a\x00/../b", ".." * 30])
def test_class_02_attributes_are_no_paths(target: Target, tag: int, value: str) -> None:
    uids = fresh_uids()
    with target.unharmed() as after:
        outcome = target.send_data_set(instance(uids, CT_IMAGE_STORAGE, keys={tag: value}), uids[2])
        after.stored = check_kept_or_refused(target, outcome, uids[0])


@pytest.mark.parametrize("destination", ["../../x", "/dev/null", "%s%n", "$(touch pwned)"])
def test_class_02_move_destination_is_only_looked_up(target: Target, destination: str) -> None:
    study = identifier("STUDY", {STUDY_INSTANCE_UID: "1.2.3"})
    with target.unharmed(), target.associate() as association:
        assert association.move(STUDY_ROOT_MOVE, study, destination)[-1].status == 0xA801
        association.release()


@pytest.mark.parametrize("value", ["../../*", "/etc/*", "..\\*"])
def test_class_02_query_keys_are_no_paths(target: Target, value: str) -> None:
    keys = identifier("STUDY", {PATIENT_ID: value, STUDY_INSTANCE_UID: ""})
    with target.unharmed(), target.associate() as association:
        answers = association.find(STUDY_ROOT_FIND, keys)
        association.release()
    assert all(one.status in (0xFF00, 0) for one in answers)


@pytest.mark.parametrize("command", COMMANDS)
def test_class_03_nothing_runs_a_name(target: Target, command: str) -> None:
    study, series, sop_instance = fresh_uids()
    with target.unharmed() as after:
        data = instance(
            (study, series, sop_instance), CT_IMAGE_STORAGE, keys={PATIENT_NAME: command, PATIENT_ID: command}
        )
        first = target.send_data_set(data, sop_instance)
        uid = f"1.2{command}"
        second = target.send_data_set(instance((study, series, uid), CT_IMAGE_STORAGE), uid)
        after.stored = sum(check_kept_or_refused(target, one, study) for one in (first, second))
        with contextlib.suppress(Rejected, Aborted):
            RawAssociation.to(target.port, calling=command, called=command).abort()
