"""Sending one by one: what fails is counted and named and never ends the rest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from typing import Any

import pytest

from fastdicom.dataset.record import FileEntry, StoredEntry
from fastdicom.dimse import messages
from fastdicom.dimse.messages import Counters, CStoreRequest, Response
from fastdicom.errors import ConnectionLost, MalformedDataset, NoResponse
from fastdicom.services.lookahead import Ahead, Outgoing
from fastdicom.services.ports import Buffer
from fastdicom.services.proposals import plan_associations
from fastdicom.services.suboperations import Rest, Sender, Tally, Unsent

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

    def __init__(
        self, answers: Iterable[int | Exception] = (), accepted: Iterable[str] = (A, B), window: int = 1
    ) -> None:
        self.answers: Iterator[int | Exception] = iter(answers)
        self.window = window
        self.events: list[str] = []
        self.accepted = {uid: number for number, uid in enumerate(accepted)}
        self.sent: list[tuple[int, CStoreRequest, bytes]] = []

    def transfer_syntaxes(self, sop_class_uid: str) -> dict[str, int]:
        return self.accepted

    def send_store(self, context_id: int, request: CStoreRequest, body: Iterable[Buffer]) -> None:
        self.sent.append((context_id, request, b"".join(body)))
        self.events.append(f"send {request.sop_instance_uid}")

    def store_response(self, awaited: Container[int]) -> Response:
        answer = next(self.answers, 0)
        if isinstance(answer, Exception):
            raise answer
        request = next(one for _, one, _ in self.sent if one.message_id in awaited)
        self.events.append(f"response {request.sop_instance_uid}")
        return Response(messages.C_STORE_RSP, request.message_id, answer, comment="said the peer")


class Made:
    """An outgoing Data Set."""

    def __init__(self, pieces: Iterable[Buffer], new_uid: str | None = None) -> None:
        self.transfer_syntax_uid = B
        self.sop_instance_uid = new_uid
        self.length: int | None = None
        self.pieces = pieces

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self.pieces)

    def release(self) -> None:
        self.pieces = ()


class Started:
    """Prepared when it is asked for, in the same thread."""

    def __init__(self, prepare: Callable[[], Outgoing], log: list[str]) -> None:
        self.prepare = prepare
        self.log = log

    def result(self) -> Outgoing:
        return self.prepare()

    def close(self) -> None:
        self.log.append("closed")


class Converter:
    """Converts to B; Data Set 3 is broken, 6 becomes another instance. room: others may prepare."""

    depth = 3
    fallbacks = (B,)

    def __init__(self, room: bool = False, short: int = 0, batch: int = 3) -> None:
        self.room = room
        self.batch = batch
        self.short = short  # bytes up to which nobody else prepares
        self.log: list[str] = []
        self.begun = 0

    def for_peer(self, ae_title: str) -> Converter:
        return self

    def candidates(self, stored_uid: str, accepted: Collection[str]) -> Sequence[str]:
        return [uid for uid in (stored_uid, B) if uid in accepted][:1]

    def begin(
        self, dataset: memoryview, stored_uid: str, wanted: Sequence[str], *, whole: bool
    ) -> Callable[[], Outgoing]:
        if bytes(dataset) == b"3 data":
            raise MalformedDataset("broken", 0)
        self.begun += 1
        made = Made([b"converted " + bytes(dataset)], "9.9" if bytes(dataset) == b"6 data" else None)
        return lambda: made

    def quick(self, stored_uid: str, wanted: Sequence[str], length: int) -> bool:
        return length <= self.short

    def ahead(self, prepare: Callable[[], Outgoing]) -> Ahead | None:
        if not self.room:
            return None
        self.log.append("started")
        return Started(prepare, self.log)


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


def send(count: int, channel: Channel, client: Client | None = None, short: int = 0) -> Tally:
    tally, _ = send_and_left(count, channel, client, short)
    return tally


def send_and_left(
    count: int, channel: Channel, client: Client | None = None, short: int = 0
) -> tuple[Tally, Unsent]:
    tally = Tally(count)
    sender = Sender(read, Converter(short=short), ("MOVER", 9))
    sending = sender.send(entries(count), channel, tally, client or Client())
    while True:
        try:
            next(sending)
        except StopIteration as end:
            return tally, end.value
        assert sum(tally.counters) == count


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


def test_a_lossy_copy_is_sent_under_its_own_uid() -> None:
    channel = Channel(accepted=(B,))
    send(9, channel)
    assert [request.sop_instance_uid for _, request, _ in channel.sent][4:6] == ["1.2.5", "9.9"]


@pytest.mark.parametrize("patience", [1000, 5])
@pytest.mark.parametrize("answers", [(), (0, ConnectionLost("reset"))])
def test_what_was_started_ahead_gives_its_room_back(
    patience: int, answers: Iterable[int | Exception]
) -> None:
    converter = Converter(room=True)
    sending = Sender(read, converter).send(
        entries(9), Channel(answers, accepted=(B,)), Tally(9), Client(patience)
    )
    list(sending)
    assert converter.log.count("started") == converter.log.count("closed") > 3


def test_what_is_converted_quickly_is_not_handed_to_others() -> None:
    converter = Converter(room=True, short=100)
    channel = Channel(accepted=(B,))
    list(Sender(read, converter).send(entries(3), channel, Tally(3), Client()))
    assert converter.log == []
    assert [body for _, _, body in channel.sent] == [b"converted %d data" % number for number in range(3)]


@pytest.mark.parametrize(("batch", "begun"), [(3, [3, 3, 6]), (2, [4, 4, 6]), (1, [4, 5, 6])])
def test_what_is_converted_quickly_is_begun_in_batches(batch: int, begun: list[int]) -> None:
    converter = Converter(short=100, batch=batch)
    some = [entry for entry in entries(9) if entry.file.path not in "37"]
    found = []
    for _ in Sender(read, converter).send(some, Channel(accepted=(B,)), Tally(7), Client()):
        found.append(converter.begun)
    assert found[:3] == begun
    assert converter.begun == 7


@pytest.mark.parametrize("short", [0, 100])
def test_failures_do_not_end_the_rest(short: int) -> None:
    """short: 100 for conversions that are begun several at once."""
    tally = send(9, Channel([0, 0xA700, 0xB000, 0, 0xC000], accepted=(B,)), short=short)
    assert tally.counters == Counters(0, 4, 4, 1)
    assert [(failed.sop_instance_uid, code) for failed, code, _ in tally.failures] == [
        ("1.2.1", 0xA700),
        ("1.2.3", 0x0110),  # could not be converted
        ("1.2.5", 0xC000),
        ("1.2.7", 0x0110),  # could not be read
    ]
    assert "said the peer" in tally.failures[0][2]


def test_a_lost_association_fails_one_and_leaves_the_rest_for_another() -> None:
    tally, left = send_and_left(5, Channel([0, ConnectionLost("reset")]))
    assert tally.counters == Counters(3, 1, 1, 0)
    assert [entry.sop_instance_uid for entry in left.entries] == ["1.2.2", "1.2.3", "1.2.4"]
    assert left.reason == "reset"


def test_a_peer_that_does_not_answer_is_not_asked_again() -> None:
    tally, left = send_and_left(5, Channel([0, NoResponse("60 s")]))
    assert tally.counters == Counters(0, 1, 4, 0)
    assert not left.entries


def test_the_next_instance_is_read_before_the_response_but_sent_after_it() -> None:
    channel = Channel()
    log = channel.events

    def read_and_log(entry: StoredEntry) -> memoryview:
        log.append(f"read {entry.sop_instance_uid}")
        return read(entry)

    list(Sender(read_and_log, Converter()).send(entries(2), channel, Tally(2), Client()))
    assert log == [
        "read 1.2.0", "send 1.2.0", "read 1.2.1", "response 1.2.0", "send 1.2.1", "response 1.2.1",
    ]  # fmt: skip


class CutWhileSending(Channel):
    """The connection is lost while the second instance goes out."""

    def send_store(self, context_id: int, request: CStoreRequest, body: Iterable[Buffer]) -> None:
        if self.sent:
            raise ConnectionLost("reset")
        super().send_store(context_id, request, body)


def test_a_response_counts_although_the_next_instance_is_lost_before_it_is_counted() -> None:
    tally, left = send_and_left(4, CutWhileSending())
    assert tally.counters == Counters(2, 1, 1, 0)
    assert [failed.sop_instance_uid for failed, _, _ in tally.failures] == ["1.2.1"]
    assert [entry.sop_instance_uid for entry in left.entries] == ["1.2.2", "1.2.3"]


def test_the_next_instance_goes_out_before_the_one_before_it_is_counted() -> None:
    channel = Channel()
    tally = Tally(3, lambda code, length, seconds: channel.events.append("count"))
    list(Sender(read, Converter()).send(entries(3), channel, tally, Client()))
    assert [event.split()[0] for event in channel.events] == [
        "send", "response", "send", "count", "response", "send", "count", "response", "count",
    ]  # fmt: skip


def test_a_window_lets_several_go_before_the_first_response() -> None:
    channel = Channel(window=3)
    tally = send(5, channel)
    assert [event.split()[0] for event in channel.events] == ["send"] * 3 + ["response", "send"] * 2 + [
        "response"
    ] * 3
    assert tally.counters == Counters(0, 5, 0, 0)


def test_an_association_lost_with_several_on_their_way_fails_only_the_oldest() -> None:
    tally, left = send_and_left(5, Channel([0, ConnectionLost("reset")], window=3))
    assert [failed.sop_instance_uid for failed, _, _ in tally.failures] == ["1.2.1"]
    assert [entry.sop_instance_uid for entry in left.entries] == ["1.2.2", "1.2.3", "1.2.4"]


class Halved(Converter):
    """Gives half of a body and then no more."""

    def begin(
        self, dataset: memoryview, stored_uid: str, wanted: Sequence[str], *, whole: bool
    ) -> Callable[[], Outgoing]:
        assert not whole
        return lambda: Made(self.halves(bytes(dataset)))

    def halves(self, data: bytes) -> Iterator[bytes]:
        yield data[:3]
        if data == b"1 data":
            raise MalformedDataset("broken in the middle", 3)
        yield data[3:]


def test_a_body_that_breaks_half_way_costs_its_association_and_nothing_else() -> None:
    tally = Tally(4)
    channels: list[Channel] = []

    def open_channel(plan: object) -> Channel:
        channels.append(Channel(accepted=(B,)))
        return channels[-1]

    plans = plan_associations(entries(4))
    list(Sender(read, Halved()).send_all(plans, open_channel, lambda channel: None, tally, Client()))
    assert tally.counters == Counters(0, 3, 1, 0)
    assert tally.failures[0][0].sop_instance_uid == "1.2.1" and "middle" in tally.failures[0][2]
    assert len(channels) == 2


def test_a_peer_that_ends_every_association_is_given_up() -> None:
    opened = []

    def open_channel(plan: object) -> Channel:
        opened.append(plan)
        return Channel([ConnectionLost("reset")])

    tally = Tally(9)
    list(
        Sender(read, Converter()).send_all(
            plan_associations(entries(9)), open_channel, lambda channel: None, tally, Client()
        )
    )
    assert len(opened) == 3
    assert tally.counters == Counters(0, 0, 9, 0)
    assert {reason for _, _, reason in tally.failures} == {"reset"} | {
        reason for entry, _, reason in tally.failures if entry.file.path == "7"
    }


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


def test_the_rest_of_a_lost_association_is_read_only_when_it_is_needed() -> None:
    class Counted(list[StoredEntry]):
        read = 0

        def __getitem__(self, position: Any) -> Any:
            if isinstance(position, slice):
                return Counted(super().__getitem__(position))
            Counted.read += 1
            return super().__getitem__(position)

    numbers: Any = list(range(100))
    rest: Any = Rest([1000, 1001], Counted(numbers))  # type: ignore[list-item]
    assert Counted.read == 0
    assert len(rest) == 102
    assert list(rest) == [1000, 1001, *numbers]
    assert (rest[-1], rest[1], rest[2]) == (99, 1001, 0)
    assert list(rest[1:]) == [1001, *numbers]
    assert list(rest[50:]) == numbers[48:]
    assert list(rest[0::50]) == [1000, 48, 98]
    again = Rest([1002], rest[1:])
    assert list(again) == [1002, 1001, *numbers]
    assert isinstance(again._then, Counted)
