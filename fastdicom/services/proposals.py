"""Which presentation contexts a set of instances needs, and over how many associations. PS3.8 9.3.2.2.

Each (class, stored syntax) pair gets a context of its own, so that nothing is converted without need;
each class gets further ones to fall back on. An association has at most 128 contexts: what does not
fit goes over another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fastdicom.dataset.record import StoredEntry
from fastdicom.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

CONTEXTS_MAX = 128
FALLBACKS = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN)

Proposal = tuple[str, str]
"""(SOP class UID, transfer syntax UID): one presentation context."""


@dataclass(frozen=True, slots=True)
class AssociationPlan:
    """One association: what to propose on it and which instances then go over it, in order."""

    proposals: tuple[Proposal, ...]
    entries: Sequence[StoredEntry]

    def divided(self, parts: int) -> list[AssociationPlan]:
        """The same proposals for each of at most `parts` shares of the entries."""
        shares = [self.entries[first::parts] for first in range(parts)]
        return [AssociationPlan(self.proposals, share) for share in shares if share]


def plan_associations(
    entries: Sequence[StoredEntry],
    *,
    only: Sequence[str] = (),
    fallbacks: Sequence[str] = FALLBACKS,
    contexts_max: int = CONTEXTS_MAX,
) -> list[AssociationPlan]:
    """Divide `entries` so that each part's proposals fit into one association.

    only: when given, no other transfer syntaxes are proposed (a peer's setting); the stored syntax is
    then proposed if it is among them.
    """
    plans: list[AssociationPlan] = []
    parts = list(_parts(_pairs(entries), only, fallbacks, contexts_max))
    if len(parts) == 1:  # nearly always; a selection of many thousands then stays where it is, in the index
        return [AssociationPlan(tuple(_proposals(parts[0], only, fallbacks)), entries)]
    for part in parts:
        pairs = set(part)
        chosen = tuple(e for e in entries if (e.sop_class_uid, e.file.transfer_syntax_uid) in pairs)
        plans.append(AssociationPlan(tuple(_proposals(part, only, fallbacks)), chosen))
    return plans


def _pairs(entries: Iterable[StoredEntry]) -> list[Proposal]:
    """The distinct (class, stored syntax) pairs, a class's syntaxes side by side."""
    found = dict.fromkeys((entry.sop_class_uid, entry.file.transfer_syntax_uid) for entry in entries)
    order = {uid: number for number, uid in enumerate(dict.fromkeys(pair[0] for pair in found))}
    return sorted(found, key=lambda pair: order[pair[0]])


def _parts(
    pairs: Sequence[Proposal], only: Sequence[str], fallbacks: Sequence[str], contexts_max: int
) -> Iterator[list[Proposal]]:
    part: list[Proposal] = []
    for pair in pairs:
        if part and len(_proposals([*part, pair], only, fallbacks)) > contexts_max:
            yield part
            part = []
        part.append(pair)
    if part:
        yield part


def _proposals(pairs: Sequence[Proposal], only: Sequence[str], fallbacks: Sequence[str]) -> list[Proposal]:
    proposals: dict[Proposal, None] = {}
    for class_uid, stored_uid in pairs:
        if not only or stored_uid in only:
            proposals[class_uid, stored_uid] = None
        for uid in only or fallbacks:
            proposals[class_uid, uid] = None
    return list(proposals)
