"""kill -9 during ingest: whatever was acknowledged is there, whole, and found again. 50 rounds."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.crash.support import PROPOSALS, Sender, check_promise
from tests.support.node import fastdicom_node
from tests.support.rawdicom import ConnectionEnded, RawAssociation

ROUNDS = 50
ASSOCIATIONS = 3


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


@pytest.mark.timeout(600)
def test_what_was_acknowledged_survives_fifty_kills(tmp_path: Path) -> None:
    chance = random.Random(20260301)
    senders: list[Sender] = []
    for round_number in range(ROUNDS):
        with fastdicom_node(tmp_path) as node:
            loads = [
                Load(node.port, Sender(run=round_number * ASSOCIATIONS + one)) for one in range(ASSOCIATIONS)
            ]
            for load in loads:
                load.start()
            time.sleep(chance.uniform(0.02, 0.4))
            os.kill(node.pid, signal.SIGKILL)
            for load in loads:
                load.join(10)
                assert not load.problem
            senders += [load.sender for load in loads]
            archive = node.archive
    with fastdicom_node(tmp_path) as node:
        archive = node.archive
    assert sum(len(sender.acknowledged) for sender in senders) > ROUNDS
    check_promise(archive, senders, spare=True)
