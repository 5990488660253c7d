"""What we answer to an A-ASSOCIATE-RQ; the conformance statement's 124 classes by 33 syntaxes among it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fastdicom.access import Admission
from fastdicom.config import Config
from fastdicom.standard import sop_classes, transfer_syntaxes
from fastdicom.upperlayer import codec
from fastdicom.upperlayer.negotiation import AcceptorPolicy, Negotiator, choose, negotiate
from fastdicom.upperlayer.pdus import (
    REJECT_APPLICATION_CONTEXT,
    REJECT_CALLED_AE_TITLE,
    REJECT_CALLING_AE_TITLE,
    REJECT_NO_REASON,
    REJECT_PROTOCOL_VERSION,
    AssociationAccept,
    AssociationRequest,
    ExtendedNegotiation,
    PresentationContext,
    RoleSelection,
    UserIdentity,
    UserInformation,
)

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
JPEG = "1.2.840.10008.1.2.4.50"
CT = "1.2.840.10008.5.1.4.1.1.2"
POLICY = Admission(Config()).policy
CLASSES = [row.uid for row in sop_classes.CONFORMANCE] + [
    sop_classes.VERIFICATION,
    sop_classes.PATIENT_ROOT_FIND,
    sop_classes.STUDY_ROOT_FIND,
    sop_classes.PATIENT_ROOT_MOVE,
    sop_classes.STUDY_ROOT_MOVE,
]


ONE = PresentationContext(1, CT, (IMPLICIT,))


def request(*contexts: PresentationContext, **changes: object) -> AssociationRequest:
    made = AssociationRequest("FASTDICOM", "MODALITY", contexts or (ONE,))
    return replace(made, **changes)  # type: ignore[arg-type]


def accepted(made: AssociationRequest, policy: AcceptorPolicy = POLICY) -> AssociationAccept:
    answer = negotiate(made, policy)
    assert isinstance(answer, AssociationAccept)
    return answer


@pytest.mark.parametrize("uid", [row.uid for row in transfer_syntaxes.CONFORMANCE])
def test_every_class_is_accepted_in_this_syntax(uid: str) -> None:
    assert len(CLASSES) == 124
    for class_uid in CLASSES:
        result = choose(PresentationContext(1, class_uid, (uid,)), POLICY)
        assert (result.result, result.transfer_syntax) == (0, uid)


def test_all_33_syntaxes_are_in_the_table() -> None:
    assert len(transfer_syntaxes.CONFORMANCE) == 33


@pytest.mark.parametrize("order", [(JPEG, EXPLICIT, IMPLICIT), (IMPLICIT, JPEG), (EXPLICIT, IMPLICIT)])
def test_implicit_vr_little_endian_is_chosen_wherever_it_stands(order: tuple[str, ...]) -> None:
    assert choose(PresentationContext(1, CT, order), POLICY).transfer_syntax == IMPLICIT


def test_without_it_the_first_known_one_is_chosen() -> None:
    context = PresentationContext(1, CT, ("1.2.3.4", JPEG, EXPLICIT))
    assert choose(context, POLICY).transfer_syntax == JPEG


def test_the_order_is_an_option() -> None:
    policy = Admission(Config(preferred_transfer_syntaxes=["ExplicitVRLittleEndian", "RLELossless"])).policy
    assert choose(PresentationContext(1, CT, (IMPLICIT, EXPLICIT)), policy).transfer_syntax == EXPLICIT


@pytest.mark.parametrize(
    ("class_uid", "syntaxes", "result"),
    [
        ("1.2.3.4.5", (IMPLICIT,), 3),
        ("1.2.840.10008.1.3.10", (IMPLICIT,), 3),
        (CT, ("1.2.3.4",), 4),
        (CT, (), 4),
        ("1.2.3.4.5", ("1.2.3.4",), 3),
    ],
)
def test_reasons_for_a_refused_context(class_uid: str, syntaxes: tuple[str, ...], result: int) -> None:
    assert choose(PresentationContext(1, class_uid, syntaxes), POLICY).result == result


def test_private_classes_are_an_option() -> None:
    policy = Admission(Config(archive={"accept_unknown_sop_classes": True})).policy
    assert choose(PresentationContext(1, "1.2.3.4.5", (IMPLICIT,)), policy).result == 0
    newer = "1.2.840.10008.5.1.4.1.1.999"
    assert choose(PresentationContext(1, newer, (IMPLICIT,)), policy).result == 0
    modality_worklist = "1.2.840.10008.5.1.4.31"
    assert choose(PresentationContext(1, modality_worklist, (IMPLICIT,)), policy).result == 3


def test_128_contexts_are_answered_one_by_one() -> None:
    contexts = [
        PresentationContext(2 * number + 1, (CLASSES * 2)[number], (IMPLICIT,)) for number in range(128)
    ]
    made = codec.decode(1, codec.encode(request(*contexts))[6:])
    assert isinstance(made, AssociationRequest)
    answer = codec.decode(2, codec.encode(accepted(made))[6:])
    assert isinstance(answer, AssociationAccept)
    assert [result.context_id for result in answer.results] == list(range(1, 256, 2))
    assert {result.result for result in answer.results} == {0}


@pytest.mark.parametrize(
    ("changes", "reject"),
    [
        ({"protocol_version": 2}, REJECT_PROTOCOL_VERSION),
        ({"application_context": "1.2.3"}, REJECT_APPLICATION_CONTEXT),
        ({"calling_ae_title": ""}, REJECT_CALLING_AE_TITLE),
        ({"contexts": ()}, REJECT_NO_REASON),
        ({"user": UserInformation(max_length=7)}, REJECT_NO_REASON),
    ],
)
def test_rejections(changes: dict[str, object], reject: object) -> None:
    assert negotiate(replace(request(ONE), **changes), POLICY) == reject


def test_later_protocol_versions_that_include_ours_are_fine() -> None:
    assert accepted(request(protocol_version=3))


def test_the_called_ae_title_is_checked_when_asked_for() -> None:
    policy = Admission(Config(ae_title="OURS", check_called_ae_title=True)).policy
    assert negotiate(request(called_ae_title="THEIRS"), policy) == REJECT_CALLED_AE_TITLE
    assert accepted(request(called_ae_title="OURS"), policy)
    assert accepted(request(called_ae_title="THEIRS"))


def test_strangers_are_rejected_when_they_may_do_nothing() -> None:
    config = Config(access={"unknown_peers": []}, peers=[{"ae_title": "MODALITY"}])
    policy = Admission(config).policy
    assert accepted(request(), policy)
    assert negotiate(request(calling_ae_title="STRANGER"), policy) == REJECT_CALLING_AE_TITLE


def test_roles_are_granted_where_we_can_send() -> None:
    roles = (RoleSelection(CT, False, True), RoleSelection(sop_classes.STUDY_ROOT_FIND, True, True))
    query = PresentationContext(3, sop_classes.STUDY_ROOT_FIND, (IMPLICIT,))
    answer = accepted(request(ONE, query, user=UserInformation(roles=roles)))
    assert answer.user.roles == (
        RoleSelection(CT, False, True),
        RoleSelection(sop_classes.STUDY_ROOT_FIND, True, False),
    )


def test_only_the_first_role_of_each_accepted_class_is_answered() -> None:
    refused = PresentationContext(3, "1.2.3", (IMPLICIT,))
    junk = [RoleSelection(uid, False, True) for uid in ("1.2.3", sop_classes.STUDY_ROOT_GET, "1" * 60000)]
    roles = (RoleSelection(CT, False, False), RoleSelection(CT, True, True), *junk * 1000)
    answer = accepted(request(ONE, refused, user=UserInformation(roles=roles)))
    assert answer.user.roles == (RoleSelection(CT, False, False),)


def test_an_answer_fits_its_length_fields_whatever_was_asked_for() -> None:
    roles = tuple(RoleSelection(CT, False, True) for _ in range(5000))
    extended = tuple(ExtendedNegotiation(sop_classes.STUDY_ROOT_FIND, b"\x01" * 4) for _ in range(5000))
    query = PresentationContext(3, sop_classes.STUDY_ROOT_FIND, (IMPLICIT,))
    asked = request(ONE, query, user=UserInformation(roles=roles, extended=extended))
    answer = accepted(asked, Admission(Config(query={"relational": True})).policy)
    assert len(codec.encode(answer)) < 1024


@pytest.mark.parametrize("title", ["A\nB", "A\x1b[2J", "A\x7f", "A\x9b", "A\tB"])
def test_titles_with_control_characters_are_not_recognized(title: str) -> None:
    assert negotiate(request(calling_ae_title=title), POLICY) == REJECT_CALLING_AE_TITLE
    assert negotiate(request(called_ae_title=title), POLICY) == REJECT_CALLED_AE_TITLE


def granted(config: Config, sop_class_uid: str, wanted: bytes) -> tuple[bytes, ...]:
    items = (ExtendedNegotiation(sop_class_uid, wanted),)
    context = PresentationContext(1, sop_class_uid, (IMPLICIT,))
    asked = request(context, calling_ae_title="PACS", user=UserInformation(extended=items))
    return tuple(item.information for item in accepted(asked, Admission(config).policy).user.extended)


def test_extended_negotiation_is_read_and_not_granted() -> None:
    assert granted(Config(), sop_classes.STUDY_ROOT_FIND, b"\x01\x01\x01\x01") == ()


@pytest.mark.parametrize(
    ("sop_class_uid", "wanted", "given"),
    [
        (sop_classes.STUDY_ROOT_FIND, b"\x01\x01\x01\x01", (b"\x01\x00\x01\x00",)),
        (sop_classes.PATIENT_ROOT_FIND, b"\x01\x01\x01\x01\x01", (b"\x01\x00\x01\x00",)),  # no multi-frame
        (sop_classes.STUDY_ROOT_FIND, b"\x00\x01", (b"\x00\x00",)),
        (sop_classes.STUDY_ROOT_FIND, b"\x02", (b"\x00",)),
        (sop_classes.STUDY_ROOT_FIND, b"", (b"",)),
        (sop_classes.STUDY_ROOT_MOVE, b"\x01\x01", (b"\x01",)),
        (CT, b"\x01\x01\x01", ()),  # Storage has extended negotiation of its own
    ],
)
def test_extended_negotiation_of_queries(sop_class_uid: str, wanted: bytes, given: tuple[bytes, ...]) -> None:
    assert granted(Config(query={"relational": True, "fuzzy": True}), sop_class_uid, wanted) == given


def test_a_peer_is_granted_what_its_own_entry_says() -> None:
    config = Config(query={"relational": True}, peers=[{"ae_title": "PACS", "grants": ["timezone"]}])
    assert granted(config, sop_classes.STUDY_ROOT_FIND, b"\x01\x01\x01\x01") == (b"\0\0\0\x01",)
    config = Config(query={"relational": True}, peers=[{"ae_title": "PACS", "grants": []}])
    assert granted(config, sop_classes.STUDY_ROOT_FIND, b"\x01\x01\x01\x01") == ()


def test_asynchronous_operations_are_brought_down_to_one() -> None:
    assert accepted(request()).user.asynchronous_operations is None
    answer = accepted(request(user=UserInformation(asynchronous_operations=(0, 0))))
    assert answer.user.asynchronous_operations == (1, 1)


def received(made: AssociationRequest) -> AssociationRequest:
    """The request as it comes over the wire."""
    decoded = codec.decode(codec.A_ASSOCIATE_RQ, codec.encode(made)[6:])
    assert isinstance(decoded, AssociationRequest)
    return decoded


def test_the_same_request_gets_the_same_answer_again_negotiated_and_encoded_once() -> None:
    negotiator = Negotiator(POLICY)
    first, second = negotiator.answer(received(request())), negotiator.answer(received(request()))
    assert first is second
    assert codec.encode(first) is codec.encode(second)
    assert codec.encode(first) == codec.encode(replace(first))


def test_another_request_gets_its_own_answer() -> None:
    negotiator = Negotiator(POLICY)
    asked = [PresentationContext(1, CT, (uid,)) for uid in (IMPLICIT, EXPLICIT, "1.2.3")]
    for context in asked * 2:
        made = received(request(context))
        assert negotiator.answer(made) == negotiate(made, POLICY)


def test_answers_under_another_policy_are_not_taken_over() -> None:
    made = received(request(called_ae_title="OURS"))
    strict = Admission(Config(ae_title="STRICT", check_called_ae_title=True)).policy
    assert isinstance(Negotiator(POLICY).answer(made), AssociationAccept)
    assert Negotiator(strict).answer(made) == REJECT_CALLED_AE_TITLE


def test_what_holds_a_password_is_not_kept() -> None:
    user = UserInformation(user_identity=UserIdentity(2, False, b"name", b"passcode"))
    negotiator = Negotiator(POLICY)
    answers = [negotiator.answer(received(request(user=user))) for _ in range(2)]
    assert answers[0] == answers[1] and answers[0] is not answers[1]


def test_no_more_answers_are_kept_than_the_bound() -> None:
    negotiator = Negotiator(POLICY)
    for number in range(1000):
        negotiator.answer(received(request(calling_ae_title=f"PEER{number}")))
    assert len(negotiator._answers) <= 64
