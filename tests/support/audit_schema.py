"""Is a message what PS3.15 A.5.1 and the tables of A.5.3 ask for? A checker of our own, from these sections.

`check` raises AssertionError that says what is wrong; it returns the parsed message.
"""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

ACTIONS = set("CRUDE")
OUTCOMES = {"0", "4", "8", "12"}
CODE = ({"csd-code", "codeSystemName", "originalText"}, {"displayName"})
OBJECT_ATTRIBUTES = {
    "ParticipantObjectTypeCode": {str(number) for number in range(1, 5)},
    "ParticipantObjectTypeCodeRole": {str(number) for number in range(1, 27)},
    "ParticipantObjectDataLifeCycle": {str(number) for number in range(1, 16)},
    "ParticipantObjectSensitivity": None,
}
# EventID -> (what EventActionCode may be, EventTypeCode, roles that have to be there, objects that have to)
EVENTS = {
    "110100": ("E", {"110120", "110121"}, ["110150"], []),
    "110102": ("E", set(), ["110153", "110152"], ["study", "patient"]),
    "110103": ("CRUD", set(), [], ["study", "patient"]),
    "110104": ("CRU", set(), ["110153", "110152"], ["study", "patient"]),
    "110105": ("D", set(), [], ["study", "patient"]),
    "110108": ("E", {"110124", "110125"}, [], []),
    "110112": ("E", set(), ["110153", "110152"], ["query"]),
    "110113": ("E", None, [], ["alert"]),
    "110114": ("E", {"110122", "110123"}, [], []),
}
KINDS = {"110180": "study", "2": "patient", "110181": "query", "110182": "alert"}


def check(message: bytes) -> Element:
    """The message as an element. Raises ParseError when it is not well-formed."""
    root = ElementTree.fromstring(message.decode("utf-8-sig"))
    assert root.tag == "AuditMessage" and not root.attrib
    event, *rest = root
    tags = [one.tag for one in rest]
    participants = tags.count("ActiveParticipant")
    objects = tags.count("ParticipantObjectIdentification")
    assert participants >= 1
    assert tags == (
        ["ActiveParticipant"] * participants
        + ["AuditSourceIdentification"]
        + ["ParticipantObjectIdentification"] * objects
    )
    _event(event)
    for element in rest[:participants]:
        _participant(element)
    assert sum(one.get("UserIsRequestor") == "true" for one in rest[:participants]) <= 1
    _source(rest[participants])
    for element in rest[participants + 1 :]:
        _object(element)
    _table(root)
    return root


def kind_of(element: Element) -> str:
    """What a ParticipantObjectIdentification is about: study, patient, query or alert."""
    code = element.find("ParticipantObjectIDTypeCode")
    assert code is not None
    return KINDS[code.attrib["csd-code"]]


def detail(element: Element, name: str) -> bytes:
    """The value of a ParticipantObjectDetail."""
    for one in element.findall("ParticipantObjectDetail"):
        if one.get("type") == name:
            return b64decode(one.attrib["value"], validate=True)
    raise AssertionError(f"no detail {name}")


def _attributes(element: Element, needed: set[str], allowed: set[str]) -> None:
    given = set(element.attrib)
    assert needed <= given <= needed | allowed, (element.tag, given)
    assert all(value for value in element.attrib.values()), element.attrib


def _coded(element: Element) -> None:
    _attributes(element, *CODE)
    assert not len(element) and not element.text


def _order(element: Element, *expected: tuple[str, int, int | None]) -> None:
    """The children are these, each so many times, in this order."""
    tags = [child.tag for child in element]
    for name, least, most in expected:
        count = 0
        while tags and tags[0] == name:
            tags.pop(0)
            count += 1
        assert count >= least and (most is None or count <= most), (element.tag, name, count)
    assert not tags, (element.tag, tags)


def _event(event: Element) -> None:
    assert event.tag == "EventIdentification"
    needed = {"EventDateTime", "EventOutcomeIndicator"}
    _attributes(event, needed, {"EventActionCode"})
    assert event.get("EventActionCode", "C") in ACTIONS
    assert event.attrib["EventOutcomeIndicator"] in OUTCOMES
    assert event.attrib["EventDateTime"].endswith("Z")  # UTC, A.5.2.5
    datetime.fromisoformat(event.attrib["EventDateTime"])
    _order(event, ("EventID", 1, 1), ("EventTypeCode", 0, None), ("EventOutcomeDescription", 0, 1))
    for element in (*event.findall("EventID"), *event.findall("EventTypeCode")):
        _coded(element)


def _participant(element: Element) -> None:
    access = {"NetworkAccessPointID", "NetworkAccessPointTypeCode"}
    _attributes(element, {"UserID", "UserIsRequestor"}, {"AlternativeUserID", "UserName"} | access)
    assert element.attrib["UserIsRequestor"] in ("true", "false")
    assert len(access & set(element.attrib)) in (0, 2)
    assert element.get("NetworkAccessPointTypeCode", "1") in {"1", "2", "3", "4", "5"}
    _order(element, ("RoleIDCode", 0, None))
    for code in element:
        _coded(code)


def _source(element: Element) -> None:
    _attributes(element, {"AuditSourceID"}, {"AuditEnterpriseSiteID"})
    _order(element, ("AuditSourceTypeCode", 0, None))
    assert all(re.fullmatch("[1-9]", code.attrib["csd-code"]) for code in element)


def _object(element: Element) -> None:
    _attributes(element, {"ParticipantObjectID"}, set(OBJECT_ATTRIBUTES))
    for name, allowed in OBJECT_ATTRIBUTES.items():
        assert allowed is None or element.get(name, "1") in allowed
    name_or_query = {"ParticipantObjectName", "ParticipantObjectQuery"} & {child.tag for child in element}
    assert len(name_or_query) == 1
    _order(
        element,
        ("ParticipantObjectIDTypeCode", 1, 1),
        (name_or_query.pop(), 1, 1),
        ("ParticipantObjectDetail", 0, None),
        ("ParticipantObjectDescription", 0, None),
    )
    _coded(element[0])
    for one in element.findall("ParticipantObjectQuery"):
        b64decode(one.text or "", validate=True)
    for one in element.findall("ParticipantObjectDetail"):
        _attributes(one, {"type", "value"}, set())
        b64decode(one.attrib["value"], validate=True)
    for one in element.findall("ParticipantObjectDescription"):
        _description(one)


def _description(element: Element) -> None:
    _order(element, ("MPPS", 0, None), ("Accession", 0, None), ("SOPClass", 0, None))
    for one in element.findall("SOPClass"):
        _attributes(one, {"NumberOfInstances"}, {"UID"})
        assert int(one.attrib["NumberOfInstances"]) > 0


def _table(root: Element) -> None:
    """What the event's own table in A.5.3 asks for."""
    event = root[0]
    code = event[0].attrib["csd-code"]
    actions, types, roles, kinds = EVENTS[code]
    assert event.attrib["EventActionCode"] in actions
    given = {one.attrib["csd-code"] for one in event.findall("EventTypeCode")}
    assert len(given) == 1 if types is None else given <= types and bool(given) == bool(types)
    found = [one.attrib["csd-code"] for one in root.findall("ActiveParticipant/RoleIDCode")]
    assert all(found.count(role) == 1 for role in roles), found
    objects = [kind_of(one) for one in root.findall("ParticipantObjectIdentification")]
    assert set(objects) == set(kinds)
    assert objects.count("patient") <= 1  # a message is about one patient
    for one in root.findall("ParticipantObjectIdentification"):
        _kind(one)


def _kind(element: Element) -> None:
    kind = kind_of(element)
    type_and_role = (element.get("ParticipantObjectTypeCode"), element.get("ParticipantObjectTypeCodeRole"))
    expected = {"study": ("2", "3"), "patient": ("1", "1"), "query": ("2", "3"), "alert": ("2", "13")}
    assert type_and_role == expected[kind]
    if kind == "query":
        detail(element, "TransferSyntax")
    if kind == "alert":
        detail(element, "Alert Description")
