"""[retention] and [verify]: what is deleted in time, and how often files are read again."""

from __future__ import annotations

from dataclasses import dataclass

from fastdicom.sections.units import MIB
from fastdicom.settings import boolean, listing, seconds, setting, size, text, uid


def _seconds_or_none(value: object) -> float:
    """A duration; 0 switches the rule off."""
    if value == 0 and not isinstance(value, bool):
        return 0.0
    return seconds(value)


def patient_id(value: object) -> str:
    """A Patient ID without padding; the empty one would be of everybody without one."""
    name = text(value).strip()
    if not name:
        raise ValueError("a Patient ID must not be empty")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionConfig:
    """[retention]: studies are deleted, the first that came first, when a rule asks for it; 0: no such rule.

    max_age_s: since a study's last instance came. max_size: bytes of all files. keep_free: bytes of the file
    system. protected_patients, protected_studies: Patient IDs and Study Instance UIDs that always stay.
    """

    max_age_s: float = setting(0.0, _seconds_or_none, "max_age")
    max_size: int = setting(0, size(0))
    keep_free: int = setting(0, size(0))
    protected_patients: tuple[str, ...] = setting((), listing(patient_id))
    protected_studies: tuple[str, ...] = setting((), listing(uid))


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyConfig:
    """[verify]: stored files against the checksums of when they were received.

    interval_s: every file is read in the background once in this time, 0: not at all. rate: bytes a second
    that this may read. before_sending: a file is compared before C-MOVE and C-GET send it.
    """

    interval_s: float = setting(7 * 86400.0, _seconds_or_none, "interval")
    rate: int = setting(16 * MIB, size(4096))
    before_sending: bool = setting(True, boolean)
