"""The C-STORE sub-operations of a retrieve, and of a plain send. PS3.4 C.4.2.2.2, C.4.3.2.2.

An instance that fails is counted and named; it never ends the rest.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

from fastdicom.dataset.record import StoredEntry
from fastdicom.dimse.messages import Counters, CStoreRequest, Response
from fastdicom.errors import ConnectionLost, FastdicomError, Refused
from fastdicom.services.ports import Buffer, Interruption, StoreChannel
from fastdicom.services.proposals import AssociationPlan
from fastdicom.standard import status
from fastdicom.standard.transfer_syntaxes import KNOWN

log = logging.getLogger(__name__)

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
        self.delivered: dict[tuple[str, str], int] = {}  # by Study Instance UID and SOP Class UID
        self.bytes = 0

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
        self.failures.append((entry, code, reason))
        log.warning("%s was not sent: %s", entry.sop_instance_uid, reason)

    def answered(self, entry: StoredEntry, response: Response) -> None:
        """The peer answered for `entry`."""
        if status.is_stored(response.status):
            if response.status == status.SUCCESS:
                self.completed += 1
            else:
                self.warning += 1
            kind = (entry.study_instance_uid, entry.sop_class_uid)
            self.delivered[kind] = self.delivered.get(kind, 0) + 1
        else:
            comment = f": {response.comment}" if response.comment else ""
            self.failed(entry, response.status, status.describe(response.status) + comment)


class Sender:
    """Sends stored instances over channels.

    read: the whole file of an entry. originator: (AE title, message ID) of the C-MOVE that asks. sent: told
    of each instance that was sent: the answer's status (0110H without one), bytes, seconds.
    """

    def __init__(
        self,
        read: Callable[[StoredEntry], memoryview],
        converter: Converter,
        originator: tuple[str, int] | None = None,
        sent: Callable[[int, int, float], None] = lambda code, length, seconds: None,
    ) -> None:
        self._sent = sent
        self._read = read
        self._converter = converter
        self._originator = originator
        self._message_id = 0

    def send_all(
        self,
        plans: Sequence[AssociationPlan],
        open_channel: Callable[[AssociationPlan], StoreChannel],
        close_channel: Callable[[StoreChannel], None],
        tally: Tally,
        interruption: Interruption,
    ) -> Iterator[StoredEntry]:
        """Send every plan's entries over its own channel; yields after each instance."""
        for plan in plans:
            if not interruption.wanted():
                return
            try:
                channel = open_channel(plan)
            except FastdicomError as error:
                if not interruption.wanted():
                    return
                for entry in plan.entries:
                    tally.failed(entry, 0, str(error))
                yield plan.entries[-1]
                continue
            try:
                yield from self.send(plan.entries, channel, tally, interruption)
            finally:
                close_channel(channel)

    def send(
        self,
        entries: Sequence[StoredEntry],
        channel: StoreChannel,
        tally: Tally,
        interruption: Interruption,
    ) -> Iterator[StoredEntry]:
        """Send entries one after the other until they are done, not wanted, or the channel is gone."""
        for number, entry in enumerate(entries):
            if not interruption.wanted():
                return
            try:
                self._send_one(entry, channel, tally)
            except ConnectionLost as error:
                # cancelled while we waited for the peer: what was not begun did not fail
                lost = entries[number:] if interruption.wanted() else entries[number : number + 1]
                for rest in lost:
                    tally.failed(rest, 0, str(error))
                yield entry
                return
            yield entry

    def _send_one(self, entry: StoredEntry, channel: StoreChannel, tally: Tally) -> None:
        contexts = channel.transfer_syntaxes(entry.sop_class_uid)
        stored_uid = entry.file.transfer_syntax_uid
        chosen = self._converter.choose(stored_uid, contexts)
        if chosen is None:
            tally.failed(entry, 0x0122, "the peer accepted no transfer syntax that it can be sent in")
            return
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
            started = time.perf_counter()
            response = channel.store(contexts[chosen], self._request(entry), body)
        except ConnectionLost:
            self._sent(status.PROCESSING_FAILURE, len(dataset), time.perf_counter() - started)
            raise
        except (FastdicomError, OSError) as error:
            tally.failed(entry, status.PROCESSING_FAILURE, str(error))
            return
        self._sent(response.status, len(dataset), time.perf_counter() - started)
        tally.bytes += len(dataset)
        tally.answered(entry, response)

    def _converted(self, dataset: memoryview, stored_uid: str, chosen: str) -> Iterable[Buffer]:
        """The Data Set in another syntax; its faults show before the first byte is on its way."""
        body = self._converter.convert(dataset, stored_uid, chosen)
        stored = KNOWN.get(stored_uid)
        if stored is not None and stored.deflated:
            return list(body)  # only inflating it to the end tells that it can be
        pieces = iter(body)
        return chain([next(pieces, b"")], pieces)

    def _request(self, entry: StoredEntry) -> CStoreRequest:
        self._message_id = self._message_id % 0xFFFF + 1
        title, message_id = self._originator or ("", None)
        return CStoreRequest(
            self._message_id,
            entry.sop_class_uid,
            entry.sop_instance_uid,
            originator_ae_title=title,
            originator_message_id=message_id,
        )
