"""Audit messages as XML: the pieces that PS3.15 A.5.1 and A.5.2 define, in its order.

Which pieces a message has, and when it is written, is `trail.py`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastdicom.audit.codes import PATIENT_NUMBER, STUDY_INSTANCE_UID, Code
from fastdicom.audit.xml import element, escaped

UNKNOWN = "<unknown>"  # an ID that is mandatory in a message and that nobody gave
SUCCESS, MINOR_FAILURE, SERIOUS_FAILURE, MAJOR_FAILURE = "0", "4", "8", "12"

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_APPLICATION_SERVER = "4"
_IP_ADDRESS, _HOST_NAME = "2", "1"


@dataclass(frozen=True, slots=True)
class Source:
    """Who reports. PS3.15 A.5.2, AuditSourceIdentification."""

    source_id: str
    enterprise_site_id: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """EventIdentification. at: seconds since the epoch."""

    code: Code
    action: str
    at: float
    outcome: str = SUCCESS
    kind: Code | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Participant:
    """ActiveParticipant. user: an AE title, a process or a person; address: IP address or host name."""

    user: str
    role: Code | None = None
    requestor: bool = False
    address: str = ""
    alternative: str = ""


def audit_message(
    source: Source, event: Event, participants: Iterable[Participant], objects: Sequence[str] = ()
) -> bytes:
    """The whole message in UTF-8. objects: what `study`, `patient` and the like gave."""
    parts = [_event(event), *map(_participant, participants), _source(source), *objects]
    return (DECLARATION + element("AuditMessage", None, *parts)).encode()


def study(uid: str, classes: Mapping[str, int]) -> str:
    """A study. classes: how many instances of each SOP Class UID."""
    inside = [
        element("SOPClass", {"UID": class_uid, "NumberOfInstances": str(count)})
        for class_uid, count in sorted(classes.items())
    ]
    return _object(
        uid or UNKNOWN,
        STUDY_INSTANCE_UID,
        ("2", "3"),
        element("ParticipantObjectName", None, escaped(uid or UNKNOWN)),
        element("ParticipantObjectDescription", None, *inside),
    )


def patient(patient_id: str, name: str) -> str:
    """The patient that a message is about."""
    named = element("ParticipantObjectName", None, escaped(name or UNKNOWN))
    return _object(patient_id or UNKNOWN, PATIENT_NUMBER, ("1", "1"), named)


def query(sop_class_uid: str, code: Code, identifier: bytes, details: Mapping[str, bytes]) -> str:
    """What was asked. identifier: the Data Set, as it came."""
    asked = element("ParticipantObjectQuery", None, b64encode(identifier).decode("ascii"))
    return _object(sop_class_uid, code, ("2", "3"), asked, *_details(details))


def alert_subject(node: str, code: Code, description: str) -> str:
    """The node that a security alert is about."""
    name = element("ParticipantObjectName", None, escaped(node))
    details = {"Alert Description": description.encode("utf-8", "backslashreplace")}
    return _object(node, code, ("2", "13"), name, *_details(details))


def _event(event: Event) -> str:
    """Raises nothing: every text is escaped."""
    at = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    attributes = {
        "EventActionCode": event.action,
        "EventDateTime": at,
        "EventOutcomeIndicator": event.outcome,
    }
    inside = [_coded("EventID", event.code)]
    if event.kind is not None:
        inside.append(_coded("EventTypeCode", event.kind))
    if event.description:
        inside.append(element("EventOutcomeDescription", None, escaped(event.description)))
    return element("EventIdentification", attributes, *inside)


def _participant(participant: Participant) -> str:
    attributes = {"UserID": participant.user or UNKNOWN}
    if participant.alternative:
        attributes["AlternativeUserID"] = participant.alternative
    attributes["UserIsRequestor"] = "true" if participant.requestor else "false"
    if participant.address:
        attributes["NetworkAccessPointID"] = participant.address
        attributes["NetworkAccessPointTypeCode"] = _address_type(participant.address)
    role = [] if participant.role is None else [_coded("RoleIDCode", participant.role)]
    return element("ActiveParticipant", attributes, *role)


def _address_type(address: str) -> str:
    return _IP_ADDRESS if ":" in address or address.replace(".", "").isdigit() else _HOST_NAME


def _source(source: Source) -> str:
    site = {"AuditEnterpriseSiteID": source.enterprise_site_id} if source.enterprise_site_id else {}
    kind = element("AuditSourceTypeCode", {"csd-code": _APPLICATION_SERVER})
    return element("AuditSourceIdentification", {**site, "AuditSourceID": source.source_id}, kind)


def _object(identity: str, code: Code, type_and_role: tuple[str, str], *inside: str) -> str:
    attributes = {
        "ParticipantObjectID": identity,
        "ParticipantObjectTypeCode": type_and_role[0],
        "ParticipantObjectTypeCodeRole": type_and_role[1],
    }
    kind = _coded("ParticipantObjectIDTypeCode", code)
    return element("ParticipantObjectIdentification", attributes, kind, *inside)


def _details(details: Mapping[str, bytes]) -> list[str]:
    return [
        element("ParticipantObjectDetail", {"type": name, "value": b64encode(value).decode("ascii")})
        for name, value in details.items()
    ]


def _coded(name: str, code: Code) -> str:
    return element(
        name, {"csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.meaning}
    )
