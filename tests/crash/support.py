"""What promise 1 means, as checks: each acknowledged instance is there and whole, nothing else is."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastdicom import Archive
from fastdicom.archive.layout import block_names
from fastdicom.dataset.record import StoredEntry
from tests.support.datasets import Template, Uids, numbered_uids
from tests.support.node import fastdicom_node
from tests.support.rawdicom import (
    CT_IMAGE_STORAGE,
    EXPLICIT_LE,
    VERIFICATION,
    ConnectionEnded,
    RawAssociation,
)
from tests.support.rawpdu import Proposal

SIZE = 4096
ASSOCIATIONS = 3
PROPOSALS = [VERIFICATION, Proposal(3, CT_IMAGE_STORAGE, (EXPLICIT_LE,))]


@dataclass
class Sender:
    """Sends numbered instances and remembers which were acknowledged."""

    run: int
    template: Template = field(default_factory=lambda: Template.make(CT_IMAGE_STORAGE, EXPLICIT_LE, SIZE))
    acknowledged: set[int] = field(default_factory=set)

    def uids(self, number: int) -> Uids:
        return numbered_uids(self.run, number, series=number % 3, study=number % 2)

    def data(self, number: int) -> bytes:
        return self.template.stamped(self.uids(number))

    def send(self, association: RawAssociation, number: int) -> int:
        """Store one instance; its status."""
        status = association.store(CT_IMAGE_STORAGE, self.uids(number).instance, self.data(number)).status
        if status == 0:
            self.acknowledged.add(number)
        return status


def as_stored(entry: StoredEntry, data: bytes) -> bytes:
    """What is compared with what was sent: the Data Set as it is stored."""
    return data


def check_promise(
    archive: Path,
    senders: list[Sender],
    *,
    spare: bool,
    received: Callable[[StoredEntry, bytes], bytes] = as_stored,
) -> None:
    """After recovery: every acknowledged instance is indexed and whole; index and files agree.

    spare: instances that were received whole but not acknowledged may be there as well. received: of each
    of all entries and its stored Data Set, what has to be what was sent.
    """
    expected = {
        sender.uids(number).instance: sender.data(number)
        for sender in senders
        for number in sender.acknowledged
    }
    with Archive(archive) as opened:
        entries = {
            entry.sop_instance_uid: entry for entry in opened.instances(level="PATIENT", model="PATIENT")
        }
        assert set(expected) <= set(entries), "an acknowledged instance is gone"
        if not spare:
            assert set(entries) == set(expected)
        for uid, entry in entries.items():
            stored = opened.path_of(entry).read_bytes()
            found = received(entry, stored[entry.file.dataset_offset :])
            assert found == expected.get(uid, found)
        report = opened.verify()
        assert report.ok, report
        assert opened.counts().instances == len(entries)
        studies = list(opened.find("STUDY", NumberOfStudyRelatedInstances="", StudyInstanceUID=""))
        assert sum(int(study.NumberOfStudyRelatedInstances) for study in studies) == len(entries)
    objects = archive / "objects"
    files = [name for block in block_names(objects) for name in (objects / block).iterdir()]
    assert len(files) == len(entries), "an unfinished file was left"


class Load(threading.Thread):
    """Sends on one association until the node dies."""

    def __init__(self, port: int, sender: Sender) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.sender = sender
        self.problem = ""

    def run(self) -> None:
        try:
            with RawAssociation.to(self.port, PROPOSALS) as association:
                number = 0
                while number < 5000:
                    status = self.sender.send(association, number)
                    if status != 0:
                        self.problem = f"status {status:04X}H"
                        return
                    number += 1
        except (ConnectionEnded, OSError):
            return  # the node is gone, as intended


def killed_again_and_again(
    folder: Path, rounds: int, *, seed: int, template: Template | None = None, **node: Any
) -> tuple[Path, list[Sender]]:
    """The archive of a node that was killed so often while several peers sent, and what they sent.

    node: for fastdicom_node. It has been started again in the end, and stopped.
    """
    chance = random.Random(seed)
    senders: list[Sender] = []
    for round_number in range(rounds):
        with fastdicom_node(folder, **node) as running:
            runs = range(round_number * ASSOCIATIONS, (round_number + 1) * ASSOCIATIONS)
            loads = [Load(running.port, Sender(run, template) if template else Sender(run)) for run in runs]
            for load in loads:
                load.start()
            time.sleep(chance.uniform(0.02, 0.4))
            os.kill(running.pid, signal.SIGKILL)
            for load in loads:
                load.join(10)
                assert not load.problem
            senders += [load.sender for load in loads]
    with fastdicom_node(folder, **node) as running:
        archive = running.archive
    assert sum(len(sender.acknowledged) for sender in senders) > rounds
    return archive, senders
