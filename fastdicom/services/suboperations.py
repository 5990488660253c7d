"""The C-STORE sub-operations of a retrieve, and of a plain send. PS3.4 C.4.2.2.2, C.4.3.2.2.

An instance that fails is counted and named; it never ends the rest.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain
from threading import Lock
from typing import NamedTuple, overload

from fastdicom.dataset.record import StoredEntry
from fastdicom.dimse.messages import Counters, CStoreRequest, Response
from fastdicom.errors import ConnectionLost, FastdicomError, NoResponse, Refused
from fastdicom.services.lookahead import Ahead, Outgoing, upcoming
from fastdicom.services.making import Converter, Making
from fastdicom.services.ports import Interruption, StoreChannel
from fastdicom.services.proposals import AssociationPlan
from fastdicom.standard import status

log = logging.getLogger(__name__)

_LOSSES_MAX = 3  # associations that end, one after the other, without anything having arrived

Failure = tuple[StoredEntry, int, str]
"""(instance, status or 0 when there was none, what happened)."""


Sent = Callable[[int, int, float], None]
"""(status, bytes, seconds until it came) of one instance that was answered."""


class Tally:
    """Counts what became of each instance. sent: told of each answer, one at a time."""

    def __init__(self, total: int, sent: Sent = lambda code, length, seconds: None) -> None:
        self._sent = sent
        self.total = total
        self.completed = 0
        self.warning = 0
        self.failures: list[Failure] = []
        self.delivered: dict[tuple[str, str], int] = {}  # by Study Instance UID and SOP Class UID
        self.bytes = 0
        self._lock = Lock()  # several associations may be counted at once

    @property
    def done(self) -> int:
        """Instances that need nothing more."""
        return self.completed + self.warning + len(self.failures)

    @property
    def counters(self) -> Counters:
        """As PS3.7 9.1.4.1.7-10 wants them."""
        return Counters(self.total - self.done, self.completed, len(self.failures), self.warning)

    def failed(self, entry: StoredEntry, code: int, reason: str) -> None:
        """`entry` did not arrive."""
        self.failures.append((entry, code, reason))  # one call: no lock is needed
        uid = entry.sop_instance_uid
        log.warning("%s was not sent: %s", uid, reason, extra={"sop_instance_uid": uid})

    @property
    def arrived(self) -> int:
        """Instances that the peer has taken."""
        return self.completed + self.warning

    def answered(self, entry: StoredEntry, response: Response, length: int, seconds: float = 0.0) -> None:
        """The peer answered for `entry`, of which `length` bytes were sent, after so many seconds."""
        code = response.status
        arrived = status.is_stored(code)
        with self._lock:
            self._sent(code, length, seconds)
            self.bytes += length
            if arrived:
                kind = (entry.study_instance_uid, entry.sop_class_uid)
                self.delivered[kind] = self.delivered.get(kind, 0) + 1
            self.completed += code == status.SUCCESS
            self.warning += arrived and code != status.SUCCESS
        if not arrived:
            comment = f": {response.comment}" if response.comment else ""
            self.failed(entry, response.status, status.describe(response.status) + comment)


class Prepared(NamedTuple):
    """An instance that is ready to go out on a channel."""

    entry: StoredEntry
    context_id: int
    request: CStoreRequest
    body: Outgoing


class Landed(NamedTuple):
    """An instance that was answered for, so many seconds after it was launched."""

    prepared: Prepared
    response: Response
    seconds: float


class Unsent(NamedTuple):
    """What an association that ended too early left over, and why it ended."""

    entries: Sequence[StoredEntry] = ()
    reason: str = ""


class Rest(Sequence[StoredEntry]):
    """Some instances and then others, which may be many and are read when they are needed."""

    _first: Sequence[StoredEntry]
    _then: Sequence[StoredEntry]

    def __init__(self, first: Sequence[StoredEntry], then: Sequence[StoredEntry]) -> None:
        if isinstance(then, Rest):
            first, then = [*first, *then._first], then._then
        self._first = first
        self._then = then

    def __len__(self) -> int:
        return len(self._first) + len(self._then)

    def __iter__(self) -> Iterator[StoredEntry]:
        return chain(self._first, self._then)

    @overload
    def __getitem__(self, position: int) -> StoredEntry: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[StoredEntry]: ...
    def __getitem__(self, position: int | slice) -> StoredEntry | Sequence[StoredEntry]:
        first = len(self._first)
        if isinstance(position, int):
            at = range(len(self))[position]
            return self._first[at] if at < first else self._then[at - first]
        start, stop, step = position.indices(len(self))
        if step == 1:
            then = self._then[max(0, start - first) : max(0, stop - first)]
            return Rest(self._first[start:stop], then) if start < first else then
        return [self[at] for at in range(start, stop, step)]


class _Flight:
    """Instances on their way over one channel, in the order in which they went out."""

    def __init__(self, channel: StoreChannel, tally: Tally) -> None:
        self._channel = channel
        self._window = channel.window
        self._tally = tally
        self._sent: dict[int, tuple[Prepared, float]] = {}  # and since when, of the performance counter
        self._broken: StoredEntry | None = None

    def __len__(self) -> int:
        return len(self._sent)

    @property
    def full(self) -> bool:
        """True when a response is due before the next instance may go out."""
        return len(self._sent) >= self._window

    @property
    def entries(self) -> list[StoredEntry]:
        return [prepared.entry for prepared, _ in self._sent.values()]

    def launch(self, prepared: Prepared) -> None:
        """Send one and let go of its pieces.

        A body that cannot be had to its end costs the association: half of it is sent.
        """
        self._sent[prepared.request.message_id] = prepared, time.perf_counter()
        try:
            self._channel.send_store(prepared.context_id, prepared.request, prepared.body)
        except ConnectionLost:
            raise
        except (FastdicomError, OSError) as error:
            del self._sent[prepared.request.message_id]
            self._broken = prepared.entry
            self._tally.failed(prepared.entry, status.PROCESSING_FAILURE, str(error))
            raise ConnectionLost(f"the association was given up: {error}") from error
        finally:
            prepared.body.release()

    def land(self) -> Landed:
        """Wait for a response. It is to be counted, whatever happens next."""
        response = self._channel.store_response(self._sent)
        prepared, since = self._sent.pop(response.responded_to)
        return Landed(prepared, response, time.perf_counter() - since)

    def count(self, landed: Landed) -> StoredEntry:
        """Count a response; the instance that it is about."""
        entry, body = landed.prepared.entry, landed.prepared.body
        self._tally.answered(entry, landed.response, body.length or entry.file.size, landed.seconds)
        return entry

    def blame(self, reason: str) -> StoredEntry | None:
        """The channel is gone: the instance that it was lost over has failed. None when there was none."""
        if self._broken is None and self._sent:
            self._broken = self._sent.pop(next(iter(self._sent)))[0].entry
            self._tally.failed(self._broken, 0, reason)
        return self._broken


class Sender:
    """Sends stored instances over channels.

    read: the whole file of an entry. originator: (AE title, message ID) of the C-MOVE that asks.
    """

    def __init__(
        self,
        read: Callable[[StoredEntry], memoryview],
        converter: Converter,
        originator: tuple[str, int] | None = None,
    ) -> None:
        self._read = read
        self._converter = converter
        self._originator = originator

    @property
    def fallbacks(self) -> Sequence[str]:
        """Transfer syntaxes to propose beside the stored ones."""
        return self._converter.fallbacks

    def send_all(
        self,
        plans: Sequence[AssociationPlan],
        open_channel: Callable[[AssociationPlan], StoreChannel],
        close_channel: Callable[[StoreChannel], None],
        tally: Tally,
        interruption: Interruption,
    ) -> Iterator[StoredEntry]:
        """Send every plan's entries over its own channel; yields after each instance.

        A channel that is lost over one instance is replaced for the rest.
        """
        for plan in plans:
            left = Unsent(plan.entries)
            losses = 0  # of channels over which nothing arrived, one after the other
            while left.entries and losses < _LOSSES_MAX and interruption.wanted():
                try:
                    channel = open_channel(plan)
                except FastdicomError as error:
                    left = Unsent(left.entries, str(error))
                    break
                arrived = tally.arrived
                try:
                    left = yield from self.send(left.entries, channel, tally, interruption, whole=False)
                finally:
                    close_channel(channel)
                losses = 0 if tally.arrived > arrived else losses + 1
            if left.entries and interruption.wanted():
                for entry in left.entries:
                    tally.failed(entry, 0, left.reason)
                yield left.entries[-1]

    def send(
        self,
        entries: Sequence[StoredEntry],
        channel: StoreChannel,
        tally: Tally,
        interruption: Interruption,
        *,
        whole: bool = True,
    ) -> Generator[StoredEntry, None, Unsent]:
        """Send entries until they are done, not wanted, or the channel is lost; gives what is left then.

        Yields after each instance. While a response is awaited the next instance is made ready, and as many
        are on their way at once as the channel's window allows; long conversions begin earlier still, on
        other threads. whole: nothing goes out before all of it is there, for a channel that cannot be
        replaced.
        """
        flight = _Flight(channel, tally)
        making = Making(self._read, self._converter, channel, whole)
        begun = 0
        try:
            with closing(upcoming(entries, making.start, self._converter.depth)) as queue:
                for entry, ahead in queue:
                    if not interruption.wanted():
                        break
                    prepared = self._prepare(entry, ahead, making, begun, tally)
                    landed = flight.land() if prepared is not None and flight.full else None
                    begun += 1
                    try:
                        if prepared is not None:
                            flight.launch(prepared)  # the peer has something to do while we count
                    finally:
                        done = flight.count(landed) if landed is not None else None
                    if done is not None or prepared is None:
                        yield done or entry
            while flight:
                yield flight.count(flight.land())
            return Unsent()
        except ConnectionLost as error:
            lost = flight.blame(str(error))
            if lost is not None:
                yield lost
            left = Unsent(Rest(flight.entries, entries[begun:]), str(error))
            if not interruption.wanted():
                return Unsent()  # cancelled while we waited for the peer: what was not begun did not fail
            if isinstance(error, NoResponse):
                for entry in left.entries:
                    tally.failed(entry, 0, left.reason)
                return Unsent()
            return left

    def _prepare(
        self, entry: StoredEntry, ahead: Ahead | None, making: Making, number: int, tally: Tally
    ) -> Prepared | None:
        """The instance, read and converted as far as needed; None when that failed, which is counted."""
        try:
            body = ahead.result() if ahead is not None else making.outgoing(entry)
        except (FastdicomError, OSError) as error:
            no_way = isinstance(error, Refused) and error.status == status.SOP_CLASS_NOT_SUPPORTED
            code = status.SOP_CLASS_NOT_SUPPORTED if no_way else status.PROCESSING_FAILURE
            tally.failed(entry, code, str(error))
            return None
        request = self._request(entry, number % 0xFFFF + 1, body.sop_instance_uid)
        return Prepared(entry, making.contexts(entry)[body.transfer_syntax_uid], request, body)

    def _request(self, entry: StoredEntry, message_id: int, new_uid: str | None) -> CStoreRequest:
        title, originator_message_id = self._originator or ("", None)
        return CStoreRequest(
            message_id,
            entry.sop_class_uid,
            new_uid or entry.sop_instance_uid,
            originator_ae_title=title,
            originator_message_id=originator_message_id,
        )
