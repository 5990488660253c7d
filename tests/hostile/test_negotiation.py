"""What an A-ASSOCIATE-RQ can carry beside its contexts: roles, extended negotiation, users, odd titles."""

from __future__ import annotations

import itertools
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fastdicom.passcodes import set_passcode
from tests.hostile.harness import Target, target_server
from tests.support import rawpdu
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    IMPLICIT_LE,
    STUDY_ROOT_FIND,
    VERIFICATION,
    ConnectionEnded,
    RawAssociation,
    Rejected,
)
from tests.support.rawpdu import Proposal, item, uid_item

APPLICATION = uid_item(0x10, rawpdu.APPLICATION_CONTEXT)
ECHO = rawpdu.proposal_item(Proposal(1, VERIFICATION, (IMPLICIT_LE,)))
CHANGES = {"query": {"relational": True, "datetime": True, "fuzzy": True, "timezone": True}}


def sized(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode("ascii")


def role(uid: str) -> bytes:
    return item(0x54, sized(uid) + b"\0\1")


def user(kind: int, answer: int, name: bytes, passcode: bytes = b"") -> bytes:
    fields = b"".join(struct.pack(">H", len(field)) + field for field in (name, passcode))
    return item(0x58, bytes([kind, answer]) + fields)


def request(*more: bytes, contexts: bytes = ECHO) -> bytes:
    """User information of our own, then `more` user information items."""
    items = (
        APPLICATION + contexts + rawpdu.user_information(16384) + b"".join(item(0x50, one) for one in more)
    )
    return rawpdu.pdu(rawpdu.ASSOCIATE_RQ, rawpdu.associate_body("FASTDICOM", "ATTACKER", items))


GRANTED = item(0x56, sized(STUDY_ROOT_FIND) + b"\1\1\1\1")
FIND = rawpdu.proposal_item(Proposal(3, STUDY_ROOT_FIND, (IMPLICIT_LE,)))
ANSWERED = {
    "roles for more than an answer can hold": request(*[role(VERIFICATION) * 2000] * 3),
    "a role for a class of 60,000 characters": request(role("1" * 60000), role("2" * 60000)),
    "extended negotiation for more than an answer can hold": request(
        *[GRANTED * 1500] * 3, contexts=ECHO + FIND
    ),
    "an extended item as long as can be": request(item(0x56, sized(STUDY_ROOT_FIND) + b"\1" * 60000)),
    "sub-items that nobody knows": request(b"".join(item(kind, b"x" * 9) for kind in range(0x5A, 0x100))),
    "an implementation name of 60,000 escapes": request(item(0x55, b"\x1b" * 60000)),
    "a user of 40,000 bytes": request(user(2, 1, b"u" * 40000, b"p" * 20000)),
    "two users": request(user(1, 1, b"a") + user(5, 1, b"b")),
}
ABORTED = {
    "a role that is longer than its item": request(item(0x54, b"\0\xc81.2\0\1")),
    "an extended item without a class": request(item(0x56, b"")),
    "a user without fields": request(item(0x58, b"")),
    "a passcode that is longer than its item": request(item(0x58, b"\2\1\0\1u\xff\xff")),
    "operations of eight bytes": request(item(0x53, bytes(8))),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_an_odd_request_is_answered_and_the_association_works(target: Target, name: str) -> None:
    with target.unharmed(), RawAssociation.open(target.port) as peer:
        peer.send(ANSWERED[name])
        peer.contexts = {1: Proposal(1, VERIFICATION, (IMPLICIT_LE,))}
        peer.take_answer()
        assert peer.echo() == 0
        peer.release()


@pytest.mark.parametrize("name", ABORTED)
def test_a_sub_item_that_lies_about_its_length_is_aborted(target: Target, name: str) -> None:
    with target.unharmed(), RawAssociation.open(target.port) as peer:
        peer.send(ABORTED[name])
        with pytest.raises(ConnectionEnded):
            peer.take_answer()


def test_128_contexts_with_38_syntaxes_each_are_answered(target: Target) -> None:
    syntaxes = (*(f"1.2.840.10008.1.2.4.{number}" for number in range(50, 87)), IMPLICIT_LE)
    proposals = [Proposal(2 * number + 1, CT_IMAGE_STORAGE, syntaxes) for number in range(128)]
    with target.unharmed(), RawAssociation.to(target.port, proposals) as peer:
        assert set(peer.accepted.values()) == {IMPLICIT_LE} and len(peer.accepted) == 128
        peer.release()


def test_identities_that_nobody_can_vouch_for_are_refused_while_users_get_in(tmp_path: Path) -> None:
    set_passcode(tmp_path / "passcodes", "ct1", "secret")
    access = {"access": {"user_identity": "required", "passcodes": str(tmp_path / "passcodes")}}
    with target_server(tmp_path / "node", access) as target:
        for kind, token in itertools.product((0, 3, 4, 5, 6, 255), (b"", b"x" * 60000, b"ct1")):
            with pytest.raises(Rejected):
                RawAssociation.to(target.port, user_items=user(kind, 1, token))
        with pytest.raises(Rejected):
            RawAssociation.to(target.port, user_items=user(2, 1, b"u" * 40000, b"secret"))
        with RawAssociation.to(target.port, user_items=user(2, 1, b"ct1", b"secret")) as peer:
            assert peer.answer is not None and (0x59, b"\0\0") in peer.answer.user_items
            assert peer.echo() == 0
            peer.release()
        assert "Traceback" not in target.peer.log
        assert max(map(len, target.peer.log.splitlines())) < 1000


def test_passcodes_of_many_at_once_take_the_memory_of_one(tmp_path: Path) -> None:
    set_passcode(tmp_path / "passcodes", "ct1", "secret")
    access = {"access": {"user_identity": "optional", "passcodes": str(tmp_path / "passcodes")}}

    def come_and_go() -> None:
        with RawAssociation.to(target.port, user_items=user(2, 1, b"ct1", b"secret"), timeout_s=60) as peer:
            peer.release()

    with (
        target_server(tmp_path / "node", access) as target,
        target.unharmed(memory_mb=64),
        ThreadPoolExecutor(40) as many,
    ):
        for done in [many.submit(come_and_go) for _ in range(40)]:
            done.result()
