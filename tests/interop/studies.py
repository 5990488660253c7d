"""A small study in several transfer syntaxes, as files and as bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.datasets import numbered_uids, synthetic
from tests.support.part10 import MEDIA_STORAGE_SOP_INSTANCE, join, split, uid
from tests.support.rawdicom import RawAssociation
from tests.support.rawpdu import Proposal

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
SECONDARY_CAPTURE, BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.88.11"
SYNTAXES = {
    "implicit_le": "1.2.840.10008.1.2",
    "explicit_le": "1.2.840.10008.1.2.1",
    "explicit_be": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
    "jpeg_lossless": "1.2.840.10008.1.2.4.70",
    "jpeg_ls": "1.2.840.10008.1.2.4.80",
    "jpeg_2000": "1.2.840.10008.1.2.4.90",
    "rle": "1.2.840.10008.1.2.5",
}
NATIVE = ("implicit_le", "explicit_le", "explicit_be")


@dataclass(frozen=True)
class Instance:
    """A synthetic instance and where its file is."""

    name: str
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    study: str
    data: bytes
    path: Path


def make_study(folder: Path, run: int, names: tuple[str, ...] = tuple(SYNTAXES)) -> list[Instance]:
    """One instance for each name in SYNTAXES, and a report; all of them one study, in two series."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = [(name, CT, SYNTAXES[name]) for name in names] + [
        ("report", BASIC_TEXT_SR, SYNTAXES["explicit_le"])
    ]
    made = []
    for number, (name, sop_class, syntax) in enumerate(kinds):
        uids = numbered_uids(run, number, series=int(name == "report"))
        data = synthetic(sop_class, syntax, uids, 32768)
        path = folder / f"{name}.dcm"
        path.write_bytes(join(data, sop_class, uids.instance, syntax))
        made.append(Instance(name, sop_class, uids.instance, syntax, uids.study, data, path))
    return made


def store_raw(port: int, instances: list[Instance], called: str = "FASTDICOM") -> None:
    """Store every instance byte for byte, each in a context of its own syntax."""
    proposals = [
        Proposal(2 * at + 1, one.sop_class, (one.transfer_syntax,)) for at, one in enumerate(instances)
    ]
    with RawAssociation.to(port, proposals, called=called) as association:
        for proposal, one in zip(proposals, instances, strict=True):
            response = association.store(one.sop_class, one.sop_instance, one.data, proposal.context_id)
            assert response.status == 0, f"{one.name}: {response.status:04X}H {response.comment}"
        association.release()


def data_sets_in(folder: Path) -> dict[str, bytes]:
    """The Data Sets of the Part 10 files in a folder, by SOP Instance UID of their File Meta Information."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.read_bytes()[128:132] == b"DICM":
            meta, data = split(path.read_bytes())
            found[uid(meta, MEDIA_STORAGE_SOP_INSTANCE)] = data
    return found


def by_uid(instances: list[Instance]) -> dict[str, bytes]:
    """The Data Sets by SOP Instance UID."""
    return {one.sop_instance: one.data for one in instances}
