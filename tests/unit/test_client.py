"""A peer that we ask: what happens when whoever asked has had enough."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from fastdicom.client import PeerConnection, connect
from fastdicom.errors import UsageError
from fastdicom.net.connection import Timing
from fastdicom.reports import Progress
from tests.support.rawcommand import Field
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
