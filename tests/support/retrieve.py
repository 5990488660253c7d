"""What a node really holds: its instances, moved to a raw sink and compared byte for byte."""

from __future__ import annotations

from tests.support.rawcommand import Element, Message
from tests.support.rawdicom import IMPLICIT_LE, STUDY_ROOT_FIND, STUDY_ROOT_MOVE, RawAssociation
from tests.support.rawelements import STUDY_INSTANCE_UID, VRS, identifier

QUERY_CONTEXTS = [STUDY_ROOT_FIND, STUDY_ROOT_MOVE]


def values_of(identifier_bytes: bytes) -> dict[int, str]:
    """Tag and text of the elements of an Implicit VR Little Endian identifier without sequences."""
    values, at = {}, 0
    while at + 8 <= len(identifier_bytes):
        group, element, length = (
            int.from_bytes(identifier_bytes[at + first : at + last], "little")
            for first, last in ((0, 2), (2, 4), (4, 8))
        )
        raw = identifier_bytes[at + 8 : at + 8 + length]
        values[group << 16 | element] = raw.decode("latin-1").strip(" \0")
        at += 8 + length
    return values


class Querier:
    """One association for C-FIND and C-MOVE in the Study Root model, Implicit VR Little Endian."""

    def __init__(
        self, port: int, called: str = "FASTDICOM", calling: str = "QUERIER", timeout_s: float = 60
    ) -> None:
        self.association = RawAssociation.to(
            port, QUERY_CONTEXTS, called=called, calling=calling, timeout_s=timeout_s
        )
        assert set(self.association.accepted.values()) == {IMPLICIT_LE}

    def __enter__(self) -> Querier:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self.association.release()
        self.association.close()

    def find(self, level: str, keys: dict[int, str]) -> list[dict[int, str]]:
        """The values of every match; raises AssertionError when the query does not succeed."""
        answers = self.association.find(STUDY_ROOT_FIND, identifier(level, dict(keys)))
        assert answers[-1].status == 0, f"C-FIND: {answers[-1].status:04X}H {answers[-1].comment}"
        return [values_of(one.data or b"") for one in answers[:-1]]

    def uids(self, level: str, tag: int, keys: dict[int, str] | None = None) -> list[str]:
        """One unique identifier of every match."""
        assert tag in VRS
        return [match[tag] for match in self.find(level, {tag: "", **(keys or {})})]

    def move(self, level: str, keys: dict[int, str], destination: str = "SINK") -> Message:
        """C-MOVE; the final response."""
        return self.association.move(STUDY_ROOT_MOVE, identifier(level, dict(keys)), destination)[-1]

    def move_everything(self, destination: str = "SINK") -> int:
        """C-MOVE of every study there is; the number of instances that the node says it sent."""
        sent = 0
        for study in self.uids("STUDY", STUDY_INSTANCE_UID):
            final = self.move("STUDY", {STUDY_INSTANCE_UID: study}, destination)
            assert final.status == 0, f"C-MOVE of {study}: {final.status:04X}H {final.comment}"
            sent += final.number(Element.COMPLETED)
        return sent
