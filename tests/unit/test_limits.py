"""Every ceiling of [limits] is in force: one test for each, and a test that none is forgotten."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastdicom import Config, Engine
from fastdicom.config import Limits
from fastdicom.net.connection import Connection, Timing
from fastdicom.services.budget import Budget
from fastdicom.settings import keys_of
from fastdicom.upperlayer.association import Association
from tests.support import rawpdu
from tests.support.rawcommand import Element, Field, Message, request
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    DEFLATED_LE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
    Aborted,
    ConnectionEnded,
    RawAssociation,
    RawConnection,
)
from tests.support.rawelements import (
    PATIENT_ID,
    STUDY_INSTANCE_UID,
    deflated,
    explicit,
    identifier,
    instance,
    nested,
)
from tests.support.rawpdu import Proposal
from tests.support.waiting import wait_for
from tests.unit.net.test_server import PairTransport

KIB, MIB = 1 << 10, 1 << 20
LOW: dict[str, Any] = {
    "association_request_length_max": 8 * KIB,
    "command_set_length_max": 4 * KIB,
    "look_ahead_length_max": 8 * KIB,
    "identifier_length_max": 8 * KIB,
    "identifiers_length_max": 12 * KIB,
    "identifier_keys_max": 8,
    "identifier_uids_max": 10,
    "retrieve_instances_max": 2,
    "nesting_depth_max": 5,
    "element_count_max": 1000,
    "inflated_length_max": 2 * MIB,
    "inflate_ratio_max": 100,
    "inflate_ratio_after": 64 * KIB,
    "dataset_length_max": 3 * MIB,
    "incoming_length_max": 4 * MIB,
    "indexed_value_length_max": 64,
    "answers_max": 2,
    "message_stall": 0.5,
    "message_time": 1.0,
    "association_time": 2.0,
    "half_open_max": 20,
}
# What is tested where it belongs.
ELSEWHERE = {
    "half_open_per_address_max": "test_access_rules",
    "associations_per_peer_max": "test_access_rules",
    "associations_per_address_max": "test_access_rules",
    "identity_failures_max": "test_access_rules",
    "identity_failures_window": "test_access_rules",
    "identity_wait": "test_access_rules",
    "send_stall": "net/test_server, hostile/test_class_16_slow_peers",
    "frame_length_max": "transcoding/test_gate",
    "file_reads_max": "index/test_answers",
    "file_read_length_max": "test_file_attributes",
    "codec_time_max": "transcoding/test_workers",
    "codec_memory_max": "transcoding/test_workers",
    "commit_stall": "test_vitals",
    "work_stall": "test_vitals",
}
PROPOSALS = [
    Proposal(1, VERIFICATION, (IMPLICIT_LE,)),
    Proposal(3, CT_IMAGE_STORAGE, (EXPLICIT_LE,)),
    Proposal(5, CT_IMAGE_STORAGE, (DEFLATED_LE,)),
    Proposal(7, STUDY_ROOT_FIND, (IMPLICIT_LE,)),
    Proposal(9, STUDY_ROOT_MOVE, (IMPLICIT_LE,)),
    Proposal(11, STUDY_ROOT_GET, (IMPLICIT_LE,)),
]
OUT_OF_RESOURCES, CANNOT_COUNT = 0xA700, 0xA701


def test_every_limit_has_a_test() -> None:
    assert set(keys_of(Limits)) == set(LOW) | set(ELSEWHERE)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    everything = {"unknown_peers": ["echo", "store", "find", "move", "get"]}
    folder = tmp_path_factory.mktemp("limits") / "archive"
    with Engine(Config(port=0, archive=folder, access=everything, limits=LOW)) as running:
        yield running


@pytest.fixture
def peer(engine: Engine) -> Iterator[RawAssociation]:
    with RawAssociation.to(engine.addresses[0][1], PROPOSALS) as association:
        yield association


def uids(number: int, study: int = 0) -> tuple[str, str, str]:
    base = f"1.2.826.0.1.3680043.10.1561.9.{study}"
    return base, f"{base}.1", f"{base}.1.{number}"


def store(peer: RawAssociation, number: int, *more: bytes, syntax: str = EXPLICIT_LE, **keys: Any) -> Message:
    names = uids(number, keys.pop("study", 0))
    data = instance(names, CT_IMAGE_STORAGE, more, keys.pop("keys", None))
    packed = deflated(data) if syntax == DEFLATED_LE else data
    return peer.store(CT_IMAGE_STORAGE, names[2], packed, peer.context_for(CT_IMAGE_STORAGE, syntax))


def pixels(length: int) -> bytes:
    return explicit(0x7FE00010, "OW", bytes(length))


def refused(answer: Message, words: str, status: int = OUT_OF_RESOURCES) -> None:
    assert answer.status == status, f"{answer.status:04X}H {answer.comment}"
    assert words in answer.comment


def ends_with_abort(peer: RawConnection, within_s: float = 5.0) -> None:
    peer.sock.settimeout(within_s)
    with pytest.raises((Aborted, ConnectionEnded)):
        while True:
            kind, body = peer.read_pdu()
            if kind == rawpdu.ABORT:
                raise Aborted(body[2], body[3])


# ---------------------------------------------------------------------------------------- C-STORE


def test_dataset_length_max(peer: RawAssociation) -> None:
    refused(store(peer, 1, pixels(3 * MIB)), "Data Set of more than 3145728 bytes")
    assert peer.echo() == 0


def test_incoming_length_max_is_for_all_together(engine: Engine, peer: RawAssociation) -> None:
    with RawAssociation.to(engine.addresses[0][1], PROPOSALS) as other:
        names = uids(2)
        more: dict[int, Any] = {Element.AFFECTED_SOP_INSTANCE_UID: names[2]}
        other.send_command(3, request(Field.C_STORE, CT_IMAGE_STORAGE, 1, data=True, more=more))
        other.send_data(3, instance(names, CT_IMAGE_STORAGE, [pixels(2 * MIB)])[:-2], last=False)
        for _ in range(100):
            if engine.status()["queues"]["incoming_bytes"] > 2 * MIB:
                break
            time.sleep(0.01)
        refused(
            store(peer, 3, pixels(5 * MIB // 2)), "Data Sets being received: more than 4194304 bytes in all"
        )
        assert store(peer, 4, pixels(MIB)).status == 0
        other.send_data(3, b"\0\0")
        assert other.read_message().status == 0
    assert store(peer, 5, pixels(5 * MIB // 2)).status == 0
    peer.release()
    assert engine.status()["queues"]["incoming_bytes"] == 0


def test_what_was_held_is_given_back_by_who_leaves(engine: Engine) -> None:
    peer = RawAssociation.to(engine.addresses[0][1], PROPOSALS)
    more: dict[int, Any] = {Element.AFFECTED_SOP_INSTANCE_UID: "1.2.3"}
    peer.send_command(3, request(Field.C_STORE, CT_IMAGE_STORAGE, 1, data=True, more=more))
    peer.send_data(3, bytes(MIB), last=False)
    query = peer.context_for(STUDY_ROOT_FIND)
    peer.reset()
    with RawAssociation.to(engine.addresses[0][1], PROPOSALS) as other:
        other.send_command(query, request(Field.C_FIND, STUDY_ROOT_FIND, 1, data=True))
        other.send_data(query, bytes(4000), last=False)
    for _ in range(500):
        queues = engine.status()["queues"]
        if not queues["incoming_bytes"] and not queues["identifier_bytes"]:
            return
        time.sleep(0.01)
    pytest.fail(f"still held: {queues}")


def test_nesting_depth_max(peer: RawAssociation) -> None:
    assert store(peer, 6, nested(5)).status == 0
    assert store(peer, 7, nested(6)).status == 0xC000


def test_element_count_max(peer: RawAssociation) -> None:
    few = b"".join(explicit(0x00091000 + at, "LO", b"") for at in range(900))
    many = b"".join(explicit(0x00091000 + at, "LO", b"") for at in range(1001))
    assert store(peer, 8, few).status == 0
    answer = store(peer, 9, many)
    assert answer.status == 0xC000 and "one element too many" in answer.comment


def test_inflated_length_max_and_ratio(peer: RawAssociation) -> None:
    noise = random.Random(1).randbytes
    assert store(peer, 10, explicit(0x7FE00010, "OW", noise(MIB)), syntax=DEFLATED_LE).status == 0
    refused(store(peer, 11, explicit(0x7FE00010, "OW", noise(2 * MIB)), syntax=DEFLATED_LE), "2097152 bytes")
    refused(store(peer, 12, pixels(MIB), syntax=DEFLATED_LE), "more than 100 times")
    assert store(peer, 13, pixels(32 * KIB), syntax=DEFLATED_LE).status == 0  # below inflate_ratio_after


def test_indexed_value_length_max(peer: RawAssociation) -> None:
    assert store(peer, 14, study=14, keys={PATIENT_ID: "L" * 90}).status == 0
    assert store(peer, 15, study=15, keys={PATIENT_ID: "L" * 64}).status == 0
    keys = {PATIENT_ID: "", STUDY_INSTANCE_UID: uids(14, 14)[0]}
    found = peer.find(STUDY_ROOT_FIND, identifier("STUDY", keys))
    assert len(found) == 2 and b"LLL" not in found[0].data
    keys[STUDY_INSTANCE_UID] = uids(15, 15)[0]
    assert b"L" * 64 in peer.find(STUDY_ROOT_FIND, identifier("STUDY", keys))[0].data


# ---------------------------------------------------------------------------------------- queries


def find(peer: RawAssociation, keys: dict[int, str | bytes]) -> Message:
    return peer.find(STUDY_ROOT_FIND, identifier("STUDY", keys))[-1]


def test_identifier_length_max(peer: RawAssociation) -> None:
    refused(find(peer, {0x00081030: "x" * 9000}), "identifier of more than 8192 bytes")
    assert find(peer, {0x00081030: "x" * 100}).status == 0


def test_identifiers_length_max_is_for_all_together(engine: Engine, peer: RawAssociation) -> None:
    with RawAssociation.to(engine.addresses[0][1], PROPOSALS) as other:
        other.send_command(7, request(Field.C_FIND, STUDY_ROOT_FIND, 1, data=True))
        other.send_data(7, identifier("STUDY", {0x00081030: "x" * 7000})[:-2], last=False)
        for _ in range(100):
            if engine.status()["queues"]["identifier_bytes"]:
                break
            time.sleep(0.01)
        refused(find(peer, {0x00081030: "x" * 7000}), "identifiers: more than 12288 bytes in all")
        other.send_data(7, b"xx")
        assert other.read_message().status == 0
    assert find(peer, {0x00081030: "x" * 7000}).status == 0


def test_identifier_keys_max(peer: RawAssociation) -> None:
    answer = find(peer, {0x00200010 + 0x10000 * at: "" for at in range(9)})
    assert answer.status >> 12 in (0xA, 0xC) and "8" in answer.comment, answer.comment


def test_identifier_uids_max(peer: RawAssociation) -> None:
    answer = find(peer, {STUDY_INSTANCE_UID: "\\".join(f"1.2.{at}" for at in range(11))})
    assert answer.status >> 12 in (0xA, 0xC) and "10" in answer.comment, answer.comment


def test_answers_max(peer: RawAssociation) -> None:
    for number in range(3):
        assert store(peer, 20, study=20 + number, keys={PATIENT_ID: "ANSWERS"}).status == 0
    found = peer.find(STUDY_ROOT_FIND, identifier("STUDY", {PATIENT_ID: "ANSWERS"}))
    assert len(found) == 3
    refused(found[-1], "more than 2 matches")


def test_retrieve_instances_max(peer: RawAssociation) -> None:
    for number in range(3):
        assert store(peer, 30 + number, study=30).status == 0
    keys = identifier("STUDY", {STUDY_INSTANCE_UID: uids(0, 30)[0]})
    peer.query(Field.C_GET, STUDY_ROOT_GET, keys)
    refused(list(peer.responses())[-1], "3 instances, at most 2 in one retrieve", CANNOT_COUNT)


# ---------------------------------------------------------------------------------------- associations


def test_association_request_length_max(engine: Engine) -> None:
    with RawConnection.open(engine.addresses[0][1]) as connection:
        connection.send(rawpdu.pdu(rawpdu.ASSOCIATE_RQ, b"", length=8 * KIB + 1))
        ends_with_abort(connection)


def test_command_set_length_max(peer: RawAssociation) -> None:
    for _ in range(3):
        peer.send(*rawpdu.fragments(1, bytes(2000), command=True, last=False))
    ends_with_abort(peer)


def test_half_open_max(engine: Engine) -> None:
    held = [socket.create_connection(engine.addresses[0]) for _ in range(20)]
    wait_for(lambda: engine.status()["associations"]["half_open"] >= 20)
    with RawConnection.open(engine.addresses[0][1]) as connection:
        kind, body = connection.read_pdu()
        assert (kind, tuple(body[1:])) == (rawpdu.ASSOCIATE_RJ, (2, 3, 1))
    for sock in held:
        sock.close()
    wait_for(lambda: not engine.status()["associations"]["half_open"])


def test_look_ahead_length_max() -> None:
    """What a peer sends behind a request that is being answered is kept only so far."""
    ours, theirs = socket.socketpair()
    maximum = LOW["look_ahead_length_max"]
    association = Association.accepting(4096, 16384, 1 << 20, artim_s=5, closing_s=1, now=0)
    connection = Connection(PairTransport(ours), association, Timing(), look_ahead_length_max=maximum)
    theirs.sendall(b"\x01")
    connection.queue.append((1, 0, bytes(maximum)))
    connection.look_ahead()
    assert connection.transport.received == 0
    connection.queue[0] = (1, 0, bytes(maximum - 1))
    connection.look_ahead()
    assert connection.transport.received == 1
    ours.close()
    theirs.close()


def test_message_stall_and_time(peer: RawAssociation, engine: Engine) -> None:
    more: dict[int, Any] = {Element.AFFECTED_SOP_INSTANCE_UID: "1.2.3"}
    command = request(Field.C_STORE, CT_IMAGE_STORAGE, 1, data=True, more=more)
    peer.send_command(3, command)
    started = time.monotonic()
    ends_with_abort(peer)
    assert 0.3 < time.monotonic() - started < 3, "a silence inside a message"
    with RawAssociation.to(engine.addresses[0][1], PROPOSALS) as slow:
        slow.send_command(3, command)
        started = time.monotonic()
        with pytest.raises(ConnectionEnded):
            while time.monotonic() - started < 5:
                slow.send_data(3, b"12", last=False)
                time.sleep(0.1)
        assert 0.8 < time.monotonic() - started < 4, "a message that never ends"


def test_association_time(engine: Engine) -> None:
    with RawAssociation.to(engine.addresses[0][1], PROPOSALS) as peer:
        started = time.monotonic()
        with pytest.raises(ConnectionEnded):
            while time.monotonic() - started < 6:
                assert peer.echo() == 0
                time.sleep(0.1)
        assert 1.5 < time.monotonic() - started < 5


def test_a_budget_knows_what_is_used(tmp_path: Path) -> None:
    budget = Budget(10, "things")
    budget.take(10)
    with pytest.raises(Exception, match="things: more than 10 bytes in all"):
        budget.take(1)
    budget.give(4)
    budget.take(4)
    assert budget.used == 10
    unlimited = Budget(0, "things")
    unlimited.take(1 << 60)
    assert unlimited.used == 1 << 60
