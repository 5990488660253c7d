"""Ctrl-C, and Ctrl-C again: the node as a process with a peer that hangs inside a C-STORE."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fastdicom import Archive
from tests.support.datasets import numbered_uids, synthetic
from tests.support.node import Node, fastdicom_node
from tests.support.rawcommand import Element, Field, Value, request
from tests.support.rawdicom import CT_IMAGE_STORAGE, EXPLICIT_LE, RawAssociation
from tests.support.rawpdu import Proposal

pytestmark = pytest.mark.timeout(60)
PATIENT = {"timeouts": {"drain": "30 s", "stop": "30 s"}}


@contextmanager
def node_with_a_staller(folder: Path) -> Iterator[tuple[Node, RawAssociation]]:
    """A node that holds one acknowledged instance, and is in the middle of another that does not go on."""
    proposal = [Proposal(1, CT_IMAGE_STORAGE, [EXPLICIT_LE])]
    with fastdicom_node(folder, PATIENT) as node, RawAssociation.to(node.port, proposal) as association:
        whole, cut = (numbered_uids(3, number) for number in (1, 2))
        data = synthetic(CT_IMAGE_STORAGE, EXPLICIT_LE, whole, size=2048)
        assert association.store(CT_IMAGE_STORAGE, whole.instance, data).status == 0
        data = synthetic(CT_IMAGE_STORAGE, EXPLICIT_LE, cut, size=200_000)
        more: dict[int, Value] = {Element.AFFECTED_SOP_INSTANCE_UID: cut.instance}
        command = request(Field.C_STORE, CT_IMAGE_STORAGE, association.message_id(), data=True, more=more)
        association.send_command(1, command)
        association.send_data(1, data[:100_000], last=False)
        time.sleep(0.2)
        yield node, association


def only_the_acknowledged_is_there(node: Node) -> bool:
    with Archive(node.archive) as archive:
        report = archive.verify()
        return report.ok and archive.counts().instances == report.checked == 1


def interrupt(node: Node) -> None:
    """The first Ctrl-C, heard: two signals that come before the process runs again would be one."""
    os.kill(node.pid, signal.SIGINT)
    deadline = time.monotonic() + 10
    with suppress(ConnectionRefusedError):
        while time.monotonic() < deadline:
            socket.create_connection(("127.0.0.1", node.port), 5).close()
            time.sleep(0.01)


def test_a_second_interrupt_waits_for_nobody_and_loses_nothing(tmp_path: Path) -> None:
    with node_with_a_staller(tmp_path) as (node, _):
        interrupt(node)
        assert node.alive
        began = time.monotonic()
        os.kill(node.pid, signal.SIGINT)
        assert node.process.wait(20) == 0
        assert time.monotonic() - began < 10
        assert "Traceback" not in node.log and "our fault" not in node.log
        assert only_the_acknowledged_is_there(node)


def test_interrupts_without_a_pause_end_it_in_order(tmp_path: Path) -> None:
    with node_with_a_staller(tmp_path) as (node, _):
        for _ in range(20):
            os.kill(node.pid, signal.SIGINT)
            time.sleep(0.02)
        assert node.process.wait(20) == 0
        assert "Traceback" not in node.log
        assert only_the_acknowledged_is_there(node)


def test_one_interrupt_lets_a_message_at_hand_finish(tmp_path: Path) -> None:
    with node_with_a_staller(tmp_path) as (node, association):
        interrupt(node)
        assert node.alive
        cut = numbered_uids(3, 2)
        data = synthetic(CT_IMAGE_STORAGE, EXPLICIT_LE, cut, size=200_000)
        association.send_data(1, data[100_000:])
        assert association.read_message().status == 0
        association.release()
        assert node.process.wait(20) == 0
        with Archive(node.archive) as archive:
            assert archive.counts().instances == 2
