"""From events to audit messages: which message is written when, and what stands in it. PS3.15 A.5.3.

Transfers are counted while an association lasts and told at its end: a message for each patient, action and
outcome, for PS3.15 allows neither two patients nor mixed results in one.
"""

from __future__ import annotations

import os
import pwd
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fastdicom.audit import codes
from fastdicom.audit.message import (
    MAJOR_FAILURE,
    MINOR_FAILURE,
    SERIOUS_FAILURE,
    SUCCESS,
    Event,
    Participant,
    Source,
    alert_subject,
    audit_message,
    patient,
    query,
    study,
)
from fastdicom.audit.rate import RateLimit
from fastdicom.audit.syslog import NOTICE, WARNING
from fastdicom.dataset.charset import charset_of
from fastdicom.events import USER, Alert, Ending, InstanceGroup, Observer, Query
from fastdicom.kernels.rows import value_of
from fastdicom.standard import status

if TYPE_CHECKING:
    from fastdicom.dataset.record import Put, StoredEntry
    from fastdicom.services.ports import Caller

Emit = Callable[[bytes, int, float], None]
"""(XML, syslog severity, seconds since the epoch)."""

GROUPS_MAX = 4096  # that one association may pile up; then they are told before its end
OBJECTS_MAX = 50  # (study, SOP class) pairs of one message, so that it stays below 32 KiB
IDENTIFIER_LENGTH_MAX = 16 * 1024  # of one that is put into a message; longer ones are cut, and that is said
_CHARSET, _NAME, _ID = 0x00080005, 0x00100010, 0x00100020
_TEXT_LENGTH_MAX = 256


class _Fate(NamedTuple):
    """What has a message of its own. outcome: EventOutcomeIndicator."""

    action: str
    outcome: str


class _Transfers(NamedTuple):
    """Instances that one association stored, by patient, study, class, fate; reasons: why some were not."""

    counts: dict[tuple[bytes, str, str, _Fate], int]
    reasons: dict[_Fate, str]


class Trail(Observer):
    """Writes the audit trail.

    emit: takes a finished message; called on any thread. node: our AE title. patient_of: the patient's
    attributes for one stored instance, b"" when it is not there any more. queries: whether each C-FIND,
    C-MOVE and C-GET has a message.
    """

    def __init__(
        self,
        source: Source,
        node: str,
        emit: Emit,
        *,
        patient_of: Callable[[str], bytes] = lambda sop_instance_uid: b"",
        addresses: Mapping[str, str] | None = None,
        alerts_per_minute: int = 60,
        queries: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._node = node
        self._emit = emit
        self.patient_of = patient_of
        self.addresses = dict(addresses or {})
        self._queries = queries
        self._clock = clock
        self._transfers: dict[int, _Transfers] = {}
        self._retrieves: dict[int, dict[str, bytes]] = {}
        self._limit = RateLimit(alerts_per_minute)
        self._limit_lock = threading.Lock()

    @property
    def suppressed(self) -> int:
        """Alerts that were only counted."""
        return self._limit.suppressed

    # ------------------------------------------------------------------------------ the node itself

    def began(self) -> None:
        self._activity(codes.APPLICATION_START)
        self._network(codes.ATTACH)

    def ended(self) -> None:
        self._network(codes.DETACH)
        self._activity(codes.APPLICATION_STOP)

    def _activity(self, kind: codes.Code) -> None:
        application = Participant(self._node, codes.APPLICATION)
        launcher = Participant(_launcher(), codes.LAUNCHER, requestor=True)
        self._say(codes.APPLICATION_ACTIVITY, "E", [application, launcher], kind=kind)

    def _network(self, kind: codes.Code) -> None:
        self._say(codes.NETWORK_ENTRY, "E", [Participant(self._node)], kind=kind)

    # ------------------------------------------------------------------------------ storing

    def stored(
        self,
        caller: Caller,
        sop_class_uid: str,
        code: int,
        put: Put | None,
        action: str,
        length: int,
        seconds: float,
        comment: str,
    ) -> None:
        fate = _STORED.get(action)
        if fate is None:
            fate = _Fate("C", MAJOR_FAILURE if code >> 8 == 0xA7 else MINOR_FAILURE)
            self._of(caller).reasons[fate] = f"{status.describe(code)}: {comment}"
        transfers = self._transfers.get(caller.number) or self._of(caller)
        if put is None:
            key = (b"", "", sop_class_uid, fate)
        else:
            record = put.record
            key = (record.patient, record.study_instance_uid, sop_class_uid, fate)
        counts = transfers.counts
        counts[key] = counts.get(key, 0) + 1
        if len(counts) > GROUPS_MAX:
            self._tell_stored(caller, self._transfers.pop(caller.number))

    def interrupted(self, caller: Caller, sop_class_uid: str, length: int) -> None:
        transfers, fate = self._of(caller), _Fate("C", SERIOUS_FAILURE)
        transfers.reasons[fate] = "the association ended inside the Data Set"
        key = (b"", "", sop_class_uid, fate)
        transfers.counts[key] = transfers.counts.get(key, 0) + 1

    def dissociated(self, caller: Caller, ending: Ending) -> None:
        transfers = self._transfers.pop(caller.number, None)
        self._retrieves.pop(caller.number, None)
        if transfers is not None:
            self._tell_stored(caller, transfers)

    def _of(self, caller: Caller) -> _Transfers:
        found = self._transfers.get(caller.number)
        if found is None:
            found = self._transfers[caller.number] = _Transfers({}, {})
        return found

    def _tell_stored(self, caller: Caller, transfers: _Transfers) -> None:
        by_fate: dict[_Fate, dict[InstanceGroup, int]] = defaultdict(dict)
        for (person, study_uid, class_uid, fate), count in transfers.counts.items():
            by_fate[fate][InstanceGroup(person, study_uid, class_uid)] = count
        for fate, groups in by_fate.items():
            self._tell_transferred(
                _peer(caller, codes.SOURCE, requestor=True),
                Participant(self._node, codes.DESTINATION),
                fate,
                groups,
                reason=transfers.reasons.get(fate, ""),
            )

    # ------------------------------------------------------------------------------ sending

    def sending(self, caller: Caller, destination: str, entries: Sequence[StoredEntry]) -> None:
        counts: dict[tuple[str, str], int] = {}
        first: dict[str, str] = {}
        for entry in entries:
            key = (entry.study_instance_uid, entry.sop_class_uid)
            counts[key] = counts.get(key, 0) + 1
            first.setdefault(entry.study_instance_uid, entry.sop_instance_uid)
        patients = {uid: self.patient_of(instance) for uid, instance in first.items()}
        self._retrieves[caller.number] = patients
        groups = _grouped(counts, patients)
        for objects in _objects(groups):
            participants = self._between(caller, destination)
            self._say(codes.BEGIN_TRANSFERRING, "E", participants, objects=objects)

    def retrieved(
        self, caller: Caller, destination: str, delivered: Mapping[tuple[str, str], int],
        failed: Iterable[StoredEntry], comment: str,
    ) -> None:  # fmt: skip
        patients = self._retrieves.pop(caller.number, {})
        lost: dict[tuple[str, str], int] = {}
        for entry in failed:
            key = (entry.study_instance_uid, entry.sop_class_uid)
            lost[key] = lost.get(key, 0) + 1
        source, receiver, *others = self._between(caller, destination)
        for counts, outcome, reason in ((delivered, SUCCESS, ""), (lost, SERIOUS_FAILURE, comment)):
            groups = _grouped(counts, patients)
            self._tell_transferred(source, receiver, _Fate("R", outcome), groups, others, reason=reason)

    def _between(self, caller: Caller, destination: str) -> list[Participant]:
        """We, who receives, and who asked for it when that is somebody else."""
        source = Participant(self._node, codes.SOURCE)
        if destination == caller.calling_ae_title:
            return [source, _peer(caller, codes.DESTINATION, requestor=True)]
        address = self.addresses.get(destination, "")
        receiver = Participant(destination, codes.DESTINATION, address=address)
        return [source, receiver, _peer(caller, None, requestor=True)]

    def _tell_transferred(
        self,
        source: Participant,
        receiver: Participant,
        fate: _Fate,
        groups: Mapping[InstanceGroup, int],
        others: Sequence[Participant] = (),
        *,
        reason: str = "",
    ) -> None:
        for objects in _objects(groups):
            self._say(
                codes.INSTANCES_TRANSFERRED,
                fate.action,
                [source, receiver, *others],
                objects=objects,
                outcome=fate.outcome,
                description=reason,
            )

    # ------------------------------------------------------------------------------ asking

    def queried(self, caller: Caller, query_: Query, code: int) -> None:
        if not self._queries:
            return
        identifier = query_.identifier[:IDENTIFIER_LENGTH_MAX]
        details = {"TransferSyntax": query_.transfer_syntax_uid.encode("ascii", "replace")}
        if len(identifier) < len(query_.identifier):
            details["Cut"] = b"%d of %d bytes" % (len(identifier), len(query_.identifier))
        failed = code != status.SUCCESS and code != status.CANCEL and not status.is_warning(code)
        self._say(
            codes.QUERY,
            "E",
            [_peer(caller, codes.SOURCE, requestor=True), Participant(self._node, codes.DESTINATION)],
            objects=[query(query_.sop_class_uid, codes.SOP_CLASS_UID, identifier, details)],
            outcome=MINOR_FAILURE if failed else SUCCESS,
            description=status.describe(code) if failed else "",
        )

    # ------------------------------------------------------------------------------ alerts, users

    def alerted(self, alert: Alert) -> None:
        node = alert.address or alert.ae_title or self._node
        with self._limit_lock:
            suppressed = self._limit.admit(alert.kind, node, self._clock())
        if suppressed is not None:
            more = f" ({suppressed} more like it were only counted)" if suppressed else ""
            self._tell_alert(alert.kind, alert.text + more, node, alert.ae_title, alert.address)

    def tick(self) -> None:
        """Tell of floods that have come to rest. Call it now and then."""
        with self._limit_lock:
            rested = self._limit.due(self._clock())
        for kind, node, count in rested:
            self._tell_alert(kind, f"{count} more alerts of this kind were only counted", node, "", node)

    def _tell_alert(self, kind: str, text: str, node: str, ae_title: str, address: str) -> None:
        code = codes.ALERT_TYPES[kind]
        subject = alert_subject(node[:_TEXT_LENGTH_MAX], codes.NODE_ID, text[: 4 * _TEXT_LENGTH_MAX])
        performer = [Participant(ae_title or address, address=address)] if ae_title or address else []
        self._say(
            codes.SECURITY_ALERT,
            "E",
            [Participant(self._node), *performer],
            objects=[subject],
            outcome=MINOR_FAILURE,
            kind=code,
            severity=WARNING,
        )

    def lost(self, count: int) -> bytes:
        """The message that `count` others are lost. It is returned, not emitted."""
        event = Event(
            codes.SECURITY_ALERT, "E", self._clock(), SERIOUS_FAILURE, codes.RECORDING_STOPPED,
            f"{count} audit messages were lost: queue and spool were full",
        )  # fmt: skip
        subject = alert_subject(self._node, codes.NODE_ID, event.description)
        return audit_message(self._source, event, [Participant(self._node)], [subject])

    def authenticated(self, user: str, address: str, accepted: bool, reason: str = "") -> None:
        if not accepted:
            with self._limit_lock:
                if self._limit.admit(USER, address, self._clock()) is None:
                    return
        self._say(
            codes.USER_AUTHENTICATION,
            "E",
            [Participant(user[:_TEXT_LENGTH_MAX], requestor=True, address=address), Participant(self._node)],
            kind=codes.LOGIN,
            outcome=SUCCESS if accepted else MINOR_FAILURE,
            description=reason,
            severity=NOTICE if accepted else WARNING,
        )

    # ------------------------------------------------------------------------------ the archive

    def deleted(self, groups: Mapping[InstanceGroup, int], whole: bool, reason: str) -> None:
        code = codes.STUDY_DELETED if whole else codes.INSTANCES_ACCESSED
        self._tell_local(code, "D", groups, reason)

    def exported(self, groups: Mapping[InstanceGroup, int], reason: str) -> None:
        self._tell_local(codes.INSTANCES_ACCESSED, "R", groups, reason)

    def _tell_local(
        self, code: codes.Code, action: str, groups: Mapping[InstanceGroup, int], reason: str
    ) -> None:
        who = Participant(reason, requestor=True)
        for objects in _objects(groups):
            self._say(code, action, [who, Participant(self._node)], objects=objects)

    def _say(
        self,
        code: codes.Code,
        action: str,
        participants: Iterable[Participant],
        *,
        objects: Sequence[str] = (),
        outcome: str = SUCCESS,
        kind: codes.Code | None = None,
        description: str = "",
        severity: int = NOTICE,
    ) -> None:
        event = Event(code, action, self._clock(), outcome, kind, description[:_TEXT_LENGTH_MAX])
        self._emit(audit_message(self._source, event, participants, objects), severity, event.at)


_STORED = {action: _Fate(action, SUCCESS) for action in "CRU"}


def _peer(caller: Caller, role: codes.Code | None, *, requestor: bool) -> Participant:
    return Participant(caller.calling_ae_title, role, requestor, caller.address)


def _grouped(
    counts: Mapping[tuple[str, str], int], patients: Mapping[str, bytes]
) -> dict[InstanceGroup, int]:
    return {
        InstanceGroup(patients.get(study_uid, b""), study_uid, class_uid): count
        for (study_uid, class_uid), count in counts.items()
    }


def _objects(groups: Mapping[InstanceGroup, int]) -> Iterator[list[str]]:
    """The participating objects of one message after the other: a patient with some of the studies."""
    by_patient: dict[tuple[str, str], dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
    for group, count in groups.items():
        by_patient[_patient(group.patient)][group.study_instance_uid, group.sop_class_uid] += count
    for (patient_id, name), pairs in by_patient.items():
        ordered = sorted(pairs.items())
        for start in range(0, len(ordered), OBJECTS_MAX):
            studies: dict[str, dict[str, int]] = defaultdict(dict)
            for (study_uid, class_uid), count in ordered[start : start + OBJECTS_MAX]:
                studies[study_uid][class_uid] = count
            yield [*(study(uid, classes) for uid, classes in studies.items()), patient(patient_id, name)]


def _patient(dataset: bytes) -> tuple[str, str]:
    """(Patient ID, Patient's Name) of a patient's attributes, in Unicode."""
    charset = charset_of(value_of(dataset, _CHARSET))
    values = ((value_of(dataset, tag) or b"", vr) for tag, vr in ((_ID, "LO"), (_NAME, "PN")))
    identity, name = (charset.decode(value, vr).strip(" \0")[:_TEXT_LENGTH_MAX] for value, vr in values)
    return identity, name


def _launcher() -> str:
    """Who started this process: "service manager", or the user."""
    if os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid()):
        return "service manager"
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
