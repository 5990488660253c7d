"""Query abuse (19): wildcards, metacharacters, huge identifiers; matching stays linear and answers honest."""

from __future__ import annotations

import time

import pytest

from tests.hostile.harness import (
    CANNOT_UNDERSTAND,
    DATA_SET_MISMATCH,
    OUT_OF_RESOURCES,
    Keeper,
    Target,
    outcome_of,
)
from tests.support.rawcommand import Field, Message, request
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    PATIENT_ROOT_FIND,
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
    RawAssociation,
)
from tests.support.rawelements import (
    ACCESSION_NUMBER,
    PATIENT_ID,
    PATIENT_NAME,
    QUERY_LEVEL,
    STUDY_DATE,
    STUDY_DESCRIPTION,
    STUDY_INSTANCE_UID,
    identifier,
    implicit,
    instance,
)

REFUSALS = (CANNOT_UNDERSTAND, DATA_SET_MISMATCH, OUT_OF_RESOURCES)
STUDIES = 30
QUERY_SECONDS = 3.0
ROOT = "1.2.826.0.1.3680043.10.1561.19"
LONG_NAME = "a" * 60 + "^" + "b" * 3
PLAIN_TAGS = [PATIENT_ID, ACCESSION_NUMBER, STUDY_DESCRIPTION]


_filled: set[int] = set()  # process ids of the servers that have the studies


@pytest.fixture
def target(keeper: Keeper) -> Target:
    """A server that holds STUDIES studies whose names are made for wildcards."""
    server = keeper.target()
    if server.peer.pid not in _filled:
        fill(server)
        _filled.add(server.peer.pid)
    return server


def fill(server: Target) -> None:
    """Store STUDIES studies of one instance."""
    for number in range(STUDIES):
        uids = (f"{ROOT}.{number}", f"{ROOT}.{number}.1", f"{ROOT}.{number}.1.1")
        keys: dict[int, str | bytes] = {
            STUDY_DATE: f"202401{number + 1:02d}",
            PATIENT_NAME: LONG_NAME,
            PATIENT_ID: "a" * 64,
            ACCESSION_NUMBER: "a" * 16,
            STUDY_DESCRIPTION: "a" * 64,
        }
        assert server.send_data_set(instance(uids, CT_IMAGE_STORAGE, keys=keys), uids[2]).status == 0


def timed_find(association: RawAssociation, keys: bytes, model: str = STUDY_ROOT_FIND) -> list[Message]:
    """All answers, which must be there in time."""
    start = time.monotonic()
    answers = association.find(model, keys)
    assert time.monotonic() - start < QUERY_SECONDS
    return answers


def study_keys(tag: int, value: str) -> bytes:
    """An identifier at STUDY level with one key."""
    return identifier("STUDY", {STUDY_INSTANCE_UID: "", tag: value})


EXPENSIVE = ["*a" * 30 + "*z", "*" * 60 + "z", "?*" * 30 + "z", "*" + "a" * 50 + "*z", "a*" * 31 + "z?"]


@pytest.mark.parametrize("pattern", EXPENSIVE)
@pytest.mark.parametrize("tag", [*PLAIN_TAGS, PATIENT_NAME])
def test_class_19_wildcards_cost_linear_time(target: Target, tag: int, pattern: str) -> None:
    with target.unharmed(), target.associate() as association:
        answers = timed_find(association, study_keys(tag, pattern))
        assert [one.status for one in answers] in ([0], *[[status] for status in REFUSALS])
        association.release()


def test_class_19_ten_thousand_wildcards_in_one_key_get_an_answer(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        answers = timed_find(association, study_keys(PATIENT_ID, "*a" * 5000 + "*z"))
        assert answers[-1].status == 0 or answers[-1].status in REFUSALS
        association.release()


LITERALS = [
    *["a%", "_" * 64, ".*", "[a]*", "^a", "a+", "(a|b)*", "a{64}", "\\d", '"'],
    *["' OR '1'='1", "'; DROP TABLE studies; --", "$where", "%00", "\x1b[31m"],
    *["${jndi:ldap://x}", "{{7*7}}", "<script>"],
]


@pytest.mark.parametrize("text", LITERALS)
def test_class_19_metacharacters_are_literals(target: Target, text: str) -> None:
    with target.unharmed(), target.associate() as association:
        for tag in PLAIN_TAGS:
            answers = timed_find(association, study_keys(tag, text))
            assert [one.status for one in answers] in ([0], *[[status] for status in REFUSALS])
        association.release()


@pytest.mark.parametrize("count", [2_000, 20_000, 60_000])
def test_class_19_long_list_of_uids_is_answered_or_refused(target: Target, count: int) -> None:
    uids = "\\".join(["1.2.3." + str(number) for number in range(count)] + [f"{ROOT}.0"])
    with target.unharmed(), target.associate() as association:
        answers = timed_find(association, study_keys(STUDY_INSTANCE_UID, uids))
        statuses = [one.status for one in answers]
        assert statuses == [0xFF00, 0] or (count > 10_000 and statuses[-1] in REFUSALS), statuses
        association.release()


@pytest.mark.parametrize("megabytes", [2, 8, 64])
def test_class_19_huge_identifier_is_refused(target: Target, megabytes: int) -> None:
    keys = identifier("STUDY", {STUDY_INSTANCE_UID: ""}) + implicit(0x00324000, b"x" * (megabytes << 20))
    with target.unharmed(memory_mb=32), target.associate() as association:
        association.query(Field.C_FIND, STUDY_ROOT_FIND, keys)
        assert list(association.responses())[-1].status in REFUSALS
        assert association.echo() == 0
        association.release()


def test_class_19_thousands_of_keys_are_refused_or_answered_soon(target: Target) -> None:
    keys = identifier("STUDY", {STUDY_INSTANCE_UID: ""})
    keys += b"".join(implicit(0x00410000 + number, "") for number in range(0x1000, 0x2000))
    with target.unharmed(), target.associate() as association:
        answers = timed_find(association, keys)
        assert answers[-1].status in REFUSALS or len(answers) == STUDIES + 1
        association.release()


BAD_LEVELS = ["", "study", "STUDIES", "IMAGE\\STUDY", "*", "../..", "A" * 1000, "\x00", "WORKLIST"]


@pytest.mark.parametrize("model", [STUDY_ROOT_FIND, PATIENT_ROOT_FIND])
@pytest.mark.parametrize("level", BAD_LEVELS)
def test_class_19_bad_level_gets_a_final_answer(target: Target, level: str, model: str) -> None:
    with target.unharmed(), target.associate() as association:
        final = timed_find(association, identifier(level, {STUDY_INSTANCE_UID: ""}), model)[-1]
        assert final.status == 0 or final.status in REFUSALS
        if level in ("", "*", "../..", "WORKLIST"):
            assert final.status in REFUSALS and final.comment
        association.release()


def test_class_19_identifier_without_level_is_refused(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        final = timed_find(association, implicit(STUDY_INSTANCE_UID, ""))[-1]
        assert final.status in REFUSALS and final.comment
        final = timed_find(association, b"")[-1]
        assert final.status in REFUSALS
        association.release()


BAD_RANGES = [
    "2024",
    "20241399",
    "-",
    "--",
    "20240101-20240131-",
    "99999999-00000000",
    "abc-def",
    "2024-",
    "\x00-\xff",
]


@pytest.mark.parametrize("text", BAD_RANGES)
def test_class_19_bad_range_gets_a_final_answer(target: Target, text: str) -> None:
    with target.unharmed(), target.associate() as association:
        final = timed_find(association, study_keys(STUDY_DATE, text))[-1]
        assert final.status == 0 or final.status in REFUSALS
        association.release()


@pytest.mark.parametrize("context", [1, 3])
def test_class_19_find_on_a_context_of_another_service_is_not_answered(target: Target, context: int) -> None:
    with target.unharmed(), target.associate() as association:
        association.send_command(context, request(Field.C_FIND, STUDY_ROOT_FIND, 1, data=True))
        association.send_data(context, study_keys(PATIENT_ID, "*"))
        outcome = outcome_of(association)
        assert outcome.ended or outcome.refused


def test_class_19_move_of_everything_without_keys_is_refused(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        for keys in (
            identifier("STUDY"),
            identifier("STUDY", {STUDY_INSTANCE_UID: "*"}),
            implicit(QUERY_LEVEL, ""),
        ):
            final = association.move(STUDY_ROOT_MOVE, keys, "NOWHERE")[-1]
            assert final.status in (*REFUSALS, 0xA801, 0)
            assert final.status != 0 or final.number(0x1021) == 0
        association.release()


def test_class_19_hundred_queries_without_reading_the_answers(target: Target) -> None:
    with target.unharmed(), target.associate() as association:
        for _ in range(100):
            association.query(Field.C_FIND, STUDY_ROOT_FIND, study_keys(PATIENT_ID, "*"))
        association.reset()
