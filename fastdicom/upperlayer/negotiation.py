"""What we make of an A-ASSOCIATE-RQ: accept, with a result for each context, or reject. PS3.8 7.1.1, 9.3.3.

Pure: a request and a policy go in, an answer comes out, and may be remembered for the same request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from fastdicom.standard.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from fastdicom.standard.sop_classes import APPLICATION_CONTEXT
from fastdicom.upperlayer.codec import remembers
from fastdicom.upperlayer.pdus import (
    ABSTRACT_SYNTAX_NOT_SUPPORTED,
    ACCEPTANCE,
    LENGTH_MIN,
    REJECT_APPLICATION_CONTEXT,
    REJECT_CALLED_AE_TITLE,
    REJECT_CALLING_AE_TITLE,
    REJECT_NO_REASON,
    REJECT_PROTOCOL_VERSION,
    TRANSFER_SYNTAXES_NOT_SUPPORTED,
    AssociationAccept,
    AssociationReject,
    AssociationRequest,
    ContextResult,
    ExtendedNegotiation,
    PresentationContext,
    RoleSelection,
    UserInformation,
)


@dataclass(frozen=True, slots=True)
class AcceptorPolicy:
    """What decides about a request.

    other_ae_titles: by which we are called beside ae_title. abstract_syntaxes: those that we serve.
    transfer_syntaxes: those that we know. accepts_unknown: a further test for abstract syntaxes that are not
    in the table (private Storage classes).
    preferred: chosen, in this order, before the order of the proposal counts.
    scp_role: classes for which the requestor may be the SCP (C-GET: it receives what it asked for).
    extended: (calling AE title, item) -> what we grant of an extended negotiation item; None: nothing.
    """

    ae_title: str
    abstract_syntaxes: frozenset[str]
    transfer_syntaxes: frozenset[str]
    preferred: tuple[str, ...] = ()
    accepts_unknown: Callable[[str], bool] = lambda uid: False
    other_ae_titles: frozenset[str] = frozenset()
    check_called_ae_title: bool = False
    accepts_calling: Callable[[str], bool] = lambda ae_title: True
    scp_role: frozenset[str] = frozenset()
    max_length: int = 262144
    extended: Callable[[str, ExtendedNegotiation], bytes | None] = lambda ae_title, item: None


def negotiate(request: AssociationRequest, policy: AcceptorPolicy) -> AssociationAccept | AssociationReject:
    """The answer to `request`."""
    if not request.protocol_version & 1:
        return REJECT_PROTOCOL_VERSION
    if request.application_context != APPLICATION_CONTEXT:
        return REJECT_APPLICATION_CONTEXT
    if not request.contexts or 0 < request.user.max_length < LENGTH_MIN:
        return REJECT_NO_REASON
    called, calling = request.called_ae_title, request.calling_ae_title
    if not called.isprintable() or (policy.check_called_ae_title and not _is_ours(called, policy)):
        return REJECT_CALLED_AE_TITLE
    if not calling or not calling.isprintable() or not policy.accepts_calling(calling):
        return REJECT_CALLING_AE_TITLE
    results = tuple(choose(context, policy) for context in request.contexts)
    return AssociationAccept(
        called_ae_title=request.called_ae_title,
        calling_ae_title=request.calling_ae_title,
        results=results,
        user=_user_information(request, _accepted(request, results), policy),
    )


class Negotiator:
    """`negotiate` under one policy. A request that came before is answered with the same object as before."""

    def __init__(self, policy: AcceptorPolicy) -> None:
        self.policy = policy
        self._answers: dict[int, tuple[AssociationRequest, AssociationAccept | AssociationReject]] = {}

    def answer(self, request: AssociationRequest) -> AssociationAccept | AssociationReject:
        """The answer to `request`."""
        found = self._answers.get(id(request))
        if found is not None and found[0] is request:
            return found[1]
        answer = negotiate(request, self.policy)
        if remembers(request):
            if len(self._answers) >= _ANSWERS_MAX:
                self._answers.clear()
            self._answers[id(request)] = request, answer  # the object with it: its id is not given to another
        return answer


_ANSWERS_MAX = 64


def _is_ours(ae_title: str, policy: AcceptorPolicy) -> bool:
    return ae_title == policy.ae_title or ae_title in policy.other_ae_titles


def choose(context: PresentationContext, policy: AcceptorPolicy) -> ContextResult:
    """Accept one context with the best of its syntaxes, or refuse it with reason 3 or 4."""
    abstract = context.abstract_syntax
    fallback = context.transfer_syntaxes[0] if context.transfer_syntaxes else ""
    if abstract not in policy.abstract_syntaxes and not policy.accepts_unknown(abstract):
        return ContextResult(context.context_id, ABSTRACT_SYNTAX_NOT_SUPPORTED, fallback)
    for uid in policy.preferred:
        if uid in context.transfer_syntaxes:
            return ContextResult(context.context_id, ACCEPTANCE, uid)
    for uid in context.transfer_syntaxes:
        if uid in policy.transfer_syntaxes:
            return ContextResult(context.context_id, ACCEPTANCE, uid)
    return ContextResult(context.context_id, TRANSFER_SYNTAXES_NOT_SUPPORTED, fallback)


def _accepted(request: AssociationRequest, results: tuple[ContextResult, ...]) -> frozenset[str]:
    """The abstract syntaxes of the accepted contexts: few and short, so what is granted for them is, too."""
    chosen = {result.context_id for result in results if result.result == ACCEPTANCE}
    return frozenset(context.abstract_syntax for context in request.contexts if context.context_id in chosen)


def _user_information(
    request: AssociationRequest, accepted: frozenset[str], policy: AcceptorPolicy
) -> UserInformation:
    return UserInformation(
        max_length=policy.max_length,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version_name=IMPLEMENTATION_VERSION_NAME,
        # We serve one operation at a time: say so when the peer asked for more. PS3.7 D.3.3.3
        asynchronous_operations=(1, 1) if request.user.asynchronous_operations is not None else None,
        roles=tuple(_grant_role(role, policy) for role in _for_accepted(request.user.roles, accepted)),
        extended=tuple(_grant_extended(request, accepted, policy)),
    )


Item = TypeVar("Item", RoleSelection, ExtendedNegotiation)


def _for_accepted(items: Iterable[Item], accepted: frozenset[str]) -> Iterable[Item]:
    """The first item about each accepted class. What else a request has in it is not answered."""
    first: dict[str, Item] = {}
    for item in items:
        if item.sop_class_uid in accepted:
            first.setdefault(item.sop_class_uid, item)
    return first.values()


def _grant_role(role: RoleSelection, policy: AcceptorPolicy) -> RoleSelection:
    """SCU is always granted; SCP where we can be the SCU of the class. PS3.7 D.3.3.4."""
    return RoleSelection(role.sop_class_uid, role.scu, role.scp and role.sop_class_uid in policy.scp_role)


def _grant_extended(
    request: AssociationRequest, accepted: frozenset[str], policy: AcceptorPolicy
) -> list[ExtendedNegotiation]:
    granted = []
    for item in _for_accepted(request.user.extended, accepted):
        information = policy.extended(request.calling_ae_title, item)
        if information is not None:
            granted.append(ExtendedNegotiation(item.sop_class_uid, information))
    return granted
