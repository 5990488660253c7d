"""A peer that we ask: what happens when whoever asked has had enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fastdicom.client import PeerConnection, connect
from fastdicom.errors import ConnectionLost, NoResponse, UsageError
from fastdicom.net.connection import Timing
from fastdicom.net.tls import Tls
from fastdicom.reports import Progress
from tests.support import rawpdu
from tests.support.rawcommand import Field, response
from tests.support.rawdicom import ConnectionEnded
from tests.support.rawelements import STUDY_INSTANCE_UID, identifier
from tests.support.rawserver import RawServer, ServerConnection

PENDING, CANCELLED = 0xFF00, 0xFE00


class Retriever:
    """A C-MOVE and C-GET SCP that reports Pending without end, until a C-CANCEL (if it listens to it)."""

    def __init__(self, *, listens: bool = True) -> None:
        self.listens = listens
        self.cancelled = threading.Event()
        self.asked_again = threading.Event()

    def __call__(self, connection: ServerConnection) -> None:
        connection.read_request()
        connection.accept()
        request = connection.next_request()
        assert request is not None
        connection.respond(request, PENDING)
        following = connection.next_request()
        if following is None:
            return
        assert following.field == Field.C_CANCEL
        self.cancelled.set()
        if self.listens:
            connection.respond(request, CANCELLED)
        again = connection.next_request()
        if again is not None:
            self.asked_again.set()
            connection.respond(again, 0)


class Enough(Exception):
    pass


def give_up(progress: Progress) -> None:
    raise Enough


def test_a_progress_callback_that_raises_cancels_the_move_and_the_association_goes_on() -> None:
    retriever = Retriever()
    with RawServer(retriever) as server, connect("127.0.0.1", server.port) as peer:
        with pytest.raises(Enough):
            peer.move(destination="OTHER", level="STUDY", StudyInstanceUID="1.2", progress=give_up)
        assert retriever.cancelled.wait(5)
        peer.echo()
        assert retriever.asked_again.is_set()


def test_a_progress_callback_that_raises_cancels_the_get(tmp_path: Path) -> None:
    retriever = Retriever()
    with (
        RawServer(retriever) as server,
        PeerConnection("127.0.0.1", server.port, called="A", calling="B") as peer,
    ):
        with pytest.raises(Enough):
            peer.get(tmp_path, level="STUDY", StudyInstanceUID="1.2", progress=give_up)
        assert retriever.cancelled.wait(5)


def test_a_peer_that_ignores_the_cancel_is_aborted() -> None:
    retriever = Retriever(listens=False)
    timing = Timing(response_s=0.2)
    with RawServer(retriever) as server, connect("127.0.0.1", server.port, timing=timing) as peer:
        with pytest.raises(Enough):
            peer.move(destination="OTHER", level="STUDY", StudyInstanceUID="1.2", progress=give_up)
        assert retriever.cancelled.wait(5)
        assert peer._association is None
    assert not retriever.asked_again.is_set()


def test_more_storage_classes_than_one_association_can_propose_are_refused(tmp_path: Path) -> None:
    classes = [f"1.2.3.{number}" for number in range(127)]
    peer = PeerConnection("127.0.0.1", 1, called="A", calling="B")
    with pytest.raises(UsageError, match="at most 126"):
        peer.get(tmp_path, StudyInstanceUID="1.2", storage_classes=classes)


@pytest.mark.parametrize("model", ["BOGUS", "", "STUDY ROOT"])
def test_what_is_no_information_model_is_refused_before_anything_is_sent(model: str, tmp_path: Path) -> None:
    peer = PeerConnection("127.0.0.1", 1, called="A", calling="B")  # nobody listens: nobody is asked
    asks: list[Callable[[], object]] = [
        lambda: peer.find(model=model),
        lambda: peer.move(destination="OTHER", model=model),
        lambda: peer.get(tmp_path, model=model),
        lambda: peer.granted(model),
    ]
    for ask in asks:
        with pytest.raises(UsageError, match=f"'{model}' is no information model; the models are STUDY, PA"):
            ask()


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        (Tls(identities=("sha256:zz",)), "'sha256:zz' is no fingerprint: sha256: is followed by 64 hexa"),
        (Tls(identities=("",)), "must not be empty"),
        (Tls(identities="gateway"), "must be a list, not 'gateway'"),  # type: ignore[arg-type]
        (Tls(profile="B.1"), 'must be "B.12" or "B.13", not'),
    ],
)
def test_tls_that_cannot_be_meant_is_refused(tls: Tls, said: str) -> None:
    with pytest.raises(UsageError, match=f"tls: {said}"):
        PeerConnection("127.0.0.1", 1, called="A", calling="B", tls=tls)


class Finder:
    """A C-FIND SCP with two matches for everything; it also echoes."""

    def __call__(self, connection: ServerConnection) -> None:
        connection.read_request()
        connection.accept()
        while request := connection.next_request():
            if request.field == Field.C_FIND:
                for uid in ("1.2.3", "1.2.4"):
                    connection.send_command(request.context_id, response(request, PENDING, data=True))
                    connection.send_data(request.context_id, identifier("STUDY", {STUDY_INSTANCE_UID: uid}))
            connection.respond(request, CANCELLED if request.field == Field.C_CANCEL else 0)


def test_a_request_in_the_middle_of_another_is_refused_and_harms_neither() -> None:
    with RawServer(Finder()) as server, connect("127.0.0.1", server.port) as peer:
        found = peer.find(StudyInstanceUID="")
        first = next(found)
        for act in (peer.echo, lambda: next(peer.find(StudyInstanceUID="")), peer.associate):
            with pytest.raises(UsageError, match="answers of another request"):
                act()
        assert [first.StudyInstanceUID, *(one.StudyInstanceUID for one in found)] == ["1.2.3", "1.2.4"]
        assert peer.echo() < 10


def test_a_second_thread_is_refused_while_the_first_waits() -> None:
    waiting = threading.Event()
    go_on = threading.Event()

    def serve(connection: ServerConnection) -> None:
        connection.read_request()
        connection.accept()
        request = connection.next_request()
        assert request is not None
        waiting.set()
        go_on.wait(10)
        connection.respond(request, 0)
        connection.next_request()

    with RawServer(serve) as server, connect("127.0.0.1", server.port) as peer:
        first = threading.Thread(target=peer.echo)
        first.start()
        assert waiting.wait(10)
        with pytest.raises(UsageError, match="second connection"):
            peer.echo()
        go_on.set()
        first.join()


def test_closing_from_another_thread_ends_who_waits() -> None:
    waiting = threading.Event()

    def serve(connection: ServerConnection) -> None:
        connection.read_request()
        connection.accept()
        connection.next_request()
        waiting.set()
        connection.next_request()

    ended: list[Exception] = []

    def ask() -> None:
        with connect("127.0.0.1", server.port) as mine:
            held.append(mine)
            try:
                mine.echo()
            except ConnectionLost as error:
                ended.append(error)

    held: list[PeerConnection] = []
    with RawServer(serve) as server:
        thread = threading.Thread(target=ask)
        thread.start()
        assert waiting.wait(10)
        held[0].close()
        thread.join(5)
        assert not thread.is_alive() and len(ended) == 1


@pytest.mark.parametrize(
    "titles", [{"called": "X" * 17}, {"called": ""}, {"calling": "A\nB"}, {"calling": "日本"}]
)
def test_what_is_no_ae_title_is_refused_before_anything_is_sent(titles: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"^call(ed|ing): .*AE title"):
        connect("127.0.0.1", 1, **titles)  # type: ignore[arg-type]


def test_a_host_name_that_cannot_be_is_no_connection() -> None:
    with pytest.raises(ConnectionLost, match="cannot connect"):
        connect("x" * 300, 104)


def drip(connection: ServerConnection, data: bytes) -> None:
    with suppress(ConnectionEnded):
        connection.trickle(data, 0.05)


def dripping_answer(connection: ServerConnection) -> None:
    connection.read_request()
    drip(connection, rawpdu.pdu(rawpdu.ASSOCIATE_AC, bytes(1000)))


def dripping_response(connection: ServerConnection) -> None:
    connection.read_request()
    connection.accept()
    request = connection.next_request()
    assert request is not None
    pdv = rawpdu.pdv(request.context_id, rawpdu.COMMAND_FRAGMENT, b"")
    drip(connection, rawpdu.pdu(rawpdu.P_DATA, pdv) * 100)


@pytest.mark.parametrize("serve", [dripping_answer, dripping_response])
def test_a_peer_that_drips_has_the_response_time_and_no_more(
    serve: Callable[[ServerConnection], None],
) -> None:
    since = time.monotonic()
    with RawServer(serve) as server:
        with pytest.raises(NoResponse):
            connect("127.0.0.1", server.port, timing=Timing(response_s=0.5)).echo()
        assert 0.4 < time.monotonic() - since < 2.5
