"""Sending one by one: what fails is counted and named and never ends the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import pytest

from fastdicom.dataset.record import FileEntry, StoredEntry
from fastdicom.dimse import messages
from fastdicom.dimse.messages import Counters, CStoreRequest, Response
from fastdicom.errors import ConnectionLost, MalformedDataset
from fastdicom.services.ports import Buffer
from fastdicom.services.proposals import plan_associations
from fastdicom.services.suboperations import Sender, Tally

CT = "1.2.840.10008.5.1.4.1.1.2"
A, B = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def entries(count: int) -> list[StoredEntry]:
    return [
        StoredEntry(
            CT, f"1.2.{number}", "1", "2", FileEntry(str(number), len(f"meta{number} data"), 4, 0, A, 0.0, "")
        )
        for number in range(count)
    ]


class Channel:
    """Answers as told; `accepted` are its transfer syntaxes."""

    def __init__(self, answers: Iterable[int | Exception] = (), accepted: Iterable[str] = (A, B)) -> None:
        self.answers: Iterator[int | Exception] = iter(answers)
        self.accepted = {uid: number for number, uid in enumerate(accepted)}
        self.sent: list[tuple[int, CStoreRequest, bytes]] = []

    def transfer_syntaxes(self, sop_class_uid: str) -> dict[str, int]:
        return self.accepted

    def store(self, context_id: int, request: CStoreRequest, body: Iterable[Buffer]) -> Response:
        self.sent.append((context_id, request, b"".join(body)))
        answer = next(self.answers, 0)
        if isinstance(answer, Exception):
            raise answer
        return Response(messages.C_STORE_RSP, request.message_id, answer, comment="said the peer")


class Converter:
    def choose(self, stored_uid: str, accepted: Collection[str]) -> str | None:
        return stored_uid if stored_uid in accepted else B if B in accepted else None

    def convert(self, dataset: memoryview, stored_uid: str, wanted_uid: str) -> Iterable[Buffer]:
        if bytes(dataset) == b"3 data":
            raise MalformedDataset("broken", 0)
        yield b"converted " + bytes(dataset)


class Client:
    """Wants the rest until it has been asked `patience` times."""

    def __init__(self, patience: int = 1000) -> None:
        self.patience = patience

    def wanted(self) -> bool:
        self.patience -= 1
        return self.patience >= 0


def read(entry: StoredEntry) -> memoryview:
    if entry.file.path == "7":
        raise FileNotFoundError("gone")
    return memoryview(f"meta{entry.file.path} data".encode())


def send(count: int, channel: Channel, client: Client | None = None) -> Tally:
    tally = Tally(count)
    sender = Sender(read, Converter(), ("MOVER", 9))
    for _ in sender.send(entries(count), channel, tally, client or Client()):
        assert sum(tally.counters) == count
    return tally


def test_the_stored_syntax_goes_out_unchanged() -> None:
    channel = Channel()
    tally = send(2, channel)
    assert [(context, body) for context, _, body in channel.sent] == [(0, b"0 data"), (0, b"1 data")]
    assert [request.message_id for _, request, _ in channel.sent] == [1, 2]
    assert channel.sent[0][1].originator_ae_title == "MOVER"
    assert channel.sent[0][1].originator_message_id == 9
    assert tally.counters == Counters(0, 2, 0, 0)


def test_what_the_peer_does_not_take_is_converted() -> None:
    channel = Channel(accepted=(B,))
    send(1, channel)
    assert channel.sent[0][2] == b"converted 0 data"


def test_no_way_to_send_is_a_failure_with_its_reason() -> None:
    tally = send(2, Channel(accepted=("1.2.3",)))
    assert tally.counters == Counters(0, 0, 2, 0)
    assert tally.failures[0][1] == 0x0122 and "no transfer syntax" in tally.failures[0][2]


def test_failures_do_not_end_the_rest() -> None:
    tally = send(9, Channel([0, 0xA700, 0xB000, 0, 0xC000], accepted=(B,)))
    assert tally.counters == Counters(0, 4, 4, 1)
    assert [(failed.sop_instance_uid, code) for failed, code, _ in tally.failures] == [
        ("1.2.1", 0xA700),
        ("1.2.3", 0x0110),  # could not be converted
        ("1.2.5", 0xC000),
        ("1.2.7", 0x0110),  # could not be read
    ]
    assert "said the peer" in tally.failures[0][2]


def test_a_lost_association_fails_what_was_not_sent() -> None:
    tally = send(5, Channel([0, ConnectionLost("reset")]))
    assert tally.counters == Counters(0, 1, 4, 0)


def test_a_cancel_leaves_the_rest_remaining() -> None:
    tally = send(5, Channel(), Client(patience=2))
    assert tally.counters == Counters(3, 2, 0, 0)


def test_a_cancel_while_waiting_fails_only_the_instance_at_hand() -> None:
    tally = send(5, Channel([0, ConnectionLost("cancelled")]), Client(patience=2))
    assert tally.counters == Counters(3, 1, 1, 0)


@pytest.mark.parametrize("broken", [0, 1])
def test_an_association_that_fails_takes_only_its_own_entries(broken: int) -> None:
    classes = [f"1.2.3.{number}" for number in range(60)]
    everything = [
        StoredEntry(uid, uid, "1", "2", FileEntry("0", len("meta0 data"), 4, 0, A, 0.0, ""))
        for uid in classes
    ]
    plans = plan_associations(everything, contexts_max=64)
    assert len(plans) == 2
    opened = []

    def open_channel(plan: object) -> Channel:
        opened.append(plan)
        if plan is plans[broken]:
            raise ConnectionLost("nobody there")
        return Channel()

    tally = Tally(60)
    closed: list[object] = []
    list(Sender(read, Converter()).send_all(plans, open_channel, closed.append, tally, Client()))
    lost = len(plans[broken].entries)
    assert tally.counters == Counters(0, 60 - lost, lost, 0)
    assert len(closed) == 1 and opened == plans
