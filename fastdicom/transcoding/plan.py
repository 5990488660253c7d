"""Pass through, recode or refuse: how a stored instance gets to a peer, decided from transfer syntaxes alone.

Pixels are not converted here. A Data Set in an encapsulated syntax may still have none (a report, a
presentation state): it is recoded, and what turns out to have encapsulated pixels fails in `convert`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from fastdicom.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    KNOWN,
)
from fastdicom.transcoding.native import Buffer, recode

# What keeps most comes first: Implicit VR loses the VRs of private elements.
NATIVE_BY_PREFERENCE = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)


@dataclass(frozen=True, slots=True)
class PassThrough:
    """Send the stored bytes as they are."""


@dataclass(frozen=True, slots=True)
class Recode:
    """Send the Data Set in this native transfer syntax; `native.recode` does it."""

    to_uid: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """There is no way to send it; the reason is for the report."""

    reason: str


Plan = PassThrough | Recode | Refuse


def plan(stored_uid: str, accepted: Collection[str]) -> Plan:
    """How an instance stored in `stored_uid` goes to a peer that accepted these transfer syntaxes."""
    if stored_uid in accepted:
        return PassThrough()
    stored = KNOWN.get(stored_uid)
    if stored is None:
        return Refuse(f"{stored_uid} is not known and cannot be converted")
    if not (stored.native or stored.encapsulated):
        return Refuse(f"{stored.name} cannot be converted")
    for uid in NATIVE_BY_PREFERENCE:
        if uid in accepted:
            return Recode(uid)
    return Refuse(f"{stored.name} cannot be converted to what the peer accepts")


class Conversions:
    """`plan` and `recode` as the two steps that sending needs."""

    def choose(self, stored_uid: str, accepted: Collection[str]) -> str | None:
        """The transfer syntax to send in, the stored one before all others; None when there is no way."""
        match plan(stored_uid, accepted):
            case PassThrough():
                return stored_uid
            case Recode(to_uid):
                return to_uid
            case Refuse():
                return None

    def convert(self, dataset: memoryview, stored_uid: str, wanted_uid: str) -> Iterable[Buffer]:
        """The Data Set in a transfer syntax that `choose` gave. Raises as `recode` does."""
        return recode(dataset, stored_uid, wanted_uid)
