"""What a scanned Data Set says about its instance: an InstanceRecord, or the reason why it is refused.

Reads nothing itself: the scan kernel has taken the bytes. PS3.4 B.2.3, PS3.7 9.3.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from fastdicom.dataset.attributes import ATTRIBUTES, LEVELS, SPECIFIC_CHARACTER_SET, Attribute
from fastdicom.dataset.record import InstanceRecord
from fastdicom.errors import Refused
from fastdicom.kernels.scan import EVERY_LEVEL, Scanner, WantedTable
from fastdicom.standard.sop_classes import NON_PATIENT
from fastdicom.standard.status import DOES_NOT_MATCH_SOP_CLASS
from fastdicom.standard.transfer_syntaxes import KNOWN

SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
NAMES = {
    SOP_CLASS_UID: "SOP Class UID (0008,0016)",
    SOP_INSTANCE_UID: "SOP Instance UID (0008,0018)",
    STUDY_INSTANCE_UID: "Study Instance UID (0020,000D)",
    SERIES_INSTANCE_UID: "Series Instance UID (0020,000E)",
}


def wanted_table(extra: Iterable[Attribute] = ()) -> WantedTable:
    """The table for all scanners: ATTRIBUTES, Specific Character Set at every level, and `extra` ones."""
    rows = [(row.tag, row.vr, LEVELS.index(row.level)) for row in (*ATTRIBUTES, *extra)]
    return WantedTable([*rows, (SPECIFIC_CHARACTER_SET, "CS", EVERY_LEVEL)])


def byte_coding(transfer_syntax_uid: str) -> tuple[bool, bool]:
    """(explicit VR, big endian) of a Data Set in this transfer syntax, inflated where it is deflated.

    A transfer syntax that we do not know is Explicit VR Little Endian, as PS3.5 section 10 demands of all
    that are neither of the three oldest.
    """
    syntax = KNOWN.get(transfer_syntax_uid)
    return (True, False) if syntax is None else (syntax.explicit_vr, syntax.big_endian)


def record_from(
    scanner: Scanner, command_sop_class_uid: str | None, command_sop_instance_uid: str | None
) -> InstanceRecord:
    """The record of the Data Set that `scanner` has finished.

    command_...: Affected SOP Class and Instance UID of the C-STORE-RQ; None when there was none (a file).
    Raises Refused(A900H) that names the element when they disagree with the Data Set, or when a UID
    is missing or is none. A class without studies gets derived ones, in its rows too.
    """
    sop_class_uid = _required(scanner, SOP_CLASS_UID)
    sop_instance_uid = _required(scanner, SOP_INSTANCE_UID)
    _compare(SOP_CLASS_UID, sop_class_uid, command_sop_class_uid)
    _compare(SOP_INSTANCE_UID, sop_instance_uid, command_sop_instance_uid)
    study_uid = _uid(scanner, STUDY_INSTANCE_UID)
    series_uid = _uid(scanner, SERIES_INSTANCE_UID)
    if study_uid is None:
        study_uid = _derived(scanner, STUDY_INSTANCE_UID, sop_class_uid, sop_instance_uid)
    if series_uid is None:
        series_uid = _derived(scanner, SERIES_INSTANCE_UID, sop_class_uid, sop_instance_uid)
    return InstanceRecord(sop_class_uid, sop_instance_uid, study_uid, series_uid, *scanner.levels())


def _uid(scanner: Scanner, tag: int) -> str | None:
    try:
        uid = scanner.uid(tag)
    except ValueError as problem:
        raise Refused(DOES_NOT_MATCH_SOP_CLASS, f"{NAMES[tag]} {problem}", (tag,)) from None
    if uid is not None and (uid[0] == "." or uid[-1] == "." or ".." in uid):
        raise Refused(DOES_NOT_MATCH_SOP_CLASS, f"{NAMES[tag]} has an empty component", (tag,))
    return uid


def _required(scanner: Scanner, tag: int) -> str:
    uid = _uid(scanner, tag)
    if uid is None:
        raise Refused(DOES_NOT_MATCH_SOP_CLASS, f"{NAMES[tag]} is missing", (tag,))
    return uid


def _compare(tag: int, uid: str, command_uid: str | None) -> None:
    if command_uid is not None and uid != command_uid:
        comment = f"{NAMES[tag]} differs from the command's"
        raise Refused(DOES_NOT_MATCH_SOP_CLASS, comment, (tag,))


def _derived(scanner: Scanner, tag: int, sop_class_uid: str, sop_instance_uid: str) -> str:
    """A Study or Series Instance UID for an instance whose class has none. PS3.5 B.2, PS3.3 A.1.2.16."""
    if sop_class_uid not in NON_PATIENT:
        raise Refused(DOES_NOT_MATCH_SOP_CLASS, f"{NAMES[tag]} is missing", (tag,))
    digest = hashlib.blake2b(f"{sop_instance_uid} {tag:08X}".encode("ascii"), digest_size=16).digest()
    uid = f"2.25.{int.from_bytes(digest, 'big')}"
    scanner.supply(tag, uid.encode("ascii"))
    return uid
