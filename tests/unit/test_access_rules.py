"""Who may call: rejects by the standard's reasons, refused operations, seats, users. PS3.8 9.3.4."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fastdicom import AssociationRejected, Config, ConfigError, Engine, connect
from fastdicom.callers import Callers, Rule
from fastdicom.net.certificates import PeerCertificate
from fastdicom.passcodes import set_passcode
from fastdicom.upperlayer.pdus import AssociationRequest, PresentationContext
from tests.support import rawpdu
from tests.support.rawcommand import Field
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    IMPLICIT_LE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
    RawAssociation,
    Rejected,
)
from tests.support.rawelements import STUDY_INSTANCE_UID, identifier

CALLING_NOT_RECOGNIZED, CALLED_NOT_RECOGNIZED = (1, 1, 3), (1, 1, 7)
LOCAL_LIMIT, USER_REFUSED = (2, 3, 2), (1, 2, 1)
NOT_AUTHORIZED = 0x0124


@contextmanager
def node(folder: Path, **sections: Any) -> Iterator[int]:
    with Engine(Config(port=0, archive=folder / "archive", **sections)) as engine:
        yield engine.addresses[0][1]


def verdict(port: int, **options: Any) -> tuple[int, int, int] | None:
    """How an association request is rejected; None when it is not."""
    try:
        with RawAssociation.to(port, **options) as association:
            association.release()
    except Rejected as error:
        return error.verdict
    return None


def associate_from(address: str, port: int) -> RawAssociation:
    """An association from another address of this machine."""
    sock = socket.create_connection(("127.0.0.1", port), 10, source_address=(address, 0))
    association = RawAssociation(sock)
    association.associate([VERIFICATION])
    return association


def peer(title: str, **more: Any) -> dict[str, Any]:
    return {"ae_title": title, **more}


def test_a_stranger_may_be_locked_out(tmp_path: Path) -> None:
    with node(tmp_path, access={"unknown_peers": []}, peers=[peer("CT1")]) as port:
        assert verdict(port, calling="STRANGER") == CALLING_NOT_RECOGNIZED
        assert verdict(port, calling="CT1") is None


def test_a_peer_may_call_only_from_its_addresses(tmp_path: Path) -> None:
    peers = [peer("HERE", addresses=["127.0.0.0/8"]), peer("THERE", addresses=["10.0.0.5", "fd00::/8"])]
    access = {"unknown_addresses": ["192.168.0.0/16"]}
    with node(tmp_path, peers=peers, access=access) as port:
        assert verdict(port, calling="HERE") is None
        assert verdict(port, calling="THERE") == CALLING_NOT_RECOGNIZED
        assert verdict(port, calling="STRANGER") == CALLING_NOT_RECOGNIZED


def test_a_peer_may_call_only_some_of_our_ae_titles(tmp_path: Path) -> None:
    titles = {"ae_title": "ONE", "other_ae_titles": ["TWO", "THREE"], "check_called_ae_title": True}
    peers = [peer("CT1", own_ae_titles=["TWO"])]
    access = {"unknown_own_ae_titles": ["THREE"]}
    with node(tmp_path, node={**titles, "port": 0}, peers=peers, access=access) as port:
        assert verdict(port, calling="CT1", called="TWO") is None
        assert verdict(port, calling="CT1", called="ONE") == CALLED_NOT_RECOGNIZED
        assert verdict(port, calling="STRANGER", called="THREE") is None
        assert verdict(port, calling="STRANGER", called="TWO") == CALLED_NOT_RECOGNIZED
        assert verdict(port, calling="CT1", called="FOUR") == CALLED_NOT_RECOGNIZED


def test_tls_and_certificates_may_be_asked_for() -> None:
    certificate = PeerCertificate(frozenset({"ct1.example"}), "00" * 32)
    callers = Callers(Config())
    callers._peers = {
        "SECURE": Rule(frozenset(), tls_required=True),
        "BOUND": Rule(frozenset(), certificates=("CT1.example",)),
    }

    def objection(title: str, secure: bool, shown: PeerCertificate | None) -> bool:
        request = AssociationRequest("ONE", title, (PresentationContext(1, VERIFICATION, (IMPLICIT_LE,)),))
        return callers.objection(request, "10.0.0.1", secure, shown) is not None

    assert objection("SECURE", False, None) and not objection("SECURE", True, None)
    assert objection("BOUND", True, None) and not objection("BOUND", True, certificate)
    assert objection("BOUND", True, PeerCertificate(frozenset({"ct2.example"}), "00" * 32))


def test_an_ipv4_address_on_an_ipv6_socket_is_what_it_is() -> None:
    config = Config(peers=[peer("CT1", addresses=["10.0.0.0/8"])])
    request = AssociationRequest("ONE", "CT1", ())
    assert Callers(config).objection(request, "::ffff:10.1.2.3", False, None) is None
    assert Callers(config).objection(request, "fe80::1%eth0", False, None) is not None


@pytest.mark.parametrize("allowed", ["echo", "store", "find", "move", "get"])
def test_a_refused_operation_is_answered_0124_and_the_association_goes_on(
    tmp_path: Path, allowed: str
) -> None:
    models = {"find": STUDY_ROOT_FIND, "move": STUDY_ROOT_MOVE, "get": STUDY_ROOT_GET}
    proposals = [VERIFICATION, CT_IMAGE_STORAGE, *models.values()]
    keys = identifier("STUDY", {STUDY_INSTANCE_UID: "1.2.3"})
    with (
        node(tmp_path, access={"unknown_peers": [allowed]}) as port,
        RawAssociation.to(port, proposals) as one,
    ):
        answers = {"echo": one.echo(), "store": one.store(CT_IMAGE_STORAGE, "1.2.3", b"").status}
        answers["find"] = one.find(STUDY_ROOT_FIND, keys)[-1].status
        answers["move"] = one.move(STUDY_ROOT_MOVE, keys, "NOWHERE")[-1].status
        one.query(Field.C_GET, STUDY_ROOT_GET, keys)
        answers["get"] = list(one.responses())[-1].status
        assert answers.pop(allowed) != NOT_AUTHORIZED
        assert set(answers.values()) == {NOT_AUTHORIZED}
        one.release()


def test_one_peer_cannot_take_all_seats(tmp_path: Path) -> None:
    limits = {"associations_per_peer_max": 3}
    peers = [peer("GREEDY"), peer("BIG", max_associations=5)]
    with node(tmp_path, limits=limits, peers=peers) as port, ExitStack() as stack:

        def take(calling: str, count: int) -> list[Any]:
            found = []
            for _ in range(count):
                try:
                    found.append(stack.enter_context(RawAssociation.to(port, calling=calling)))
                except Rejected as error:
                    found.append(error.verdict)
            return [entry for entry in found if isinstance(entry, tuple)]

        assert take("GREEDY", 5) == [LOCAL_LIMIT] * 2
        assert take("BIG", 6) == [LOCAL_LIMIT]
        assert take("STRANGER", 4) == [LOCAL_LIMIT]
        assert take("ANOTHER", 1) == []


def test_one_address_cannot_take_all_seats(tmp_path: Path) -> None:
    with node(tmp_path, limits={"associations_per_address_max": 2}) as port, ExitStack() as stack:
        first = [stack.enter_context(RawAssociation.to(port, calling=f"P{number}")) for number in range(2)]
        assert verdict(port, calling="P3") == LOCAL_LIMIT
        associate_from("127.0.0.2", port).release()
        first[0].release()
        for _ in range(100):
            if verdict(port, calling="P3") is None:
                break
        else:
            pytest.fail("the seat was not given back")


def test_one_address_cannot_take_all_half_open_places(tmp_path: Path) -> None:
    limits = {"half_open_per_address_max": 3}
    with node(tmp_path, limits=limits, timeouts={"artim": "2 s"}) as port, ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert verdict(port) == (2, 3, 1)  # temporary congestion, before it has said anything
        associate_from("127.0.0.3", port).release()


# ---------------------------------------------------------------------------------------- users


@pytest.fixture
def passcodes(tmp_path: Path) -> Path:
    path = tmp_path / "passcodes"
    set_passcode(path, "ct1", "right")
    set_passcode(path, "named", None)
    return path


def identity_item(kind: int, primary: bytes, secondary: bytes = b"", *, respond: bool = True) -> bytes:
    """User Identity Negotiation sub-item of an A-ASSOCIATE-RQ. PS3.7 D.3.3.7.1."""
    sized = [struct.pack(">H", len(field)) + field for field in (primary, secondary)]
    return rawpdu.item(0x58, bytes((kind, respond)) + b"".join(sized))


USERS = [
    ("ignored", None, True),
    ("ignored", identity_item(2, b"ct1", b"wrong"), True),
    ("optional", None, True),
    ("optional", identity_item(2, b"ct1", b"right"), True),
    ("optional", identity_item(2, b"ct1", b"wrong"), False),
    ("optional", identity_item(2, b"nobody", b"right"), False),
    ("optional", identity_item(1, b"named"), True),
    ("optional", identity_item(1, b"ct1"), False),
    ("optional", identity_item(3, b"ticket"), False),
    ("optional", identity_item(4, b"<saml/>"), False),
    ("optional", identity_item(5, b"jwt"), False),
    ("required", None, False),
    ("required", identity_item(2, b"ct1", b"right"), True),
    ("required", identity_item(2, b"\xff\xfe", b""), False),
]


@pytest.mark.parametrize(("mode", "item", "welcome"), USERS)
def test_users_by_mode(
    tmp_path: Path,
    passcodes: Path,
    mode: str,
    item: bytes | None,
    welcome: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    access = {"user_identity": mode, "passcodes": passcodes}
    with node(tmp_path, access=access) as port:
        found = verdict(port, user_items=item or b"")
        assert found == (None if welcome else USER_REFUSED)
    for kind, name in ((3, "Kerberos"), (4, "SAML"), (5, "JSON Web Token")):
        if item is not None and item[4] == kind:
            assert f"{name}" in caplog.text and "is not supported" in caplog.text


@pytest.mark.parametrize("respond", [True, False])
def test_a_positive_response_when_it_was_asked_for(tmp_path: Path, passcodes: Path, respond: bool) -> None:
    item = identity_item(2, b"ct1", b"right", respond=respond)
    with node(tmp_path, access={"user_identity": "required", "passcodes": passcodes}) as port:
        association = RawAssociation.to(port, user_items=item)
        assert association.answer is not None
        answers = [value for kind, value in association.answer.user_items if kind == 0x59]
        assert answers == ([b"\0\0"] if respond else [])
        association.release()


def test_too_many_wrong_passcodes_shut_out_the_address_for_a_while(tmp_path: Path, passcodes: Path) -> None:
    access = {"user_identity": "required", "passcodes": passcodes}
    limits = {"identity_failures_max": 2, "identity_failures_window": "1 s"}
    right, wrong = (identity_item(2, b"ct1", word) for word in (b"right", b"wrong"))
    with node(tmp_path, access=access, limits=limits) as port:
        assert verdict(port, user_items=wrong) == verdict(port, user_items=wrong) == USER_REFUSED
        assert verdict(port, user_items=right) == USER_REFUSED
        time.sleep(1.1)
        assert verdict(port, user_items=right) is None


def test_we_say_who_we_are(tmp_path: Path, passcodes: Path) -> None:
    with node(tmp_path, access={"user_identity": "required", "passcodes": passcodes}) as port:
        with connect("127.0.0.1", port, username="ct1", passcode="right") as association:
            association.echo()
        with pytest.raises(AssociationRejected, match="no reason given"):
            connect("127.0.0.1", port, username="ct1", passcode="wrong")
        with pytest.raises(AssociationRejected):
            connect("127.0.0.1", port)


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"peers": [peer("A", addresses=["10.0.0.1/8"])]}, "peers[1].addresses"),
        ({"peers": [peer("A", addresses=["somewhere"])]}, "peers[1].addresses"),
        ({"peers": [peer("A", own_ae_titles=["NOT_OURS"])]}, "peers[1].own_ae_titles"),
        ({"peers": [peer("A", tls=True)]}, "peers[1].tls"),
        ({"peers": [peer("A", certificates=["sha256:12"])]}, "peers[1].certificates"),
        ({"peers": [peer("A", username="a:b")]}, "peers[1].username"),
        ({"access": {"user_identity": "required"}}, "access.passcodes"),
    ],
)
def test_what_cannot_be_meant_is_a_mistake(sections: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(**sections)
    assert key in [mistake.key for mistake in caught.value.mistakes]
