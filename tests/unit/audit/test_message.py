"""Audit messages: what the schema of PS3.15 A.5.1 asks for, whatever names are in them."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdicom.audit import codes
from fastdicom.audit.message import (
    UNKNOWN,
    Event,
    Participant,
    Source,
    alert_subject,
    audit_message,
    patient,
    query,
    study,
)
from fastdicom.audit.xml import element, visible
from tests.support.audit_schema import check, detail

SOURCE = Source("NODE", "SITE")
TRANSFER = Event(codes.INSTANCES_TRANSFERRED, "C", 1_700_000_000.5)
ENDS = [Participant("CT1", codes.SOURCE, True, "10.0.0.7"), Participant("NODE", codes.DESTINATION)]
HOSTILE = [
    "\x00\x01\x08\x0b\x1f\x7f\x80\x9f",
    "a\r\n<85>1 forged",
    "]]><AuditMessage/>&amp;\"'",
    "%s%n{0}{__class__}",
    "\ud800\udfff\ufffe\uffff\ufdd0",
    "\u2028\u2029\u0085",
    "名前 Müller",
    "x" * 100_000,
]


def transfer(patient_id: str, name: str, title: str = "CT1") -> bytes:
    ends = [Participant(title, codes.SOURCE, True, "10.0.0.7"), ENDS[1]]
    return audit_message(SOURCE, TRANSFER, ends, [study("1.2.3", {"1.2": 2}), patient(patient_id, name)])


def test_a_transfer_has_the_fields_of_its_table() -> None:
    root = check(transfer("P1", "Doe^Jane"))
    event = root[0]
    assert event.attrib["EventDateTime"] == "2023-11-14T22:13:20.500Z"
    assert [one.get("UserID") for one in root.findall("ActiveParticipant")] == ["CT1", "NODE"]
    source = root.find("AuditSourceIdentification")
    assert source is not None and source.attrib == {"AuditSourceID": "NODE", "AuditEnterpriseSiteID": "SITE"}
    sop_class = root.find(".//SOPClass")
    assert sop_class is not None and sop_class.attrib == {"UID": "1.2", "NumberOfInstances": "2"}


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_breaks_a_message(value: str) -> None:
    message = transfer(value, value, value)
    check(message)
    assert not any(byte < 0x20 for byte in message)  # one line, no terminal's control sequences


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40))
def test_any_text_makes_a_well_formed_element(value: str) -> None:
    parsed = ElementTree.fromstring(element("A", {"b": value}, element("C", None)))
    assert parsed.get("b") == visible(value)


def test_what_cannot_be_shown_is_named() -> None:
    assert visible("\x1b[2J\r\n\ud800") == "\\x1b[2J\\x0d\\x0a\\ud800"


def test_mandatory_ids_that_nobody_gave_are_said_to_be_unknown() -> None:
    root = check(
        audit_message(
            SOURCE,
            TRANSFER,
            [Participant("", codes.SOURCE), ENDS[1]],
            [study("", {"1.2": 1}), patient("", "")],
        )
    )
    ids = [one.get("ParticipantObjectID") for one in root.findall("ParticipantObjectIdentification")]
    assert ids == [UNKNOWN, UNKNOWN]


def test_a_query_carries_its_identifier_and_transfer_syntax() -> None:
    asked = query("1.2.840.10008.5.1.4.1.2.2.1", codes.SOP_CLASS_UID, b"\0\1", {"TransferSyntax": b"1.2"})
    root = check(audit_message(SOURCE, Event(codes.QUERY, "E", 0.0), ENDS, [asked]))
    subject = root.findall("ParticipantObjectIdentification")[0]
    assert detail(subject, "TransferSyntax") == b"1.2"
    assert subject.findtext("ParticipantObjectQuery") == "AAE="


def test_an_alert_describes_its_subject() -> None:
    event = Event(codes.SECURITY_ALERT, "E", 0.0, "4", codes.NODE_AUTHENTICATION, "it may not come in")
    root = check(audit_message(SOURCE, event, ENDS, [alert_subject("10.0.0.9", codes.NODE_ID, "knock\x07")]))
    assert detail(root.findall("ParticipantObjectIdentification")[0], "Alert Description") == b"knock\x07"


@pytest.mark.parametrize(
    ("address", "kind"),
    [("10.0.0.5", "2"), ("fe80::1%eth0", "2"), ("pacs.example", "1"), ("1st.example", "1")],
)
def test_addresses_and_names_are_told_apart(address: str, kind: str) -> None:
    one = Participant("PACS", codes.SOURCE, address=address)
    root = check(audit_message(SOURCE, Event(codes.NETWORK_ENTRY, "E", 0.0, kind=codes.ATTACH), [one]))
    assert root.findall("ActiveParticipant")[0].get("NetworkAccessPointTypeCode") == kind
