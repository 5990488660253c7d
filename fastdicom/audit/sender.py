"""Takes audit messages from any thread at once, and delivers them on one of its own.

Whoever hands over a message never waits: it goes into a bounded queue. While the receiver is away the thread
spools to a bounded folder; what finds no room is counted, and told in the log and, once the receiver is back,
in an audit message. What is in memory at the end goes to the spool, and is sent at the next start.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from fastdicom.audit.spool import Spool
from fastdicom.audit.transports import Transport

log = logging.getLogger(__name__)

BATCH = 64  # messages in one system call
STOP_S = 3.0  # for what is still to be said at the end
_TURN_S = 1.0
_RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)


class Sender:
    """Queue, spool and transport.

    report_lost: makes the message that tells of so many lost ones. queue_length_max: bytes in memory.
    """

    def __init__(
        self,
        transport: Transport,
        spool: Spool,
        report_lost: Callable[[int], bytes],
        *,
        queue_length_max: int = 8 << 20,
    ) -> None:
        self._queue_length_max = queue_length_max
        self._transport = transport
        self._spool = spool
        self._report_lost = report_lost
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._condition = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._failures = 0
        self._next_try = 0.0
        self._untold = 0  # lost and not reported yet
        self._untold_log = 0.0
        self.sent = self.spooled = self.dropped = 0

    def start(self) -> None:
        """Deliver from now on, first of all what waits from earlier."""
        self._spool.adopt()
        self._thread = threading.Thread(target=self._run, name="fastdicom-audit", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Deliver what is there within a few seconds; spool the rest."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()

    def put(self, message: bytes) -> None:
        """Hand over one message. Never waits, never raises."""
        with self._condition:
            if self._queued + len(message) > self._queue_length_max:
                self._lose(1)
                return
            self._queue.append(message)
            self._queued += len(message)
            if len(self._queue) == 1:
                self._condition.notify()

    @property
    def queued(self) -> int:
        """Messages in memory."""
        return len(self._queue)

    @property
    def spool_bytes(self) -> int:
        """Bytes that wait on disk."""
        return self._spool.length

    def _run(self) -> None:
        while not self._stopping:
            with self._condition:
                if not self._queue and not self._stopping:
                    self._condition.wait(_TURN_S)
            self._turn()
        self._finish()

    def _turn(self) -> None:
        """Deliver what can be delivered; what cannot goes to the spool."""
        try:
            if self._ready():
                self._deliver()
            else:
                self._put_aside(self._take(None))
        except Exception:
            log.exception("the audit sender goes on after a fault of its own")
            time.sleep(_TURN_S)

    def _ready(self) -> bool:
        """Connected, or connected again if it is time to try."""
        if self._failures and time.monotonic() < self._next_try:
            return False
        try:
            self._transport.open()
        except OSError as error:
            self._failed(error)
            return False
        return True

    def _deliver(self) -> None:
        if not self._send_spool():
            return
        while batch := self._take(BATCH):
            if not self._send(batch):
                self._put_aside(batch)
                return
            self._tell_lost()
        self._tell_lost()

    def _tell_lost(self) -> None:
        """Say how many messages are missing, now that something gets through."""
        untold = self._untold
        if untold and self._send([self._report_lost(untold)]):
            self._untold -= untold

    def _send_spool(self) -> bool:
        """Send what waits on disk; False when the receiver went away."""
        while not self._stopping:
            try:
                waiting = self._spool.oldest()
            except OSError as error:
                log.error("cannot read the audit spool: %s", error)
                return True
            if waiting is None:
                return True
            path, messages = waiting
            for start in range(0, len(messages), BATCH):
                if not self._send(messages[start : start + BATCH]):
                    return False
                if self._queued > self._queue_length_max // 2:  # keep room for those who hand over meanwhile
                    self._put_aside(self._take(None))
            self._spool.forget(path)
        return True

    def _send(self, batch: list[bytes]) -> bool:
        """False when it did not go out: `batch` is the caller's to keep, what may have got lost before it is
        spooled here."""
        try:
            self._transport.send(batch)
        except OSError as error:
            self._failed(error)
            earlier = self._transport.unconfirmed()
            self._put_aside(earlier[: -len(batch)] if earlier[-len(batch) :] == batch else earlier)
            self._transport.close()
            return False
        self._failures = 0
        self.sent += len(batch)
        return True

    def _failed(self, error: OSError) -> None:
        pause = _RETRY_S[min(self._failures, len(_RETRY_S) - 1)]
        self._failures += 1
        self._next_try = time.monotonic() + pause
        if self._failures in (1, 10) or not self._failures % 100:
            log.warning("the audit receiver cannot be reached, messages are spooled: %s", error)

    def _take(self, count: int | None) -> list[bytes]:
        with self._condition:
            wanted = len(self._queue) if count is None else min(count, len(self._queue))
            taken = [self._queue.popleft() for _ in range(wanted)]
            self._queued -= sum(map(len, taken))
        return taken

    def _put_aside(self, messages: list[bytes]) -> None:
        if not messages:
            return
        lost = self._spool.put(messages)
        self.spooled += len(messages) - lost
        if lost:
            self._lose(lost)

    def _lose(self, count: int) -> None:
        self.dropped += count
        self._untold += count
        now = time.monotonic()
        if now >= self._untold_log:
            self._untold_log = now + 60.0
            log.error("audit messages are lost, %d so far: queue and spool are full", self.dropped)

    def _finish(self) -> None:
        """The last words: the queue while there is time, then the spool."""
        deadline = time.monotonic() + STOP_S
        while self._queue and time.monotonic() < deadline and not self._failures and self._ready():
            batch = self._take(BATCH)
            if not self._send(batch):
                self._put_aside(batch)
        self._put_aside(self._take(None))
        try:
            self._spool.seal()
        except OSError as error:
            log.error("the audit spool cannot be closed: %s", error)
        self._transport.close()
