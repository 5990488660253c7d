"""Deep nesting (4): 10,000 sequences inside each other, in every shape, stored and asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hostile.harness import (
    CANNOT_UNDERSTAND,
    DATA_SET_MISMATCH,
    OUT_OF_RESOURCES,
    Target,
    fresh_uids,
)
from tests.support.rawcommand import Element, Field
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    DEFLATED_LE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from tests.support.rawelements import (
    STUDY_INSTANCE_UID,
    UNDEFINED,
    deflated,
    delimiter,
    explicit,
    identifier,
    instance,
    item,
    nested,
)

DEEP = 10_000
TOO_DEEP = 70  # the limit is 64; a level more or less is for the unit tests
ALLOWED = 60
REFUSALS = (CANNOT_UNDERSTAND, DATA_SET_MISMATCH, OUT_OF_RESOURCES)
UN_TAG, SEQUENCE_TAG = 0x00091010, 0x00400275

SHAPES: dict[str, Callable[[], bytes]] = {
    "undefined": lambda: nested(DEEP),
    "unclosed": lambda: nested(DEEP, closed=False),
    "defined": lambda: nested(DEEP, defined=True),
    "just_too_deep": lambda: nested(TOO_DEEP),
    "private": lambda: nested(DEEP, tag=UN_TAG),
    "un_of_undefined_length": lambda: explicit(UN_TAG, "UN", nested(DEEP, vrs=False), UNDEFINED),
    "million": lambda: nested(1_000_000),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_class_04_deep_nesting_in_explicit_vr_is_refused(target: Target, shape: str) -> None:
    uids = fresh_uids()
    with target.unharmed():
        outcome = target.send_data_set(instance(uids, CT_IMAGE_STORAGE, [SHAPES[shape]()]), uids[2])
        assert outcome.status in REFUSALS, outcome
        assert target.studies_found(uids[0]) == 0


@pytest.mark.parametrize("defined", [True, False])
def test_class_04_deep_nesting_in_implicit_vr_is_refused(target: Target, defined: bool) -> None:
    uids = fresh_uids()
    data = instance(uids, CT_IMAGE_STORAGE, [nested(DEEP, vrs=False, defined=defined)], vrs=False)
    with target.unharmed():
        assert target.send_data_set(data, uids[2], IMPLICIT_LE).status in REFUSALS


def test_class_04_deep_nesting_inside_deflated_data_is_refused(target: Target) -> None:
    uids = fresh_uids()
    data = deflated(instance(uids, CT_IMAGE_STORAGE, [nested(100_000)]))
    with target.unharmed():
        assert target.send_data_set(data, uids[2], DEFLATED_LE).status in REFUSALS


def test_class_04_nesting_inside_items_with_siblings_is_refused(target: Target) -> None:
    uids = fresh_uids()
    wide = explicit(SEQUENCE_TAG, "SQ", item(b"", UNDEFINED) * 2000 + delimiter(0xFFFEE0DD), UNDEFINED)
    with target.unharmed():
        data = instance(uids, CT_IMAGE_STORAGE, [wide, nested(DEEP, tag=0x00400280)])
        assert target.send_data_set(data, uids[2]).status in REFUSALS


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
@pytest.mark.parametrize("defined", [True, False])
def test_class_04_moderate_nesting_is_stored(target: Target, syntax: str, defined: bool) -> None:
    uids, vrs = fresh_uids(), syntax == EXPLICIT_LE
    data = instance(uids, CT_IMAGE_STORAGE, [nested(ALLOWED, defined=defined, vrs=vrs)], vrs=vrs)
    with target.unharmed(stored=1):
        assert target.send_data_set(data, uids[2], syntax).status == 0
        assert target.studies_found(uids[0]) == 1


@pytest.mark.parametrize("depth", [TOO_DEEP, DEEP, 40_000])
@pytest.mark.parametrize("defined", [True, False])
def test_class_04_deep_nesting_in_an_identifier_is_refused(target: Target, depth: int, defined: bool) -> None:
    keys = identifier("STUDY", {STUDY_INSTANCE_UID: ""}) + nested(depth, vrs=False, defined=defined)
    with target.unharmed(), target.associate() as association:
        assert association.find(STUDY_ROOT_FIND, keys)[-1].status in REFUSALS
        assert association.echo() == 0
        association.query(Field.C_MOVE, STUDY_ROOT_MOVE, keys, {Element.MOVE_DESTINATION: "ATTACKER"})
        assert list(association.responses())[-1].status in (*REFUSALS, 0xA801)
        association.query(Field.C_GET, STUDY_ROOT_GET, keys)
        assert list(association.responses())[-1].status in REFUSALS
        association.release()
