"""The PDUs of the upper layer as values. PS3.8 9.3, PS3.7 Annex D.3.3.

P-DATA-TF is not here: its data never becomes an object, see `kernels.pdu`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fastdicom.standard.sop_classes import APPLICATION_CONTEXT

# Result of a proposed presentation context, PS3.8 Table 9-18
ACCEPTANCE = 0
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4

# Source of an A-ABORT, PS3.8 Table 9-26
SERVICE_USER = 0
SERVICE_PROVIDER = 2


# The smallest Maximum Length that a fragment of two bytes fits in, PS3.8 9.3.5.1, D.1
LENGTH_MIN = 8


@dataclass(frozen=True, slots=True)
class PresentationContext:
    """One proposal: an abstract syntax and the transfer syntaxes for it. PS3.8 9.3.2.2."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextResult:
    """The answer to one proposal. transfer_syntax is meaningful only on ACCEPTANCE. PS3.8 9.3.3.2."""

    context_id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """Which roles the requestor wants (or the acceptor grants it) for one SOP class. PS3.7 D.3.3.4."""

    sop_class_uid: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation:
    """Service-class application information for one SOP class, as bytes. PS3.7 D.3.3.5."""

    sop_class_uid: str
    information: bytes


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """Who the requestor says it is. PS3.7 D.3.3.7. kind 1: username, 2: username and passcode, ..."""

    kind: int
    response_requested: bool
    primary: bytes
    secondary: bytes


@dataclass(frozen=True, slots=True)
class UserInformation:
    """The user information item. PS3.8 9.3.2.3, PS3.7 D.3.3.

    max_length: the largest P-DATA-TF Length that its sender takes, 0 for no limit.
    asynchronous_operations: (invoked, performed) windows or None when not negotiated.
    """

    max_length: int = 0
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    asynchronous_operations: tuple[int, int] | None = None
    roles: tuple[RoleSelection, ...] = ()
    extended: tuple[ExtendedNegotiation, ...] = ()
    user_identity: UserIdentity | None = None
    user_identity_response: bytes | None = None


@dataclass(frozen=True, slots=True)
class AssociationRequest:
    """A-ASSOCIATE-RQ. PS3.8 9.3.2. AE titles without padding."""

    called_ae_title: str
    calling_ae_title: str
    contexts: tuple[PresentationContext, ...]
    user: UserInformation = field(default_factory=UserInformation)
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1


@dataclass(frozen=True, slots=True)
class AssociationAccept:
    """A-ASSOCIATE-AC. PS3.8 9.3.3. The AE titles echo the request's."""

    called_ae_title: str
    calling_ae_title: str
    results: tuple[ContextResult, ...]
    user: UserInformation = field(default_factory=UserInformation)
    application_context: str = APPLICATION_CONTEXT


@dataclass(frozen=True, slots=True)
class AssociationReject:
    """A-ASSOCIATE-RJ. PS3.8 9.3.4, Table 9-21.

    result: 1 permanent, 2 transient. source: 1 service-user, 2 service-provider (ACSE),
    3 service-provider (presentation).
    """

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """A-RELEASE-RQ. PS3.8 9.3.6."""


@dataclass(frozen=True, slots=True)
class ReleaseResponse:
    """A-RELEASE-RP. PS3.8 9.3.7."""


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT. PS3.8 9.3.8. The reason counts only when the source is the service-provider."""

    source: int
    reason: int


Pdu = AssociationRequest | AssociationAccept | AssociationReject | ReleaseRequest | ReleaseResponse | Abort

PERMANENT, TRANSIENT = 1, 2
REJECT_APPLICATION_CONTEXT = AssociationReject(PERMANENT, 1, 2)
REJECT_CALLING_AE_TITLE = AssociationReject(PERMANENT, 1, 3)
REJECT_CALLED_AE_TITLE = AssociationReject(PERMANENT, 1, 7)
REJECT_PROTOCOL_VERSION = AssociationReject(PERMANENT, 2, 2)
REJECT_LOCAL_LIMIT = AssociationReject(TRANSIENT, 3, 2)
REJECT_CONGESTION = AssociationReject(TRANSIENT, 3, 1)
REJECT_USER_IDENTITY = AssociationReject(PERMANENT, 2, 1)  # PS3.7 D.3.3.7
REJECT_NO_REASON = AssociationReject(PERMANENT, 1, 1)

_REJECT_REASONS = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognized",
    (1, 7): "called AE title not recognized",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}


def describe_reject(reject: AssociationReject) -> str:
    """`called AE title not recognized (permanent)`: for errors and logs. PS3.8 Table 9-21."""
    reason = _REJECT_REASONS.get((reject.source, reject.reason), f"reason {reject.source}/{reject.reason}")
    return f"{reason} ({'transient' if reject.result == TRANSIENT else 'permanent'})"
