"""The codes that audit messages use. PS3.15 A.5, PS3.16 CID 400 to 403 and Annex D."""

from __future__ import annotations

from typing import NamedTuple

from fastdicom import events


class Code(NamedTuple):
    """A coded value: its code, the scheme that defines it, its meaning."""

    value: str
    scheme: str
    meaning: str


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _ours(value: str, meaning: str) -> Code:
    return Code(value, "99FASTDICOM", meaning)


APPLICATION_ACTIVITY = _dcm("110100", "Application Activity")
BEGIN_TRANSFERRING = _dcm("110102", "Begin Transferring DICOM Instances")
INSTANCES_ACCESSED = _dcm("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = _dcm("110104", "DICOM Instances Transferred")
STUDY_DELETED = _dcm("110105", "DICOM Study Deleted")
NETWORK_ENTRY = _dcm("110108", "Network Entry")
QUERY = _dcm("110112", "Query")
SECURITY_ALERT = _dcm("110113", "Security Alert")
USER_AUTHENTICATION = _dcm("110114", "User Authentication")

APPLICATION_START = _dcm("110120", "Application Start")
APPLICATION_STOP = _dcm("110121", "Application Stop")
LOGIN = _dcm("110122", "Login")
ATTACH = _dcm("110124", "Attach")
DETACH = _dcm("110125", "Detach")
NODE_AUTHENTICATION = _dcm("110126", "Node Authentication")
RESTRICTED_FUNCTION = _dcm("110132", "Use of Restricted Function")
RECORDING_STOPPED = _dcm("110133", "Audit Recording Stopped")

APPLICATION = _dcm("110150", "Application")
LAUNCHER = _dcm("110151", "Application Launcher")
DESTINATION = _dcm("110152", "Destination Role ID")
SOURCE = _dcm("110153", "Source Role ID")

STUDY_INSTANCE_UID = _dcm("110180", "Study Instance UID")
SOP_CLASS_UID = _dcm("110181", "SOP Class UID")
NODE_ID = _dcm("110182", "Node ID")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")

ALERT_TYPES = {
    events.UNKNOWN_NODE: NODE_AUTHENTICATION,
    events.USER: NODE_AUTHENTICATION,
    events.RESTRICTED: RESTRICTED_FUNCTION,
    # CID 403 has nothing for these; it may be extended.
    events.PROTOCOL: _ours("protocol-violation", "Protocol violation by a peer"),
    events.LIMIT: _ours("limit-reached", "Limit reached"),
    events.DAMAGE: _ours("damaged-object", "Stored object is damaged"),
}
