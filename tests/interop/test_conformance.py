"""The conformance tables: every SOP class with every transfer syntax, and one instance of every class."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.support.conformance import QUERY_CLASSES, STORAGE_CLASSES, TRANSFER_SYNTAXES, VERIFICATION, Row
from tests.support.datasets import numbered_uids, synthetic
from tests.support.node import Node, fastdicom_node, peer_table
from tests.support.rawcommand import Field, request
from tests.support.rawdicom import EXPLICIT_LE, IMPLICIT_LE, RawAssociation
from tests.support.rawelements import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from tests.support.rawpdu import Proposal
from tests.support.rawserver import RawServer, Sink
from tests.support.retrieve import Querier

ALL_CLASSES = [row.uid for row in STORAGE_CLASSES] + [*QUERY_CLASSES, VERIFICATION]
PRIVATE_CLASS, PRIVATE_SYNTAX = "1.2.826.0.1.3680043.10.1561.77.1", "1.2.826.0.1.3680043.10.1561.77.2"


def batches(proposals: list[Proposal]) -> list[list[Proposal]]:
    """Renumbered, at most 128 to an association."""
    numbered = [proposals[start : start + 128] for start in range(0, len(proposals), 128)]
    return [
        [Proposal(2 * at + 1, one.abstract_syntax, one.transfer_syntaxes) for at, one in enumerate(batch)]
        for batch in numbered
    ]


def results(port: int, proposals: list[Proposal]) -> list[tuple[int, str]]:
    """Result and chosen syntax of every proposal, over as many associations as it takes."""
    found = []
    for batch in batches(proposals):
        with RawAssociation.to(port, batch) as association:
            assert association.answer is not None
            by_id = {verdict.context_id: verdict for verdict in association.answer.verdicts}
            found += [(by_id[one.context_id].result, by_id[one.context_id].transfer_syntax) for one in batch]
            association.release()
    return found


def test_every_class_is_accepted_with_every_transfer_syntax(node: Node) -> None:
    pairs = list(itertools.product(ALL_CLASSES, (row.uid for row in TRANSFER_SYNTAXES)))
    assert len(pairs) == 4092
    got = results(node.port, [Proposal(1, sop_class, (syntax,)) for sop_class, syntax in pairs])
    assert [pair for pair, verdict in zip(pairs, got, strict=True) if verdict != (0, pair[1])] == []


@pytest.mark.parametrize("place", [0, 1, -1])
def test_implicit_vr_is_chosen_wherever_it_stands(node: Node, place: int) -> None:
    others = [row.uid for row in TRANSFER_SYNTAXES if row.uid != IMPLICIT_LE]
    offered = [*others[:place], IMPLICIT_LE, *others[place:]] if place >= 0 else [*others, IMPLICIT_LE]
    got = results(node.port, [Proposal(1, uid, tuple(offered)) for uid in ALL_CLASSES])
    assert set(got) == {(0, IMPLICIT_LE)}


def test_without_implicit_vr_the_first_known_syntax_is_chosen(node: Node) -> None:
    offered = (PRIVATE_SYNTAX, "1.2.840.10008.1.2.4.80", EXPLICIT_LE)
    got = results(node.port, [Proposal(1, uid, offered) for uid in ALL_CLASSES])
    assert set(got) == {(0, "1.2.840.10008.1.2.4.80")}


def test_unknown_class_and_unknown_syntax_are_told_apart(node: Node) -> None:
    proposals = [
        Proposal(1, PRIVATE_CLASS, (IMPLICIT_LE,)),
        Proposal(1, ALL_CLASSES[0], (PRIVATE_SYNTAX,)),
        Proposal(1, PRIVATE_CLASS, (PRIVATE_SYNTAX,)),
    ]
    assert [result for result, _ in results(node.port, proposals)] == [3, 4, 3]


def test_private_class_is_stored_when_the_option_says_so(tmp_path: Path) -> None:
    uids = numbered_uids(5, 1)
    with fastdicom_node(tmp_path / "node", {"archive": {"accept_unknown_sop_classes": True}}) as node:
        with RawAssociation.to(node.port, [Proposal(1, PRIVATE_CLASS, (EXPLICIT_LE,))]) as association:
            data = synthetic(PRIVATE_CLASS, EXPLICIT_LE, uids)
            assert association.store(PRIVATE_CLASS, uids.instance, data).status == 0
            association.release()
        with Querier(node.port) as querier:
            assert querier.uids("STUDY", STUDY_INSTANCE_UID) == [uids.study]


def store_one_of_each(port: int, syntax: str) -> dict[str, tuple[str, bytes]]:
    """An instance of every Storage class; class and bytes by SOP Instance UID."""
    proposals = [Proposal(2 * at + 1, row.uid, (syntax,)) for at, row in enumerate(STORAGE_CLASSES)]
    stored = {}
    with RawAssociation.to(port, proposals, timeout_s=30) as association:
        for at, row in enumerate(STORAGE_CLASSES):
            uids = numbered_uids(6, at, series=at, study=at)
            data = synthetic(row.uid, syntax, uids, 1024)
            response = association.store(row.uid, uids.instance, data, 2 * at + 1)
            assert response.status == 0, f"{row.name}: {response.status:04X}H {response.comment}"
            stored[uids.instance] = (row.uid, data)
        association.release()
    return stored


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES, ids=lambda row: str(row.name))
def test_one_instance_of_every_class_is_stored_found_and_sent_on(tmp_path: Path, syntax: Row) -> None:
    sink = Sink()
    with RawServer(sink.serve) as server:
        peers = [peer_table("SINK", server.port)]
        with fastdicom_node(tmp_path / "node", peers=peers) as node, Querier(node.port) as querier:
            stored = store_one_of_each(node.port, syntax.uid)
            assert found_by_study(querier) == set(stored)
            assert querier.move_everything() == len(stored)
    came = {one.sop_instance: (one.sop_class, one.data) for one in sink.received}
    assert {one.transfer_syntax for one in sink.received} == {syntax.uid}
    assert came == stored


def found_by_study(querier: Querier) -> set[str]:
    """SOP Instance UIDs, each study having one series of one instance."""
    found = set()
    for study in querier.uids("STUDY", STUDY_INSTANCE_UID):
        (series,) = querier.uids("SERIES", SERIES_INSTANCE_UID, {STUDY_INSTANCE_UID: study})
        keys = {STUDY_INSTANCE_UID: study, SERIES_INSTANCE_UID: series}
        found |= set(querier.uids("IMAGE", SOP_INSTANCE_UID, keys))
    return found


def test_echo_find_and_move_work_in_every_transfer_syntax(node: Node) -> None:
    for row in TRANSFER_SYNTAXES:
        with RawAssociation.to(node.port, [Proposal(1, VERIFICATION, (row.uid,))]) as association:
            association.send_command(1, request(Field.C_ECHO, VERIFICATION, 1, data=False))
            assert association.read_message().status == 0
            association.release()
