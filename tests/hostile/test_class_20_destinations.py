"""Bad C-MOVE destinations and vanishing clients (20): every retrieve ends in time, with true counters."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.hostile.harness import Target, target_server
from tests.support import rawpdu
from tests.support.rawcommand import Element, Field, Message, command_set, response
from tests.support.rawdicom import CT_IMAGE_STORAGE, STUDY_ROOT_GET, STUDY_ROOT_MOVE, ConnectionEnded
from tests.support.rawelements import PIXEL_DATA, STUDY_INSTANCE_UID, explicit, identifier, instance
from tests.support.rawpdu import Verdict
from tests.support.rawserver import RawServer, ServerConnection, closed_port
from tests.support.waiting import wait_for

CHANGES = {
    "timeouts": {"artim": "3 s", "idle": "30 s", "connect": "3 s", "response": "3 s"},
    "limits": {"send_stall": "3 s"},
}
INSTANCES = 6
SIZE = 2_000_000  # more than two socket buffers hold
MOVE_SECONDS = 15.0  # three seconds for each thing that may be waited for, and then some
STUDY = "1.2.826.0.1.3680043.10.1561.20"
ALL_FAILED, SOME_FAILED, UNKNOWN_DESTINATION, CANCELED = 0xA702, 0xB000, 0xA801, 0xFE00


def rejects(connection: ServerConnection) -> None:
    """Reject the association."""
    connection.read_request()
    connection.send(rawpdu.associate_rj(1, 1, 7))


def aborts_request(connection: ServerConnection) -> None:
    """Abort instead of accepting."""
    connection.read_request()
    connection.send(rawpdu.abort())


def resets(connection: ServerConnection) -> None:
    """Reset right after accept()."""
    connection.reset()


def silent(connection: ServerConnection) -> None:
    """Never answer the request."""
    with suppress(ConnectionEnded, TimeoutError):
        while True:
            connection.read_pdu()


def garbage(connection: ServerConnection) -> None:
    """Answer with something that is no PDU."""
    connection.read_request()
    connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20)


def huge_answer(connection: ServerConnection) -> None:
    """Announce an A-ASSOCIATE-AC of 4 GB."""
    connection.read_request()
    connection.send(b"\x02\0\xff\xff\xff\xff", bytes(4096))


def refuses_contexts(connection: ServerConnection) -> None:
    """Accept the association and none of its contexts."""
    connection.read_request()
    connection.accept(lambda proposal: Verdict(proposal.context_id, 3, proposal.transfer_syntaxes[0]))
    silent(connection)


def lies_about_contexts(connection: ServerConnection) -> None:
    """Accept contexts that were never proposed, and syntaxes too."""
    connection.read_request()
    verdicts = [Verdict(201, 0, "1.2.3.4")]
    verdicts += [
        Verdict(one.context_id, 0, "1.2.840.10008.1.2.4.999") for one in connection.request.proposals
    ]
    connection.send(rawpdu.associate_ac(connection.request, verdicts))
    silent(connection)


def never_responds(connection: ServerConnection) -> None:
    """Take the first instance and never answer it."""
    connection.read_request()
    connection.accept()
    silent(connection)


def stops_reading(connection: ServerConnection) -> None:
    """Accept, and read nothing more."""
    connection.read_request()
    connection.accept()
    time.sleep(MOVE_SECONDS)


def aborts_second(connection: ServerConnection) -> None:
    """Store one instance and abort at the next."""
    _store_then(connection, lambda message: connection.send(rawpdu.abort()))


def closes_second(connection: ServerConnection) -> None:
    """Store one instance and vanish at the next."""

    def vanish(message: Message) -> None:
        connection.reset()
        raise ConnectionEnded("by our own will")

    _store_then(connection, vanish)


def wrong_message_id(connection: ServerConnection) -> None:
    """Store one instance, then answer a message that was never sent."""
    _store_then(
        connection,
        lambda message: connection.send_command(
            message.context_id, response(message, 0, more={Element.MESSAGE_ID_RESPONDED_TO: 0x7777})
        ),
    )


def garbage_response(connection: ServerConnection) -> None:
    """Store one instance, then answer with a Command Set that lacks everything."""
    _store_then(connection, lambda message: connection.send_command(message.context_id, command_set({})))


def _store_then(connection: ServerConnection, then: Callable[[Message], None]) -> None:
    connection.read_request()
    connection.accept()
    first = connection.next_request()
    if first is None:
        return
    connection.respond(first, 0)
    while (message := connection.next_request()) is not None:
        then(message)


def refuses_all(connection: ServerConnection) -> None:
    """Out of resources, for every instance."""
    connection.read_request()
    connection.accept()
    while (message := connection.next_request()) is not None:
        connection.respond(message, 0xA700)


def refuses_every_other(connection: ServerConnection) -> None:
    """Success and failure in turn."""
    connection.read_request()
    connection.accept()
    statuses = itertools.cycle([0, 0xA700])
    while (message := connection.next_request()) is not None:
        connection.respond(message, next(statuses))


def warns(connection: ServerConnection) -> None:
    """A warning status for every instance."""
    connection.read_request()
    connection.accept()
    while (message := connection.next_request()) is not None:
        connection.respond(message, 0xB007)


NOTHING_ARRIVES = [
    rejects, aborts_request, resets, silent, garbage, huge_answer, refuses_contexts, lies_about_contexts,
    never_responds, refuses_all,
]  # fmt: skip
SOMETHING_ARRIVES = [
    aborts_second, closes_second, wrong_message_id, garbage_response, refuses_every_other, warns,
]  # fmt: skip
BEHAVIOURS = [*NOTHING_ARRIVES, *SOMETHING_ARRIVES, stops_reading]


class SlowSink:
    """Takes a quarter of a second for each instance, and counts them."""

    count = 0

    def serve(self, connection: ServerConnection) -> None:
        """Store slowly until the peer releases or aborts."""
        connection.read_request()
        connection.accept()
        while (message := connection.next_request()) is not None:
            time.sleep(0.25)
            self.count += 1
            connection.respond(message, 0)


@contextmanager
def mover(root: Path, instances: int = INSTANCES) -> Iterator[tuple[Target, SlowSink]]:
    """A node with one destination for each behaviour, and a study of `instances`."""
    sink = SlowSink()
    with ExitStack() as stack:
        destinations = [("CLOSED", closed_port())]
        for serve in [*BEHAVIOURS, sink.serve]:
            server = stack.enter_context(RawServer(serve))
            destinations.append((title_of(serve), server.port))
        target = stack.enter_context(target_server(root, CHANGES, destinations))
        for number in range(instances):
            uids = (STUDY, f"{STUDY}.1", f"{STUDY}.1.{number}")
            data = instance(uids, CT_IMAGE_STORAGE, [explicit(PIXEL_DATA, "OW", bytes(SIZE))])
            assert target.send_data_set(data, uids[2]).status == 0
        yield target, sink


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, SlowSink]]:
    """One node for the module; nothing here may kill it."""
    with mover(tmp_path_factory.mktemp("mover"), instances=40) as started:
        yield started


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A node with a small study."""
    with mover(tmp_path_factory.mktemp("destinations")) as (started, _):
        yield started


def title_of(serve: Callable[[ServerConnection], None]) -> str:
    """The AE title of a behaviour's destination."""
    return serve.__name__[:16].upper()


def move_to(target: Target, destination: str) -> tuple[list[Message], float]:
    """C-MOVE of the study; the responses, and how long it took."""
    with target.associate(timeout_s=MOVE_SECONDS) as association:
        start = time.monotonic()
        answers = association.move(
            STUDY_ROOT_MOVE, identifier("STUDY", {STUDY_INSTANCE_UID: STUDY}), destination
        )
        seconds = time.monotonic() - start
        association.release()
    return answers, seconds


def counters(message: Message) -> tuple[int, int, int]:
    """Completed, failed and warning sub-operations."""
    return tuple(message.number(one) for one in (Element.COMPLETED, Element.FAILED, Element.WARNING))  # type: ignore[return-value]


def check_all_failed(final: Message) -> None:
    """A702H, every instance counted as failed and named."""
    assert final.status == ALL_FAILED
    assert counters(final) == (0, INSTANCES, 0)
    assert final.data and final.data.count(f"{STUDY}.1.".encode()) == INSTANCES


@pytest.mark.parametrize("serve", NOTHING_ARRIVES, ids=lambda one: str(one.__name__))
def test_class_20_destination_that_takes_nothing_fails_every_sub_operation(
    target: Target, serve: Callable[[ServerConnection], None]
) -> None:
    with target.unharmed():
        answers, seconds = move_to(target, title_of(serve))
        check_all_failed(answers[-1])
        assert seconds < MOVE_SECONDS


def test_class_20_destination_that_cannot_be_reached_fails_every_sub_operation(target: Target) -> None:
    with target.unharmed():
        check_all_failed(move_to(target, "CLOSED")[0][-1])


@pytest.mark.parametrize("serve", SOMETHING_ARRIVES, ids=lambda one: str(one.__name__))
def test_class_20_destination_that_fails_half_way_does_not_end_the_retrieve(
    target: Target, serve: Callable[[ServerConnection], None]
) -> None:
    with target.unharmed():
        answers, _ = move_to(target, title_of(serve))
        final = answers[-1]
        assert final.status == SOME_FAILED
        assert sum(counters(final)) == INSTANCES
        assert all(one.status in (0xFF00, 0xFF01) for one in answers[:-1])
        if serve is warns:
            assert counters(final) == (0, 0, INSTANCES)
        else:
            assert counters(final)[0] >= 1
            assert counters(final)[1] >= 1


def test_class_20_destination_that_stops_reading_ends_in_time(target: Target) -> None:
    with target.unharmed():
        answers, seconds = move_to(target, title_of(stops_reading))
        assert answers[-1].status in (ALL_FAILED, SOME_FAILED)
        assert seconds < MOVE_SECONDS


def test_class_20_unknown_destination(target: Target) -> None:
    with target.unharmed():
        assert move_to(target, "NOBODY")[0][-1].status == UNKNOWN_DESTINATION


def test_class_20_others_are_served_while_a_destination_hangs(target: Target) -> None:
    study = identifier("STUDY", {STUDY_INSTANCE_UID: STUDY})
    with target.associate(timeout_s=MOVE_SECONDS) as association:
        association.query(
            Field.C_MOVE, STUDY_ROOT_MOVE, study, {Element.MOVE_DESTINATION: title_of(never_responds)}
        )
        with target.unharmed():
            assert target.studies_found(STUDY) == 1
        check_all_failed(list(association.responses())[-1])
        association.release()


def test_class_20_cancel_is_honoured_within_a_second_or_so(moving: tuple[Target, SlowSink]) -> None:
    target, sink = moving
    already = sink.count
    study = identifier("STUDY", {STUDY_INSTANCE_UID: STUDY})
    with target.unharmed(), target.associate() as association:
        title = title_of(sink.serve)
        message_id = association.query(
            Field.C_MOVE, STUDY_ROOT_MOVE, study, {Element.MOVE_DESTINATION: title}
        )
        wait_for(lambda: sink.count > already + 1, lambda: "nothing is sent")
        association.send_cancel(STUDY_ROOT_MOVE, message_id)
        start = time.monotonic()
        final = list(association.responses())[-1]
        assert final.status == CANCELED
        assert time.monotonic() - start < 2
        assert sink.count - already < 20
        assert association.echo() == 0
        association.release()


@pytest.mark.parametrize("ending", ["reset", "close", "abort"])
def test_class_20_sending_stops_when_the_client_is_gone(moving: tuple[Target, SlowSink], ending: str) -> None:
    target, sink = moving
    already = sink.count
    study = identifier("STUDY", {STUDY_INSTANCE_UID: STUDY})
    with target.unharmed():
        association = target.associate()
        title = title_of(sink.serve)
        association.query(Field.C_MOVE, STUDY_ROOT_MOVE, study, {Element.MOVE_DESTINATION: title})
        wait_for(lambda: sink.count > already + 1, lambda: "nothing is sent")
        getattr(association, ending)()
        time.sleep(2.0)
        sent = sink.count
        time.sleep(1.0)
        assert sink.count == sent, "it goes on sending for nobody"
        assert sent - already < 20


def test_class_20_get_client_that_refuses_or_vanishes_does_no_harm(target: Target) -> None:
    study = identifier("STUDY", {STUDY_INSTANCE_UID: STUDY})
    with target.unharmed():  # no Storage context in the SCP role: nothing can be sent
        with target.associate() as association:
            association.query(Field.C_GET, STUDY_ROOT_GET, study)
            final = list(association.responses())[-1]
            assert final.status in (ALL_FAILED, 0xA701)
            association.release()
        for _ in range(10):
            association = target.associate()
            association.query(Field.C_GET, STUDY_ROOT_GET, study)
            association.reset()
