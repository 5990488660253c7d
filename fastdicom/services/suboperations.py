"""The C-STORE sub-operations of a retrieve, and of a plain send. PS3.4 C.4.2.2.2, C.4.3.2.2.

An instance that fails is counted and named; it never ends the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from itertools import chain
from threading import Lock
from typing import NamedTuple, Protocol

from fastdicom.dataset.record import StoredEntry
from fastdicom.dimse.messages import Counters, CStoreRequest, Response
from fastdicom.errors import ConnectionLost, FastdicomError, NoResponse, Refused
from fastdicom.services.ports import Buffer, Interruption, StoreChannel
from fastdicom.services.proposals import AssociationPlan
from fastdicom.standard import status
from fastdicom.standard.transfer_syntaxes import KNOWN

log = logging.getLogger(__name__)

_LOSSES_MAX = 3  # associations that end, one after the other, without anything having arrived

Failure = tuple[StoredEntry, int, str]
"""(instance, status or 0 when there was none, what happened)."""


class Converter(Protocol):
    """From one transfer syntax to another; `transcode` fits it."""

    def choose(self, stored_uid: str, accepted: Collection[str]) -> str | None:
        """The best of the accepted syntaxes to send in, or None when there is no way."""

    def convert(self, dataset: memoryview, stored_uid: str, wanted_uid: str) -> Iterable[Buffer]:
        """The Data Set in another syntax. Raises Refused or CodecError."""


class Tally:
    """Counts what became of each instance."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.completed = 0
        self.warning = 0
        self.failures: list[Failure] = []
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
        log.warning("%s was not sent: %s", entry.sop_instance_uid, reason)

    @property
    def arrived(self) -> int:
        """Instances that the peer has taken."""
        return self.completed + self.warning

    def answered(self, entry: StoredEntry, response: Response, length: int) -> None:
        """The peer answered for `entry`, of which `length` bytes were sent."""
        with self._lock:
            self.bytes += length
            self.completed += response.status == status.SUCCESS
            self.warning += status.is_warning(response.status)
        if response.status != status.SUCCESS and not status.is_warning(response.status):
            comment = f": {response.comment}" if response.comment else ""
            self.failed(entry, response.status, status.describe(response.status) + comment)


class Prepared(NamedTuple):
    """An instance that is ready to go out on a channel."""

    entry: StoredEntry
    context_id: int
    request: CStoreRequest
    body: Iterable[Buffer]
    length: int


class Unsent(NamedTuple):
    """What an association that ended too early left over, and why it ended."""

    entries: Sequence[StoredEntry] = ()
    reason: str = ""


class _Flight:
    """Instances on their way over one channel, in the order in which they went out."""

    def __init__(self, channel: StoreChannel, tally: Tally) -> None:
        self._channel = channel
        self._tally = tally
        self._sent: dict[int, Prepared] = {}
        self._broken: StoredEntry | None = None

    def __len__(self) -> int:
        return len(self._sent)

    @property
    def full(self) -> bool:
        """True when a response is due before the next instance may go out."""
        return len(self._sent) >= self._channel.window

    @property
    def entries(self) -> list[StoredEntry]:
        return [prepared.entry for prepared in self._sent.values()]

    def launch(self, prepared: Prepared) -> None:
        """Send one. A body that cannot be had to its end costs the association: half of it is sent."""
        self._sent[prepared.request.message_id] = prepared
        try:
            self._channel.send_store(prepared.context_id, prepared.request, prepared.body)
        except ConnectionLost:
            raise
        except (FastdicomError, OSError) as error:
            del self._sent[prepared.request.message_id]
            self._broken = prepared.entry
            self._tally.failed(prepared.entry, status.PROCESSING_FAILURE, str(error))
            raise ConnectionLost(f"the association was given up: {error}") from error

    def land(self) -> StoredEntry:
        """Wait for a response; the instance that it is about."""
        response = self._channel.store_response(self._sent)
        prepared = self._sent.pop(response.responded_to)
        self._tally.answered(prepared.entry, response, prepared.length)
        return prepared.entry

    def blame(self, reason: str) -> StoredEntry | None:
        """The channel is gone: the instance that it was lost over has failed. None when there was none."""
        if self._broken is None and self._sent:
            self._broken = self._sent.pop(next(iter(self._sent))).entry
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
                    left = yield from self.send(left.entries, channel, tally, interruption)
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
    ) -> Generator[StoredEntry, None, Unsent]:
        """Send entries until they are done, not wanted, or the channel is lost; gives what is left then.

        Yields after each instance. While a response is awaited the next instance is made ready, and as many
        are on their way at once as the channel's window allows.
        """
        flight = _Flight(channel, tally)
        begun = 0
        try:
            for entry in entries:
                if not interruption.wanted():
                    break
                prepared = self._prepare(entry, channel, begun, tally)
                if prepared is not None and flight.full:
                    yield flight.land()
                begun += 1
                if prepared is not None:
                    flight.launch(prepared)
                else:
                    yield entry
            while flight:
                yield flight.land()
            return Unsent()
        except ConnectionLost as error:
            lost = flight.blame(str(error))
            if lost is not None:
                yield lost
            left = Unsent([*flight.entries, *entries[begun:]], str(error))
            if not interruption.wanted():
                return Unsent()  # cancelled while we waited for the peer: what was not begun did not fail
            if isinstance(error, NoResponse):
                for entry in left.entries:
                    tally.failed(entry, 0, left.reason)
                return Unsent()
            return left

    def _prepare(
        self, entry: StoredEntry, channel: StoreChannel, number: int, tally: Tally
    ) -> Prepared | None:
        """The instance, read and converted as far as needed; None when that failed, which is counted."""
        contexts = channel.transfer_syntaxes(entry.sop_class_uid)
        stored_uid = entry.file.transfer_syntax_uid
        chosen = self._converter.choose(stored_uid, contexts)
        if chosen is None:
            tally.failed(entry, 0x0122, "the peer accepted no transfer syntax that it can be sent in")
            return None
        try:
            whole = self._read(entry)
            if len(whole) != entry.file.size:
                raise Refused(
                    status.PROCESSING_FAILURE, f"its file has {len(whole)} bytes, not {entry.file.size}"
                )
            dataset = whole[entry.file.dataset_offset :]
            body: Iterable[Buffer] = (dataset,)
            if chosen != stored_uid:
                body = self._converted(dataset, stored_uid, chosen)
        except (FastdicomError, OSError) as error:
            tally.failed(entry, status.PROCESSING_FAILURE, str(error))
            return None
        request = self._request(entry, number % 0xFFFF + 1)
        return Prepared(entry, contexts[chosen], request, body, len(dataset))

    def _converted(self, dataset: memoryview, stored_uid: str, chosen: str) -> Iterable[Buffer]:
        """The Data Set in another syntax; its faults show before the first byte is on its way."""
        body = self._converter.convert(dataset, stored_uid, chosen)
        stored = KNOWN.get(stored_uid)
        if stored is not None and stored.deflated:
            return list(body)  # only inflating it to the end tells that it can be
        pieces = iter(body)
        return chain([next(pieces, b"")], pieces)

    def _request(self, entry: StoredEntry, message_id: int) -> CStoreRequest:
        title, originator_message_id = self._originator or ("", None)
        return CStoreRequest(
            message_id,
            entry.sop_class_uid,
            entry.sop_instance_uid,
            originator_ae_title=title,
            originator_message_id=originator_message_id,
        )
