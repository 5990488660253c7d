"""DIMSE status codes and what each means. PS3.7 Annex C, PS3.4 B.2.3, C.4.1.1.4, C.4.2.1.5, C.4.3.1.4."""

from __future__ import annotations

SUCCESS = 0x0000
CANCEL = 0xFE00
PENDING = 0xFF00
PENDING_WARNING = 0xFF01  # an optional key was not supported for matching

# PS3.7 Annex C
NO_SUCH_ATTRIBUTE = 0x0105
INVALID_ATTRIBUTE_VALUE = 0x0106
PROCESSING_FAILURE = 0x0110
DUPLICATE_SOP_INSTANCE = 0x0111
NO_SUCH_SOP_INSTANCE = 0x0112
NO_SUCH_SOP_CLASS = 0x0118
CLASS_INSTANCE_CONFLICT = 0x0119
MISSING_ATTRIBUTE = 0x0120
SOP_CLASS_NOT_SUPPORTED = 0x0122
NOT_AUTHORIZED = 0x0124
DUPLICATE_INVOCATION = 0x0210
UNRECOGNIZED_OPERATION = 0x0211
MISTYPED_ARGUMENT = 0x0212
RESOURCE_LIMITATION = 0x0213

# PS3.4: storage, query and retrieve
OUT_OF_RESOURCES = 0xA700
CANNOT_COUNT_MATCHES = 0xA701
CANNOT_SEND = 0xA702
UNKNOWN_DESTINATION = 0xA801
DOES_NOT_MATCH_SOP_CLASS = 0xA900
SUBOPERATIONS_WITH_FAILURES = 0xB000
CANNOT_UNDERSTAND = 0xC000

MEANING: dict[int, str] = {
    SUCCESS: "success",
    CANCEL: "cancelled",
    PENDING: "pending",
    PENDING_WARNING: "pending, optional keys not supported",
    NO_SUCH_ATTRIBUTE: "no such attribute",
    INVALID_ATTRIBUTE_VALUE: "invalid attribute value",
    PROCESSING_FAILURE: "processing failure",
    DUPLICATE_SOP_INSTANCE: "duplicate SOP Instance",
    NO_SUCH_SOP_INSTANCE: "no such SOP Instance",
    NO_SUCH_SOP_CLASS: "no such SOP Class",
    CLASS_INSTANCE_CONFLICT: "class and instance conflict",
    MISSING_ATTRIBUTE: "missing attribute",
    SOP_CLASS_NOT_SUPPORTED: "SOP class not supported",
    NOT_AUTHORIZED: "not authorized",
    DUPLICATE_INVOCATION: "duplicate invocation",
    UNRECOGNIZED_OPERATION: "unrecognized operation",
    MISTYPED_ARGUMENT: "mistyped argument",
    RESOURCE_LIMITATION: "resource limitation",
    OUT_OF_RESOURCES: "out of resources",
    CANNOT_COUNT_MATCHES: "out of resources: cannot count matches",
    CANNOT_SEND: "out of resources: cannot perform sub-operations",
    UNKNOWN_DESTINATION: "move destination unknown",
    DOES_NOT_MATCH_SOP_CLASS: "data set or identifier does not match SOP Class",
    SUBOPERATIONS_WITH_FAILURES: "sub-operations complete, one or more failures",
    CANNOT_UNDERSTAND: "cannot understand",
}


def is_pending(status: int) -> bool:
    """True for FF00H and FF01H: more responses follow."""
    return status in (PENDING, PENDING_WARNING)


def is_warning(status: int) -> bool:
    """True for 0001H, 0107H, 0116H and Bxxx: done, with something to say. PS3.7 C.1.3."""
    return status in (0x0001, 0x0107, 0x0116) or status & 0xF000 == 0xB000


def is_stored(status: int) -> bool:
    """True when a C-STORE status means that the peer has the instance now."""
    return status == SUCCESS or is_warning(status)


def describe(status: int) -> str:
    """`A700H (out of resources)`: for logs, reports and the terminal."""
    meaning = MEANING.get(status) or _family(status)
    return f"{status:04X}H ({meaning})"


def _family(status: int) -> str:
    if status & 0xFF00 == 0xA700:
        return "out of resources"
    if status & 0xFF00 == 0xA900:
        return MEANING[DOES_NOT_MATCH_SOP_CLASS]
    if status & 0xF000 == 0xC000:
        return MEANING[CANNOT_UNDERSTAND]
    return "warning" if is_warning(status) else "failure"
