"""Queries beside other things: a C-CANCEL among many answers, a client that does not read, storing peers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastdicom import Config, Engine, connect
from fastdicom.dimse import messages
from fastdicom.identifiers import build_identifier
from fastdicom.net.requestor import ClientAssociation
from fastdicom.queries import encode
from fastdicom.standard.sop_classes import STUDY_ROOT_FIND
from fastdicom.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from tests.support.records import put

STUDIES = 6000
LONG = "x" * 3000  # so that all answers together are more than sockets hold


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    access = {"unknown_peers": ["echo", "find"]}
    with Engine(Config(port=0, archive=tmp_path / "archive", access=access)) as running:
        yield running


def fill(engine: Engine) -> None:
    studies = [put(f"1.{n}", f"2.{n}", f"3.{n}", StudyDescription=LONG) for n in range(STUDIES)]
    for start in range(0, STUDIES, 500):
        engine.archive.index.apply(studies[start : start + 500])


def asked(engine: Engine) -> tuple[ClientAssociation, Iterator[tuple[messages.Response, bytes | None]]]:
    """An association on which a C-FIND for everything has just begun to be answered."""
    host, port = engine.addresses[0]
    association = ClientAssociation.open(
        host,
        port,
        called="NODE",
        calling="READER",
        proposals=[(STUDY_ROOT_FIND, (EXPLICIT_VR_LITTLE_ENDIAN,))],
    )
    identifier = build_identifier("STUDY", {"StudyInstanceUID": "", "StudyDescription": ""})
    context_id, syntax = association.context_for(STUDY_ROOT_FIND)
    responses = association.ask(
        context_id, messages.CFindRequest(7, STUDY_ROOT_FIND), encode(identifier, syntax)
    )
    assert next(responses)[0].status == 0xFF00
    return association, responses


def test_a_cancel_among_many_answers_ends_them(engine: Engine) -> None:
    fill(engine)
    association, responses = asked(engine)
    with association:
        time.sleep(0.1)  # the node has filled what the sockets hold, and waits
        association.send_message(association.context_for(STUDY_ROOT_FIND)[0], messages.CCancelRequest(7))
        statuses = [response.status for response, _ in responses]
    assert statuses[-1] == 0xFE00
    assert len(statuses) < STUDIES - 1000


def test_a_client_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    access = {"unknown_peers": ["echo", "find"]}
    with Engine(Config(port=0, archive=tmp_path / "archive", access=access)) as engine:
        fill(engine)
        association, _ = asked(engine)
        started = time.monotonic()
        while time.monotonic() - started < 0.3:
            engine.archive.index.apply([put("9.1", "9", "9", StudyDescription="new")])
        with connect(*engine.addresses[0]) as peer:
            (answer,) = peer.find(StudyInstanceUID="9", NumberOfStudyRelatedInstances="")
        assert answer.NumberOfStudyRelatedInstances == 1
        association.abort()


def test_counts_are_right_while_others_store(engine: Engine) -> None:
    """Each count lies between those before and after it, and says how many instances are listed then."""
    done = threading.Event()
    total = 400

    def store() -> None:
        for number in range(total):
            engine.archive.index.apply([put(f"1.{number}", f"2.{number % 5}", "3")])
        done.set()

    with connect(*engine.addresses[0]) as peer:
        storing = threading.Thread(target=store)
        storing.start()
        last = 0
        while not done.is_set():
            found = list(peer.find(StudyInstanceUID="3", NumberOfStudyRelatedInstances=""))
            if not found:
                continue
            before = int(found[0].NumberOfStudyRelatedInstances)
            series = list(
                peer.find(
                    level="SERIES",
                    StudyInstanceUID="3",
                    SeriesInstanceUID="",
                    NumberOfSeriesRelatedInstances="",
                )
            )
            listed = sum(int(one.NumberOfSeriesRelatedInstances) for one in series)
            (study,) = peer.find(StudyInstanceUID="3", NumberOfStudyRelatedInstances="")
            after = int(study.NumberOfStudyRelatedInstances)
            assert last <= before <= listed <= after
            last = after
        storing.join()
        (study,) = peer.find(StudyInstanceUID="3", NumberOfStudyRelatedInstances="")
        assert study.NumberOfStudyRelatedInstances == total
