"""What a hospital does to a node in a day, at another pace: peers that store, ask, fetch, hang and leave."""

from __future__ import annotations

import itertools
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import fastdicom
from tests.support.datasets import CT_IMAGE_STORAGE, EXPLICIT_LE, Template, Uids, numbered_uids
from tests.support.node import Node
from tests.support.rawcommand import Element, Field, request
from tests.support.rawdicom import (
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
    ConnectionEnded,
    RawAssociation,
    RawConnection,
    Rejected,
)
from tests.support.rawelements import STUDY_INSTANCE_UID, identifier
from tests.support.rawpdu import Proposal
from tests.support.rawserver import ServerConnection

PROPOSALS = [Proposal(1, VERIFICATION, ("1.2.840.10008.1.2",)), Proposal(3, CT_IMAGE_STORAGE, (EXPLICIT_LE,))]
QUERIES = [VERIFICATION, STUDY_ROOT_FIND, STUDY_ROOT_MOVE, STUDY_ROOT_GET]
SIZES = (16 << 10, 64 << 10, 256 << 10)


@dataclass
class Account:
    """What was acknowledged, and everything that went otherwise than it should."""

    acknowledged: int = 0
    deleted: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    slowest_echo_s: float = 0.0
    studies: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stored(self) -> None:
        """One more Success."""
        with self._lock:
            self.acknowledged += 1

    def study(self, uid: str) -> None:
        """A study that others may ask for; the last few hundred are kept."""
        with self._lock:
            self.studies.append(uid)
            del self.studies[:-200]

    def recent(self, chance: random.Random) -> str:
        """One of them; a UID that nobody has when there is none."""
        with self._lock:
            return chance.choice(self.studies) if self.studies else "1.2.3"

    def problem(self, what: str) -> None:
        """What the test complains of at the end."""
        with self._lock:
            self.problems.append(what)


class Load:
    """Workers around one node, between `start` and `stop`. config: rewritten for reloads."""

    def __init__(self, node: Node, config: Path, seed: int) -> None:
        self.node = node
        self.config = config
        self.account = Account()
        self._seed = seed
        self._runs = 0
        self._numbers = itertools.count(1)  # of peers' visits: each has UIDs of its own
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._templates = [Template.make(CT_IMAGE_STORAGE, EXPLICIT_LE, size) for size in SIZES]

    def start(self) -> None:
        """Everybody begins."""
        self._stop.clear()
        self._runs += 1
        work: list[Callable[[random.Random, int], None]] = [
            self._send, self._send, self._send, self._find, self._move, self._get, self._abort, self._abort,
            self._crawl, self._crawl, self._be_silent, self._knock, self._reload, self._delete, self._echo,
        ]  # fmt: skip
        for number, one in enumerate(work):
            thread = threading.Thread(target=self._run, args=(one, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Everybody finishes what is at hand."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            if thread.is_alive():
                self.account.problem("a peer hangs")
        self._threads.clear()

    def _run(self, work: Callable[[random.Random, int], None], number: int) -> None:
        chance = random.Random(self._seed * 1000 + self._runs * 100 + number)
        name = work.__name__.strip("_")
        while not self._stop.is_set():
            try:
                work(chance, next(self._numbers) % 99_000)
                self.account.counts[name] += 1
            except Rejected:
                self.account.counts["rejected"] += 1
                time.sleep(0.1)
            except Exception as error:
                self.account.problem(f"{name}: {type(error).__name__} {error}")
                time.sleep(0.5)

    def _to(self, proposals: list[Proposal] | list[str], calling: str) -> RawAssociation:
        return RawAssociation.to(self.node.port, proposals, calling=calling, timeout_s=30)

    # ------------------------------------------------------------------------------ honest peers

    def _send(self, chance: random.Random, run: int) -> None:
        """A study of some images over one association."""
        template = chance.choice(self._templates)
        study = numbered_uids(run, 0).study
        with self._to(PROPOSALS, "MODALITY") as association:
            for number in range(chance.randint(1, 25)):
                uids = numbered_uids(run, number, number % 3)
                self._store(association, template, uids)
            association.release()
        self.account.study(study)

    def _store(self, association: RawAssociation, template: Template, uids: Uids) -> None:
        answer = association.store(CT_IMAGE_STORAGE, uids.instance, template.stamped(uids))
        if answer.status == 0:
            self.account.stored()
        else:
            self.account.problem(f"C-STORE {answer.status:04X}H {answer.comment}")

    def _find(self, chance: random.Random, run: int) -> None:
        with self._to(QUERIES, "VIEWER") as association:
            for _ in range(10):
                keys = {STUDY_INSTANCE_UID: "" if chance.random() < 0.2 else self.account.recent(chance)}
                answers = association.find(STUDY_ROOT_FIND, identifier("STUDY", keys))
                if answers[-1].status:
                    self.account.problem(f"C-FIND {answers[-1].status:04X}H {answers[-1].comment}")
            association.release()

    def _move(self, chance: random.Random, run: int) -> None:
        """To a destination that takes it, or one that hangs up; sometimes cancelled."""
        with self._to(QUERIES, "VIEWER") as association:
            destination = chance.choice(("SINK", "SINK", "SINK", "RUDE", "GONE"))
            wanted = identifier("STUDY", {STUDY_INSTANCE_UID: self.account.recent(chance)})
            final = association.move(STUDY_ROOT_MOVE, wanted, destination)[-1]
            if destination == "SINK" and final.status not in (0, 0xB000, 0xA702):
                self.account.problem(f"C-MOVE {final.status:04X}H {final.comment}")
            if destination == "SINK" and final.status and "damaged" in final.comment:
                self.account.problem(f"C-MOVE {final.comment}")
            association.release()

    def _get(self, chance: random.Random, run: int) -> None:
        """A client that leaves in the middle of its C-GET, as often as not."""
        association = self._to([*QUERIES, CT_IMAGE_STORAGE], "VIEWER")
        with association:
            wanted = identifier("STUDY", {STUDY_INSTANCE_UID: self.account.recent(chance)})
            association.query(Field.C_GET, STUDY_ROOT_GET, wanted)
            if chance.random() < 0.5:
                association.reset()
                return
            final = list(association.responses())[-1]
            if final.status not in (0, 0xB000, 0xA702):
                self.account.problem(f"C-GET {final.status:04X}H {final.comment}")
            association.release()

    def _echo(self, chance: random.Random, run: int) -> None:
        """How long a fresh C-ECHO takes beside all this."""
        begun = time.monotonic()
        with self._to([VERIFICATION], "WATCHER") as association:
            if association.echo():
                self.account.problem("C-ECHO failed")
            association.release()
        self.account.slowest_echo_s = max(self.account.slowest_echo_s, time.monotonic() - begun)
        self._stop.wait(0.2)

    # ------------------------------------------------------------------------------ others

    def _abort(self, chance: random.Random, run: int) -> None:
        """Half a Data Set, then gone in one of three ways. Never the whole: it must not be stored."""
        template = chance.choice(self._templates)
        uids = numbered_uids(run, 0)
        data = template.stamped(uids)
        association = self._to(PROPOSALS, "BROKEN")
        cut = data[: len(data) * chance.randint(1, 9) // 10]
        announced = association.context_for(CT_IMAGE_STORAGE)
        command = request(
            Field.C_STORE, CT_IMAGE_STORAGE, 1, data=True,
            more={Element.AFFECTED_SOP_INSTANCE_UID: uids.instance},
        )  # fmt: skip
        association.send_command(announced, command)
        association.send_data(announced, cut, last=False)
        chance.choice((association.abort, association.reset, association.close))()
        self._stop.wait(0.05)

    def _crawl(self, chance: random.Random, run: int) -> None:
        """A byte now and then until the node has had enough."""
        with RawConnection.open(self.node.port, timeout_s=30) as connection:
            try:
                for _ in range(200):
                    connection.send(b"\x01")
                    if self._stop.wait(0.1):
                        return
            except ConnectionEnded:
                return

    def _be_silent(self, chance: random.Random, run: int) -> None:
        """Some connections that say nothing, until they are closed."""
        silent = [socket.create_connection(("127.0.0.1", self.node.port), 10) for _ in range(10)]
        self._stop.wait(4)
        for sock in silent:
            sock.close()

    def _knock(self, chance: random.Random, run: int) -> None:
        """Connections that come and go, and some that speak another language."""
        for _ in range(20):
            with RawConnection.open(self.node.port) as connection:
                if chance.random() < 0.3:
                    connection.send(chance.randbytes(60))
        self._stop.wait(0.2)

    def _reload(self, chance: random.Random, run: int) -> None:
        """Another configuration and a SIGHUP."""
        text = self.config.read_text("utf-8")
        idle = f'idle = "{chance.randint(4, 9)} s"'
        lines = [idle if line.startswith("idle =") else line for line in text.splitlines()]
        self.config.write_text("\n".join(lines) + "\n", "utf-8")
        os.kill(self.node.pid, signal.SIGHUP)
        self._stop.wait(2)

    def _delete(self, chance: random.Random, run: int) -> None:
        """An operator on the same machine deletes a study."""
        study = self.account.recent(chance)
        with fastdicom.Archive(self.node.archive) as archive:
            self.account.deleted += archive.delete(StudyInstanceUID=study).instances
        self._stop.wait(1)


class CountingSink:
    """A Storage SCP that counts and forgets."""

    def __init__(self) -> None:
        self.received = 0

    def serve(self, connection: ServerConnection) -> None:
        """Take everything until the peer releases."""
        connection.read_request()
        connection.accept()
        while (message := connection.next_request()) is not None:
            self.received += message.field == Field.C_STORE
            connection.respond(message, 0)


def hang_up(connection: ServerConnection) -> None:
    """A destination that takes the association, reads a little, and leaves."""
    connection.read_request()
    connection.accept()
    connection.sock.recv(1000)
