"""Senders at work, as a program: associations of some objects each, again and again, until stdin closes.

What fails is sent again, as modalities do. At the end one line of JSON tells what happened; the UIDs that
were acknowledged stand in a file.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from fastdicom.dimse.messages import CStoreRequest
from fastdicom.errors import FastdicomError
from fastdicom.net.connection import Timing
from fastdicom.net.requestor import ClientAssociation
from fastdicom.net.tls import ClientTls, Tls
from tests.support.datasets import CT_IMAGE_STORAGE, EXPLICIT_LE, numbered_uids, synthetic

PAUSE_S = 0.01
RETRIES_MAX = 40


@dataclass
class Tally:
    """What the senders saw. refused: connections. longest_s: from a connection's start to its association."""

    acknowledged: list[str] = field(default_factory=list)
    retries: int = 0
    refused: int = 0
    given_up: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    longest_s: float = 0.0


class Plan(NamedTuple):
    """What to send where. objects_each: in one association. size: of an object's pixels, in bytes."""

    host: str
    port: int
    senders: int
    run: int
    size: int
    objects_each: int
    tls: ClientTls | None = None


class Sender(threading.Thread):
    """One sender. Its objects differ from those of every other run and sender."""

    def __init__(self, plan: Plan, number: int, tally: Tally, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._plan = plan
        self._run = run = plan.run + number
        self._template_uids = numbered_uids(run, 0)
        self._template = synthetic(CT_IMAGE_STORAGE, EXPLICIT_LE, self._template_uids, size=plan.size)
        self._tally = tally
        self._stop_event = stop
        self._number = 0
        self._failures = 0
        self.ended_well = False

    def run(self) -> None:
        """Send until told to stop; an object that is under way is brought to its end first."""
        self._send()
        self.ended_well = True

    def _send(self) -> None:
        uid = self._next()
        while not self._stop_event.is_set() or self._failures:
            try:
                with self._associate() as association:
                    for _ in range(self._plan.objects_each):
                        self._store(association, uid)
                        self._tally.acknowledged.append(uid)
                        self._failures = 0
                        uid = self._next()
                        time.sleep(PAUSE_S)
                        if self._stop_event.is_set():
                            return
            except (FastdicomError, OSError) as error:
                self._note(error)
                if self._failures > RETRIES_MAX:
                    self._tally.given_up.append(uid)
                    self._failures, uid = 0, self._next()
                time.sleep(0.2)

    def _associate(self) -> ClientAssociation:
        began = time.monotonic()
        association = ClientAssociation.open(
            self._plan.host,
            self._plan.port,
            called="FASTDICOM",
            calling=f"SENDER{self._run % 1000}",
            proposals=[(CT_IMAGE_STORAGE, (EXPLICIT_LE,))],
            timing=Timing(response_s=60.0),
            tls=self._plan.tls,
        )
        self._tally.longest_s = max(self._tally.longest_s, time.monotonic() - began)
        return association

    def _store(self, association: ClientAssociation, uid: str) -> None:
        body = self._template.replace(self._template_uids.instance.encode(), uid.encode())
        context_id, _ = association.context_for(CT_IMAGE_STORAGE)
        request = CStoreRequest(self._number % 0xFFFF + 1, CT_IMAGE_STORAGE, uid)
        association.send_store(context_id, request, [body])
        response = association.store_response({request.message_id})
        if response.status != 0:
            raise ConnectionError(f"status {response.status:04X}H {response.comment}")

    def _next(self) -> str:
        self._number += 1
        return numbered_uids(self._run, self._number).instance

    def _note(self, error: BaseException) -> None:
        self._failures += 1
        self._tally.retries += 1
        refused = isinstance(error.__cause__, ConnectionRefusedError) or "refused" in str(error)
        self._tally.refused += refused
        self._tally.problems.append(str(error))


def main() -> None:
    """HOST PORT SENDERS RUN SIZE OBJECTS_EACH FILE [AUTHORITIES CERTIFICATE KEY]."""
    host, numbers, out, files = sys.argv[1], sys.argv[2:7], sys.argv[7], [Path(one) for one in sys.argv[8:]]
    tls = ClientTls.of(Tls(authorities=files[0], certificate=files[1], key=files[2])) if files else None
    plan = Plan(host, *map(int, numbers), tls)
    tally, stop = Tally(), threading.Event()
    threads = [Sender(plan, number, tally, stop) for number in range(plan.senders)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join(120)
    if any(thread.is_alive() or not thread.ended_well for thread in threads):
        sys.exit("a sender hangs or broke down")
    Path(out).write_text("\n".join(tally.acknowledged), "ascii")
    print(json.dumps({**asdict(tally), "acknowledged": len(tally.acknowledged)}))


if __name__ == "__main__":
    main()
