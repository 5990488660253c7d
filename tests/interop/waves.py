"""The shared files in waves: no two instances of a wave have the same SOP Instance UID."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from pydicom.filereader import read_dataset

from tests.support.part10 import MEDIA_STORAGE_SOP_CLASS, TRANSFER_SYNTAX, split, uid
from tests.support.rawdicom import EXPLICIT_BE, IMPLICIT_LE, Aborted, ConnectionEnded, RawAssociation
from tests.support.rawelements import SOP_INSTANCE_UID
from tests.support.rawpdu import Proposal
from tests.support.shared_data import SharedFile, manifest

WITHOUT_META = {
    "modalities/rtstruct.dcm": "1.2.840.10008.1.2",
    "odd/ExplVR_BigEndNoMeta.dcm": "1.2.840.10008.1.2.2",
    "odd/ExplVR_LitEndNoMeta.dcm": "1.2.840.10008.1.2.1",
    "odd/meta_missing_tsyntax.dcm": "1.2.840.10008.1.2",
    "odd/no_meta.dcm": "1.2.840.10008.1.2.1",
    "odd/no_preamble_dicm_in_data": "1.2.840.10008.1.2",
}
CONTEXT_RESULTS = {3: "SOP class refused", 4: "transfer syntax refused"}


@dataclass(frozen=True)
class Sendable:
    """A shared file as a C-STORE needs it; the UIDs may be missing or wrong, as in the file."""

    name: str
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    data: bytes


def sendable(file: SharedFile) -> Sendable:
    """Read a file; what its File Meta Information lacks comes from the manifest or the table above."""
    meta, data = split(file.path.read_bytes())
    syntax = uid(meta, TRANSFER_SYNTAX) or file.transfer_syntax_uid or WITHOUT_META[file.name]
    sop_class = file.sop_class_uid or uid(meta, MEDIA_STORAGE_SOP_CLASS)
    if sop_class and file.sop_instance_uid:
        return Sendable(file.name, sop_class, file.sop_instance_uid, syntax, data)
    ds = read_dataset(BytesIO(data), syntax == IMPLICIT_LE, syntax != EXPLICIT_BE, stop_when=past_the_uids)
    return Sendable(
        file.name, str(ds.get("SOPClassUID", "")), str(ds.get("SOPInstanceUID", "")), syntax, data
    )


def past_the_uids(tag: int, vr: str | None, length: int) -> bool:
    """Whether SOP Class and Instance UID lie behind."""
    return tag > SOP_INSTANCE_UID


def waves() -> list[list[SharedFile]]:
    """Every file once; the second of two with the same SOP Instance UID is in the second wave, and so on."""
    found: list[list[SharedFile]] = []
    seen: dict[str, int] = {}
    for file in manifest():
        name = sendable(file).sop_instance
        number = seen.get(name, 0)
        seen[name] = number + 1
        if number == len(found):
            found.append([])
        found[number].append(file)
    return found


def contexts_for(files: list[Sendable]) -> Iterator[list[Proposal]]:
    """The presentation contexts that the files need, in batches of at most 128."""
    pairs = sorted({(one.sop_class, one.transfer_syntax) for one in files})
    for start in range(0, len(pairs), 128):
        batch = pairs[start : start + 128]
        yield [Proposal(2 * at + 1, sop_class, (syntax,)) for at, (sop_class, syntax) in enumerate(batch)]


def store_all(port: int, files: list[Sendable]) -> dict[str, str]:
    """C-STORE every file; by name, why it was refused ("" when it was stored)."""
    incomplete = [one for one in files if not (one.sop_class and one.sop_instance)]
    refused = {one.name: "names no SOP class or instance" for one in incomplete}
    files = [one for one in files if one.name not in refused]
    for proposals in contexts_for(files):
        by_pair = {(one.abstract_syntax, one.transfer_syntaxes[0]): one.context_id for one in proposals}
        with RawAssociation.to(port, proposals, timeout_s=60) as association:
            for one in files:
                context = by_pair.get((one.sop_class, one.transfer_syntax))
                if context is not None:
                    refused[one.name] = _store(association, one, context)
            association.release()
    return refused


def _store(association: RawAssociation, one: Sendable, context: int) -> str:
    if context not in association.accepted:
        assert association.answer is not None
        results = {verdict.context_id: verdict.result for verdict in association.answer.verdicts}
        return CONTEXT_RESULTS[results[context]]
    try:
        response = association.store(one.sop_class, one.sop_instance, one.data, context)
    except (Aborted, ConnectionEnded) as error:
        raise AssertionError(f"{one.name} ended the association: {error}") from error
    return "" if response.status == 0 else f"{response.status:04X}H {response.comment}"
