"""(SOP class, command) -> service; errors -> status. PS3.7 8.2, Annex C."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple, Protocol

from fastdicom.dataset.identifier import Identifier
from fastdicom.dataset.terms import DEFAULT_TERMS, Terms
from fastdicom.dimse import messages
from fastdicom.errors import Refused
from fastdicom.events import RESTRICTED, SILENT, Alert, Observer
from fastdicom.services.budget import Budget
from fastdicom.services.echo import Answer, echo
from fastdicom.services.find import FindOperation
from fastdicom.services.making import Converter
from fastdicom.services.ports import Caller, ClientLink, Finder, Keeper, Operation, StoreChannel
from fastdicom.services.retrieve import Destination, GetOperation, MoveOperation, Retrieval
from fastdicom.services.store import StoreOperation, StorePolicy
from fastdicom.services.suboperations import Sender
from fastdicom.standard import sop_classes, status

log = logging.getLogger(__name__)


class Link(ClientLink, StoreChannel, Protocol):
    """The association that a request came on."""


class ContextSyntaxes(NamedTuple):
    """The presentation context of a message."""

    abstract_syntax: str
    transfer_syntax: str


class QueryPolicy(NamedTuple):
    """What the configuration says about C-FIND, C-MOVE and C-GET.

    decode: (identifier's bytes, its context, for a retrieve, how the caller queries) -> Identifier.
    destination: a C-MOVE destination by AE title. budget: of the identifiers of all associations.
    instances_max: of one retrieve.
    """

    decode: Callable[[bytes, ContextSyntaxes, bool, Terms], Identifier]
    destination: Callable[[str], Destination | None]
    identifier_length_max: int
    answers_max: int
    budget: Budget
    instances_max: int


class Services:
    """Everything that this node does as SCP, for all associations."""

    def __init__(
        self,
        keeper: Keeper,
        finder: Finder,
        converter: Converter,
        store_policy: StorePolicy,
        query_policy: QueryPolicy,
        observer: Observer = SILENT,
    ) -> None:
        self._observer = observer
        self._keeper = keeper
        self._finder = finder
        self._converter = converter
        self.store_policy = store_policy
        self.query_policy = query_policy

    def begin(
        self, request: messages.Request, context: ContextSyntaxes, caller: Caller, link: Link
    ) -> Operation | None:
        """Start serving `request`; None when there is nothing to do (a late C-CANCEL)."""
        try:
            if isinstance(request, messages.CCancelRequest):
                return None
            _check(request, context, caller)
            if isinstance(request, messages.CStoreRequest):
                return StoreOperation(
                    request, context.transfer_syntax, caller, self._keeper, self.store_policy
                )
            if isinstance(request, messages.EchoRequest):
                self._observer.served(caller, "echo", status.SUCCESS, 0.0, "")
                return echo(request)
            if isinstance(request, messages.CFindRequest):
                return self._find(request, context, caller)
            if isinstance(request, messages.CMoveRequest):
                retrieval = self._retrieval(request, context, caller, link)
                return MoveOperation(request, retrieval, self.query_policy.destination)
            if isinstance(request, messages.CGetRequest):
                return GetOperation(request, self._retrieval(request, context, caller, link), link)
            raise Refused(status.UNRECOGNIZED_OPERATION, f"no service for {request.command_field:04X}H")
        except Refused as refusal:
            log.warning(
                "association %d: %s of %s answered %s: %s",
                caller.number,
                type(request).__name__,
                caller.calling_ae_title,
                status.describe(refusal.status),
                refusal.comment,
            )
            self._tell_refusal(request, refusal, caller)
            return Answer(_refusal(request, refusal))

    def _tell_refusal(self, request: messages.Request, refusal: Refused, caller: Caller) -> None:
        operation = _OPERATION.get(type(request), "other")
        code, comment = refusal.status, refusal.comment
        if isinstance(request, messages.CStoreRequest):
            self._observer.stored(caller, request.sop_class_uid, code, None, "", 0, 0.0, comment)
        else:
            self._observer.served(caller, operation, code, 0.0, comment)
        if code == status.NOT_AUTHORIZED:
            alert = Alert(RESTRICTED, comment, caller.address, caller.calling_ae_title)
            self._observer.alerted(alert)

    def _find(
        self, request: messages.CFindRequest, context: ContextSyntaxes, caller: Caller
    ) -> FindOperation:
        policy = self.query_policy
        return FindOperation(
            request,
            caller,
            self._finder,
            lambda data: policy.decode(data, context, False, _terms(caller, context)),
            length_max=policy.identifier_length_max,
            budget=policy.budget,
            answers_max=policy.answers_max,
            transfer_syntax_uid=context.transfer_syntax,
            observer=self._observer,
        )

    def _retrieval(
        self,
        request: messages.CMoveRequest | messages.CGetRequest,
        context: ContextSyntaxes,
        caller: Caller,
        link: Link,
    ) -> Retrieval:
        policy = self.query_policy
        receiver, originator = caller.calling_ae_title, None
        if isinstance(request, messages.CMoveRequest):
            receiver, originator = request.destination, (caller.calling_ae_title, request.message_id)
        return Retrieval(
            context.transfer_syntax,
            caller,
            self._finder,
            lambda data: policy.decode(data, context, True, _terms(caller, context)),
            Sender(self._keeper.read, self._converter.for_peer(receiver), originator),
            link,
            policy.identifier_length_max,
            policy.budget,
            policy.instances_max,
            self._observer,
        )


def _terms(caller: Caller, context: ContextSyntaxes) -> Terms:
    return caller.terms.get(context.abstract_syntax, DEFAULT_TERMS)


_OPERATION: dict[type, str] = {
    messages.EchoRequest: "echo",
    messages.CStoreRequest: "store",
    messages.CFindRequest: "find",
    messages.CMoveRequest: "move",
    messages.CGetRequest: "get",
}
_OTHER_CLASSES = {
    "echo": frozenset({sop_classes.VERIFICATION}),
    "find": sop_classes.FIND_CLASSES,
    "move": sop_classes.MOVE_CLASSES,
    "get": sop_classes.GET_CLASSES,
}
_QUERY_CLASSES = frozenset().union(*_OTHER_CLASSES.values())


def _check(request: messages.Request, context: ContextSyntaxes, caller: Caller) -> None:
    """Raises Refused when `request` has no business on this context, or this caller none with it."""
    operation = _OPERATION.get(type(request))
    if operation is None or isinstance(request, messages.CCancelRequest):
        return
    if request.sop_class_uid != context.abstract_syntax:
        raise Refused(status.SOP_CLASS_NOT_SUPPORTED, "SOP Class is not that of the presentation context")
    fits = _OTHER_CLASSES.get(operation)
    if (fits is None and context.abstract_syntax in _QUERY_CLASSES) or (
        fits is not None and context.abstract_syntax not in fits
    ):
        raise Refused(
            status.UNRECOGNIZED_OPERATION, f"C-{operation.upper()} is no operation of this SOP Class"
        )
    if operation not in caller.operations:
        raise Refused(status.NOT_AUTHORIZED, f"{caller.calling_ae_title} may not C-{operation.upper()} here")
    if operation != "echo" and not request.has_dataset:
        raise Refused(status.CANNOT_UNDERSTAND, "the request has no Data Set")


def _refusal(request: messages.Request, refusal: Refused) -> messages.Response:
    """The response of the right kind with the refusal's status."""
    kinds = {
        messages.EchoRequest: messages.C_ECHO_RSP,
        messages.CStoreRequest: messages.C_STORE_RSP,
        messages.CFindRequest: messages.C_FIND_RSP,
        messages.CMoveRequest: messages.C_MOVE_RSP,
        messages.CGetRequest: messages.C_GET_RSP,
    }
    field = (
        request.command_field | 0x8000
        if isinstance(request, messages.UnknownRequest)
        else kinds[type(request)]
    )
    assert not isinstance(request, messages.CCancelRequest)
    return messages.Response(
        field,
        request.message_id,
        refusal.status,
        request.sop_class_uid,
        getattr(request, "sop_instance_uid", ""),
        refusal.comment,
        refusal.offending,
    )
