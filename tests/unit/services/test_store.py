"""C-STORE without a network or a disk: what is answered, and what is left behind."""

from __future__ import annotations

import errno
from collections.abc import Sequence

import pytest
import xxhash

from fastdicom.dataset.part10 import read_file_meta
from fastdicom.dataset.record import Added, Change, FileEntry, Kept, Outcome, Put, StoredEntry
from fastdicom.dataset.scanned import wanted_table
from fastdicom.dataset.stream import ScanPolicy
from fastdicom.dimse import messages
from fastdicom.dimse.messages import CStoreRequest, Response
from fastdicom.errors import Unavailable
from fastdicom.services.ports import Caller
from fastdicom.services.store import StoreOperation, StorePolicy

EXPLICIT = "1.2.840.10008.1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
REQUEST = CStoreRequest(5, CT, "1.2.3.4")
CALLER = Caller(1, "MODALITY", "FASTDICOM", "127.0.0.1", frozenset({"store"}))
SCAN = ScanPolicy(wanted_table())


def ui(group: int, element: int, uid: str) -> bytes:
    value = uid.encode() + b"\0" * (len(uid) & 1)
    tag = group.to_bytes(2, "little") + element.to_bytes(2, "little")
    return tag + b"UI" + len(value).to_bytes(2, "little") + value


WHOLE = ui(8, 0x16, CT) + ui(8, 0x18, "1.2.3.4") + ui(0x20, 0x0D, "1.2.3") + ui(0x20, 0x0E, "1.2.3.1") + b""


class File:
    def __init__(self, fail: str = "") -> None:
        self.content = b""
        self.size = 0
        self.state = "open"
        self.path = "00000001/0001.dcm"
        self._fail = fail

    def append(self, pieces: Sequence[memoryview | bytes]) -> None:
        if self._fail == "append" and self.content:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.content += b"".join(pieces)
        self.size = len(self.content)

    def overwrite(self, data: bytes, offset: int) -> None:
        if self._fail == "overwrite":
            raise OSError(errno.EIO, "Input/output error")
        assert offset + len(data) <= self.size
        self.content = self.content[:offset] + data + self.content[offset + len(data) :]

    def finish(self) -> None:
        self.state = "finished"

    def discard(self) -> None:
        self.state = "discarded"


class Keeper:
    def __init__(self, file: File | None = None, outcome: Outcome | Exception | None = None) -> None:
        self.file = file or File()
        self.outcome = outcome or Added()
        self.committed: list[Change] = []

    def incoming(self) -> File:
        if self.file.state == "none":
            raise Unavailable("5 bytes are free")
        return self.file

    def commit(self, file: object, change: Change) -> Outcome:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        self.committed.append(change)
        self.file.state = "committed"
        return self.outcome

    def read(self, entry: StoredEntry) -> memoryview:
        raise AssertionError("nothing is read while storing")


def store(
    keeper: Keeper, data: bytes = WHOLE, request: CStoreRequest = REQUEST, step: int = 7, **policy: object
) -> Response:
    operation = StoreOperation(
        request,
        EXPLICIT,
        CALLER,
        keeper,
        StorePolicy(scan=SCAN, **policy),  # type: ignore[arg-type]
    )
    for at in range(0, len(data), step):
        operation.data(memoryview(data)[at : at + step])
        operation.flush()
    (reply,) = operation.end()
    response = messages.decode(reply.command)
    assert isinstance(response, Response)
    return response


def test_success_after_the_commit_with_the_bytes_as_received() -> None:
    keeper = Keeper()
    response = store(keeper)
    assert (response.status, response.responded_to, response.sop_instance_uid) == (0, 5, "1.2.3.4")
    (put,) = keeper.committed
    assert isinstance(put, Put)
    assert keeper.file.content[put.file.dataset_offset :] == WHOLE
    assert keeper.file.content[:132] == bytes(128) + b"DICM"
    assert (put.file.size, put.file.source_ae_title) == (len(keeper.file.content), "MODALITY")
    assert put.record.study_instance_uid == "1.2.3"
    assert keeper.file.state == "committed"


@pytest.mark.parametrize("step", [7, len(WHOLE)])
def test_a_whole_file_says_so_before_its_data_set(step: int) -> None:
    keeper = Keeper()
    operation = StoreOperation(REQUEST, EXPLICIT, CALLER, keeper, StorePolicy(scan=SCAN))
    operation.data(WHOLE[:step])
    if step < len(WHOLE):
        operation.flush()
        assert read_file_meta(keeper.file.content).seal == (0, 0)
        operation.data(WHOLE[step:])
    operation.end()
    assert read_file_meta(keeper.file.content).seal == (len(WHOLE), xxhash.xxh3_64_intdigest(WHOLE))


@pytest.mark.parametrize(
    ("request_changes", "tag"),
    [({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.4"}, 0x00080016), ({"sop_instance_uid": "9.9"}, 0x00080018)],
)
def test_a_command_that_disagrees_is_refused(request_changes: dict[str, str], tag: int) -> None:
    keeper = Keeper()
    response = store(keeper, request=REQUEST._replace(**request_changes))
    assert (response.status, response.offending) == (0xA900, (tag,))
    assert keeper.file.state == "discarded" and not keeper.committed


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
def test_a_cut_data_set_is_refused(cut: int) -> None:
    keeper = Keeper()
    response = store(keeper, WHOLE[:cut])
    assert response.status in (0xA900, 0xC000) and response.comment
    assert keeper.file.state == "discarded" and not keeper.committed


@pytest.mark.parametrize("fail", ["append", "overwrite"])
def test_a_disk_that_fails_half_way_is_a700(fail: str) -> None:
    keeper = Keeper(File(fail))
    response = store(keeper)
    assert response.status == 0xA700 and "cannot write" in response.comment
    assert keeper.file.state == "discarded" and not keeper.committed


def test_no_room_is_a700_and_the_data_set_is_still_read() -> None:
    file = File()
    file.state = "none"
    response = store(Keeper(file))
    assert response.status == 0xA700 and file.content == b""


def test_a_commit_that_fails_is_a700() -> None:
    assert store(Keeper(outcome=Unavailable("commit failed"))).status == 0xA700


def test_a_data_set_above_the_ceiling_is_a700() -> None:
    keeper = Keeper()
    assert store(keeper, dataset_length_max=50).status == 0xA700
    assert keeper.file.state == "discarded"


def test_a_duplicate_is_success_and_no_event() -> None:
    told: list[object] = []
    entry = FileEntry("00000001/0009.dcm", 0, 0, 0, EXPLICIT, 0.0, "")
    response = store(Keeper(outcome=Kept(entry)), stored=lambda put, caller: told.append(put))
    assert response.status == 0 and told == []


def test_the_host_hears_of_a_new_instance_after_its_commit() -> None:
    keeper = Keeper()
    told: list[tuple[int, Caller]] = []
    store(keeper, stored=lambda put, caller: told.append((len(keeper.committed), caller)))
    assert told == [(1, CALLER)]


def test_an_association_that_breaks_leaves_nothing() -> None:
    keeper = Keeper()
    operation = StoreOperation(REQUEST, EXPLICIT, CALLER, keeper, StorePolicy(scan=SCAN))
    operation.data(WHOLE[:10])
    operation.abandon()
    assert keeper.file.state == "discarded" and not keeper.committed
