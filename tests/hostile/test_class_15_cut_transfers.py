"""Truncated and cut transfers (15): nothing of a cut instance is ever visible or left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hostile.harness import (
    CANNOT_UNDERSTAND,
    DATA_SET_MISMATCH,
    Target,
    fresh_uids,
)
from tests.support import rawpdu
from tests.support.rawcommand import Element, Field, Value, request
from tests.support.rawdicom import CT_IMAGE_STORAGE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, RawAssociation
from tests.support.rawelements import PIXEL_DATA, explicit, implicit, instance

FRACTIONS = [0.0, 0.001, 0.1, 0.5, 0.9, 0.999]
SIZE = 300_000
ENDINGS: dict[str, Callable[[RawAssociation], None]] = {
    "reset": RawAssociation.reset,
    "abort": RawAssociation.abort,
    "close": RawAssociation.close,
}


def store_pdus(uids: tuple[str, str, str], context: int, pdu_max: int) -> tuple[bytes, bytes]:
    """A C-STORE as PDUs: those of the command, those of the Data Set."""
    data = instance(uids, CT_IMAGE_STORAGE, [explicit(PIXEL_DATA, "OW", bytes(SIZE))])
    more: dict[int, Value] = {Element.AFFECTED_SOP_INSTANCE_UID: uids[2]}
    command = request(Field.C_STORE, CT_IMAGE_STORAGE, 1, data=True, more=more)
    first = rawpdu.fragments(context, command, command=True, pdu_max=pdu_max)
    return b"".join(first), b"".join(rawpdu.fragments(context, data, command=False, pdu_max=pdu_max))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_class_15_transfer_cut_on_the_wire_leaves_nothing(
    target: Target, fraction: float, ending: str
) -> None:
    uids = fresh_uids()
    with target.unharmed():
        association = target.associate()
        command, data = store_pdus(uids, association.context_for(CT_IMAGE_STORAGE, EXPLICIT_LE), 4096)
        association.send(command, data[: int(len(data) * fraction)])
        ENDINGS[ending](association)
        assert target.studies_found(uids[0]) == 0


def test_class_15_release_in_the_middle_of_a_data_set_leaves_nothing(target: Target) -> None:
    uids = fresh_uids()
    with target.unharmed():
        with target.associate() as association:
            command, data = store_pdus(uids, association.context_for(CT_IMAGE_STORAGE, EXPLICIT_LE), 4096)
            association.send(command, data[: 4102 * 3], rawpdu.release_rq())
            association.read_to_end(5)
        assert target.studies_found(uids[0]) == 0


def test_class_15_hundred_cut_transfers_in_a_row_leave_nothing(target: Target) -> None:
    uids = fresh_uids()
    with target.unharmed():
        for number in range(100):
            association = target.associate()
            command, data = store_pdus(uids, association.context_for(CT_IMAGE_STORAGE, EXPLICIT_LE), 16384)
            association.send(command, data[: number * len(data) // 100])
            association.reset()
        assert target.studies_found(uids[0]) == 0


CONTEXTS = {"explicit_le": EXPLICIT_LE, "implicit_le": IMPLICIT_LE}


@pytest.mark.parametrize("syntax", CONTEXTS)
@pytest.mark.parametrize("left", [*range(1, 13), 20, 99])
def test_class_15_data_set_that_ends_inside_an_element_is_refused(
    target: Target, syntax: str, left: int
) -> None:
    uids, vrs = fresh_uids(), syntax == "explicit_le"
    pixels = explicit(PIXEL_DATA, "OW", bytes(100)) if vrs else implicit(PIXEL_DATA, bytes(100))
    data = instance(uids, CT_IMAGE_STORAGE, [pixels[:left]], vrs=vrs)
    with target.unharmed():
        outcome = target.send_data_set(data, uids[2], CONTEXTS[syntax])
        assert outcome.status in (CANNOT_UNDERSTAND, DATA_SET_MISMATCH), outcome
        assert outcome.comment, "a refusal without an Error Comment"
        assert target.studies_found(uids[0]) == 0


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, EXPLICIT_BE, IMPLICIT_LE])
def test_class_15_empty_data_set_is_refused(target: Target, syntax: str) -> None:
    uids = fresh_uids()
    with target.unharmed():
        assert target.send_data_set(b"", uids[2], syntax).status in (CANNOT_UNDERSTAND, DATA_SET_MISMATCH)


def test_class_15_instance_sent_again_after_a_cut_is_stored_whole(target: Target) -> None:
    uids = fresh_uids()
    data = instance(uids, CT_IMAGE_STORAGE, [explicit(PIXEL_DATA, "OW", bytes(SIZE))])
    with target.unharmed(stored=1):
        association = target.associate()
        command, pdus = store_pdus(uids, association.context_for(CT_IMAGE_STORAGE, EXPLICIT_LE), 4096)
        association.send(command, pdus[: len(pdus) // 2])
        association.reset()
        assert target.send_data_set(data, uids[2]).status == 0
        assert target.studies_found(uids[0]) == 1
