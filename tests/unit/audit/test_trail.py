"""Which message is written when, and what stands in it; each checked against PS3.15."""

from __future__ import annotations

import os
import pwd
from collections import Counter
from xml.etree.ElementTree import Element

import pytest

from fastdicom import events
from fastdicom.audit import trail as trail_module
from fastdicom.audit.message import UNKNOWN, Source
from fastdicom.audit.syslog import NOTICE, WARNING
from fastdicom.audit.trail import IDENTIFIER_LENGTH_MAX, Trail
from fastdicom.dataset.record import FileEntry, InstanceRecord, Put, StoredEntry
from fastdicom.events import Alert, Ending, InstanceGroup, Query
from fastdicom.services.ports import Caller
from tests.support.audit_schema import check, detail, kind_of

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CALLER = Caller(7, "CT1", "NODE", "10.0.0.7", frozenset())
END = Ending(events.RELEASED, "", 0, 0)


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    return (
        (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr
        + len(value).to_bytes(2, "little") + value
    )  # fmt: skip


def person(identity: bytes, name: bytes = b"Doe^Jane", charset: bytes = b"ISO_IR 100") -> bytes:
    return (
        element(0x00080005, b"CS", charset) + element(0x00100010, b"PN", name)
        + element(0x00100020, b"LO", identity)
    )  # fmt: skip


def put(patient: bytes, study: str = "1.2.3", number: int = 0) -> Put:
    record = InstanceRecord(CT, f"{study}.{number}", study, f"{study}.9", patient, b"", b"", b"")
    return Put(record, FileEntry("a/1", 1, 0, 0, "1.2", 0.0, "CT1"))


def entry(study: str, number: int, sop_class: str = CT) -> StoredEntry:
    return StoredEntry(sop_class, f"{study}.{number}", study, "", FileEntry("", 0, 0, 0, "", 0.0, ""))


class Written:
    """A trail, and what it has written so far."""

    def __init__(self, **more: object) -> None:
        self.now = 1_700_000_000.0
        self.messages: list[tuple[bytes, int]] = []
        self.trail = Trail(
            Source("NODE"), "NODE", self._take, clock=lambda: self.now, **more  # type: ignore[arg-type]
        )  # fmt: skip

    def _take(self, message: bytes, severity: int, at: float) -> None:
        assert at == self.now
        self.messages.append((message, severity))

    def store(self, put_: Put | None, action: str = "C", code: int = 0, comment: str = "") -> None:
        self.trail.stored(CALLER, CT, code, put_, action, 1000, 0.01, comment)

    def read(self) -> list[Element]:
        found = [check(message) for message, _ in self.messages]
        self.messages.clear()
        return found


def summary(root: Element) -> tuple[str, str, str]:
    """(EventID, action, outcome)."""
    event = root[0]
    return event[0].attrib["csd-code"], event.attrib["EventActionCode"], event.attrib["EventOutcomeIndicator"]


def objects(root: Element, kind: str) -> list[Element]:
    return [one for one in root.findall("ParticipantObjectIdentification") if kind_of(one) == kind]


def people(root: Element) -> list[str | None]:
    return [one.get("UserID") for one in root.findall("ActiveParticipant")]


def test_start_and_stop_are_told_by_application_and_network() -> None:
    written = Written()
    written.trail.began()
    written.trail.ended()
    told = written.read()
    kinds = [one[0][1].attrib["csd-code"] for one in told]
    assert kinds == ["110120", "110124", "110125", "110121"]
    assert people(told[0]) == ["NODE", pwd.getpwuid(os.getuid()).pw_name]


def test_the_service_manager_is_the_launcher_of_what_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    written = Written()
    written.trail.began()
    assert people(written.read()[0]) == ["NODE", "service manager"]
    monkeypatch.setenv("SYSTEMD_EXEC_PID", "1")  # of a session that it started, and that started us
    written.trail.began()
    assert "service manager" not in people(written.read()[0])


def test_an_association_tells_a_message_for_each_patient_at_its_end() -> None:
    written = Written()
    for number in range(5):
        written.store(put(person(b"P1"), "1.2.3", number))
    written.store(put(person(b"P1"), "1.2.4"))
    written.store(put(person(b"P2", "Müller^Jürgen".encode("latin-1")), "1.2.5"))
    assert written.messages == []
    written.trail.dissociated(CALLER, END)
    one, two = written.read()
    assert summary(one) == summary(two) == ("110104", "C", "0")
    assert people(one) == ["CT1", "NODE"]
    counts = {
        study.get("ParticipantObjectID"): study.find(".//SOPClass").get("NumberOfInstances")  # type: ignore[union-attr]
        for study in objects(one, "study")
    }
    assert counts == {"1.2.3": "5", "1.2.4": "1"}
    (patient,) = objects(two, "patient")
    assert patient.get("ParticipantObjectID") == "P2"
    assert patient.findtext("ParticipantObjectName") == "Müller^Jürgen"


def test_new_duplicate_replaced_and_failed_are_told_apart() -> None:
    written = Written()
    patient = person(b"P1")
    for action in "CRU":
        written.store(put(patient), action)
    written.store(put(patient), "", 0xA700, "the disk is full")
    written.store(None, "", 0xC000, "element (0010,0020)\x1b ends")
    written.trail.interrupted(CALLER, CT, 500)
    written.trail.dissociated(CALLER, END)
    found = written.read()
    assert [summary(one)[1:] for one in found] == [
        ("C", "0"), ("R", "0"), ("U", "0"), ("C", "12"), ("C", "4"), ("C", "8"),
    ]  # fmt: skip
    assert "the disk is full" in (found[3][0].findtext("EventOutcomeDescription") or "")
    assert "\\x1b" in (found[4][0].findtext("EventOutcomeDescription") or "")
    (patient_,) = objects(found[4], "patient")
    assert patient_.get("ParticipantObjectID") == UNKNOWN


def test_one_patient_with_differing_attributes_is_one_patient() -> None:
    written = Written()
    written.store(put(person(b"P1") + element(0x00100040, b"CS", b"F"), number=1))
    written.store(put(person(b"P1"), number=2))
    written.trail.dissociated(CALLER, END)
    (one,) = written.read()
    assert [study.find(".//SOPClass").get("NumberOfInstances") for study in objects(one, "study")] == ["2"]  # type: ignore[union-attr]


def test_memory_is_bounded_and_messages_stay_below_32_kib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_module, "GROUPS_MAX", 200)
    written = Written()
    for number in range(1000):
        written.store(put(person(b"P1"), f"1.2.{number}" + ".9" * 25))
        assert len(written.trail._transfers[7].counts if 7 in written.trail._transfers else ()) <= 200
    written.trail.dissociated(CALLER, END)
    assert max(len(message) for message, _ in written.messages) < 32 * 1024
    studies = [study for one in written.read() for study in objects(one, "study")]
    assert len(studies) == 1000


def test_a_move_is_told_before_and_after_with_who_asked() -> None:
    patients = {"1.1.0": person(b"P1"), "1.2.0": person(b"P2")}
    written = Written(patient_of=lambda uid: patients.get(uid, b""), addresses={"PACS": "10.0.0.5"})
    entries = [entry("1.1", 0), entry("1.1", 1), entry("1.1", 2, MR), entry("1.2", 0)]
    written.trail.sending(CALLER, "PACS", entries)
    began = written.read()
    assert [summary(one) for one in began] == [("110102", "E", "0")] * 2
    assert people(began[0]) == ["NODE", "PACS", "CT1"]
    assert [one.get("UserIsRequestor") for one in began[0].findall("ActiveParticipant")] == [
        "false", "false", "true",
    ]  # fmt: skip
    assert began[0].findall("ActiveParticipant")[1].get("NetworkAccessPointID") == "10.0.0.5"
    delivered = {("1.1", CT): 2, ("1.2", CT): 1}
    written.trail.retrieved(CALLER, "PACS", delivered, [entries[2]], "refused there")
    after = written.read()
    assert [summary(one) for one in after] == [("110104", "R", "0")] * 2 + [("110104", "R", "8")]
    assert [one.attrib["UID"] for one in after[2].findall(".//SOPClass")] == [MR]
    assert after[2][0].findtext("EventOutcomeDescription") == "refused there"
    assert objects(after[2], "patient")[0].get("ParticipantObjectID") == "P1"


def test_a_get_has_its_client_as_destination() -> None:
    written = Written()
    written.trail.sending(CALLER, "CT1", [entry("1.1", 0)])
    (one,) = written.read()
    assert people(one) == ["NODE", "CT1"]


@pytest.mark.parametrize(("code", "outcome"), [(0, "0"), (0xFE00, "0"), (0xB000, "0"), (0xA900, "4")])
def test_a_query_is_told_with_its_identifier(code: int, outcome: str) -> None:
    written = Written()
    written.trail.queried(CALLER, Query("find", FIND, "1.2.840.10008.1.2", b"\x08\0\x52\0"), code)
    (one,) = written.read()
    assert summary(one) == ("110112", "E", outcome)
    (query,) = objects(one, "query")
    assert query.get("ParticipantObjectID") == FIND
    assert detail(query, "TransferSyntax") == b"1.2.840.10008.1.2"
    assert query.findtext("ParticipantObjectQuery") == "CABSAA=="


def test_a_huge_identifier_is_cut_and_that_is_said() -> None:
    written = Written()
    written.trail.queried(CALLER, Query("move", FIND, "1.2", b"x" * 1_000_000), 0)
    assert len(written.messages[0][0]) < 32 * 1024
    (one,) = written.read()
    said = detail(objects(one, "query")[0], "Cut")
    assert said == b"%d of 1000000 bytes" % IDENTIFIER_LENGTH_MAX


def test_queries_may_be_left_out() -> None:
    written = Written(queries=False)
    written.trail.queried(CALLER, Query("find", FIND, "1.2", b""), 0)
    assert written.messages == []


@pytest.mark.parametrize("kind", events.ALERT_KINDS)
def test_every_kind_of_alert_is_a_security_alert(kind: str) -> None:
    written = Written()
    written.trail.alerted(Alert(kind, "what \x1b happened", "10.0.0.9", "EVIL\r\n<b>"))
    assert written.messages[0][1] == WARNING
    (one,) = written.read()
    assert summary(one) == ("110113", "E", "4")
    (subject,) = objects(one, "alert")
    assert subject.get("ParticipantObjectID") == "10.0.0.9"
    assert detail(subject, "Alert Description") == b"what \x1b happened"


def test_an_alert_flood_is_a_handful_of_messages() -> None:
    written = Written(alerts_per_minute=60)
    for number in range(10_000):
        written.now = 1_700_000_000.0 + number * 0.001
        written.trail.alerted(Alert(events.PROTOCOL, "nonsense", "10.0.0.9"))
    assert len(written.messages) == 5
    written.messages.clear()
    written.now += 120
    written.trail.tick()
    (one,) = written.read()
    assert detail(objects(one, "alert")[0], "Alert Description") == (
        b"9995 more alerts of this kind were only counted"
    )
    assert written.trail.suppressed == 9995


def test_users_are_told_with_their_address_and_failures_are_limited() -> None:
    written = Written()
    written.trail.authenticated("anna", "10.0.0.3", True)
    assert written.messages[0][1] == NOTICE
    (one,) = written.read()
    assert (summary(one), people(one)[0]) == (("110114", "E", "0"), "anna")
    for _ in range(500):
        written.trail.authenticated("eve", "10.0.0.9", False, "wrong passcode")
    assert Counter(summary(one) for one in written.read()) == {("110114", "E", "4"): 5}


@pytest.mark.parametrize(("whole", "code"), [(True, "110105"), (False, "110103")])
def test_deletions_name_who_and_what(whole: bool, code: str) -> None:
    written = Written()
    groups = {InstanceGroup(person(b"P1"), "1.1", CT): 3, InstanceGroup(person(b"P2"), "1.2", MR): 1}
    written.trail.deleted(groups, whole, "retention, older than 30 d")
    found = written.read()
    assert [summary(one) for one in found] == [(code, "D", "0")] * 2
    assert people(found[0])[0] == "retention, older than 30 d"


def test_an_export_is_an_access() -> None:
    written = Written()
    written.trail.exported({InstanceGroup(person(b"P1"), "1.1", CT): 3}, "root, fastdicom")
    (one,) = written.read()
    assert summary(one) == ("110103", "R", "0")


def test_lost_messages_are_an_alert() -> None:
    assert summary(check(Written().trail.lost(17))) == ("110113", "E", "8")
