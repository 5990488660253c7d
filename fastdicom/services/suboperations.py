"""The C-STORE sub-operations of a retrieve, and of a plain send. PS3.4 C.4.2.2.2, C.4.3.2.2.

An instance that fails is counted and named; it never ends the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from fastdicom.dataset.record import StoredEntry
from fastdicom.dimse.messages import Counters, CStoreRequest, Response
from fastdicom.errors import ConnectionLost, FastdicomError, Refused
from fastdicom.services.lookahead import Ahead, Outgoing, upcoming
from fastdicom.services.ports import Buffer, Interruption, StoreChannel
from fastdicom.services.proposals import AssociationPlan
from fastdicom.standard import status

log = logging.getLogger(__name__)

Failure = tuple[StoredEntry, int, str]
"""(instance, status or 0 when there was none, what happened)."""


class Converter(Protocol):
    """From one transfer syntax to another; `conversions.Conversions` fits it.

    fallbacks: what is worth proposing beside the stored transfer syntaxes. depth: instances to start ahead.
    """

    depth: int

    @property
    def fallbacks(self) -> Sequence[str]: ...

    def for_peer(self, ae_title: str) -> Converter:
        """The same with what the configuration says about this peer."""

    def candidates(self, stored_uid: str, accepted: Collection[str]) -> Sequence[str]:
        """The accepted syntaxes to send in, best first: only the stored one, if it is among them."""

    def convert(
        self, dataset: memoryview, stored_uid: str, wanted: Sequence[str], *, whole: bool
    ) -> Outgoing:
        """The Data Set in the first of `wanted` that can carry it. Raises Refused, CodecError, OSError.

        whole: nothing may fail any more when this returns.
        """

    def ahead(self, prepare: Callable[[], Outgoing]) -> Ahead | None:
        """Have it prepared by another thread; None when there is no room for it now."""


class Verbatim:
    """A Data Set as it is stored."""

    def __init__(self, transfer_syntax_uid: str, dataset: memoryview) -> None:
        self.transfer_syntax_uid = transfer_syntax_uid
        self.sop_instance_uid: str | None = None
        self.length: int | None = len(dataset)
        self._dataset = dataset

    def __iter__(self) -> Iterator[Buffer]:
        return iter((self._dataset,))


class MessageCut(ConnectionLost):
    """A message began and its Data Set cannot be finished: the association cannot be used any more."""


class _Body:
    """The pieces of an outgoing Data Set; remembers when they failed."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self.failed = False
        self.length = 0

    def __iter__(self) -> Iterator[Buffer]:
        try:
            for piece in self._outgoing:
                self.length += len(piece)
                yield piece
        except (FastdicomError, OSError):
            self.failed = True
            raise


class Tally:
    """Counts what became of each instance."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.completed = 0
        self.warning = 0
        self.failures: list[Failure] = []
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
        if response.status == status.SUCCESS:
            self.completed += 1
        elif status.is_warning(response.status):
            self.warning += 1
        else:
            comment = f": {response.comment}" if response.comment else ""
            self.failed(entry, response.status, status.describe(response.status) + comment)


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
        self._message_id = 0

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

        An instance that turns out to be broken in the middle of its message costs the channel: the rest
        goes over a new one.
        """
        for plan in plans:
            left = plan.entries
            while left and interruption.wanted():
                try:
                    channel = open_channel(plan)
                except FastdicomError as error:
                    if not interruption.wanted():
                        return
                    for entry in left:
                        tally.failed(entry, 0, str(error))
                    yield left[-1]
                    break
                done = tally.done
                try:
                    yield from self.send(left, channel, tally, interruption, whole=False)
                    break
                except MessageCut:
                    channel.abort()
                    left = left[tally.done - done :]
                    yield plan.entries[-1 - len(left)]
                finally:
                    close_channel(channel)

    def send(
        self,
        entries: Sequence[StoredEntry],
        channel: StoreChannel,
        tally: Tally,
        interruption: Interruption,
        *,
        whole: bool = True,
    ) -> Iterator[StoredEntry]:
        """Send entries one after the other until they are done, not wanted, or the channel is gone.

        whole: nothing goes out before all of it is there, for a channel that is not to be lost. Without it
        this raises MessageCut when an instance failed (and was counted) in the middle of its message.
        """
        accepted: dict[str, dict[str, int]] = {}

        def contexts(entry: StoredEntry) -> dict[str, int]:
            uid = entry.sop_class_uid
            if uid not in accepted:
                accepted[uid] = channel.transfer_syntaxes(uid)
            return accepted[uid]

        def start(entry: StoredEntry) -> Ahead | None:
            if entry.file.transfer_syntax_uid in contexts(entry):
                return None
            return self._converter.ahead(lambda: self._prepare(entry, contexts(entry), whole))

        queue = upcoming(entries, start, self._converter.depth)
        for number, (entry, ahead) in enumerate(queue):
            try:
                if not interruption.wanted():
                    return
                self._send_one(entry, ahead, channel, contexts(entry), tally, whole)
            except MessageCut:
                raise
            except ConnectionLost as error:
                # cancelled while we waited for the peer: what was not begun did not fail
                lost = entries[number:] if interruption.wanted() else entries[number : number + 1]
                for rest in lost:
                    tally.failed(rest, 0, str(error))
                yield entry
                return
            finally:
                if ahead is not None:
                    ahead.close()
            yield entry

    def _send_one(
        self,
        entry: StoredEntry,
        ahead: Ahead | None,
        channel: StoreChannel,
        contexts: dict[str, int],
        tally: Tally,
        whole: bool,
    ) -> None:
        body = None
        try:
            outgoing = ahead.result() if ahead is not None else self._prepare(entry, contexts, whole)
            body = _Body(outgoing)
            request = self._request(entry, outgoing.sop_instance_uid)
            response = channel.store(contexts[outgoing.transfer_syntax_uid], request, body)
        except ConnectionLost:
            raise
        except (FastdicomError, OSError) as error:
            no_way = isinstance(error, Refused) and error.status == status.SOP_CLASS_NOT_SUPPORTED
            code = status.SOP_CLASS_NOT_SUPPORTED if no_way else status.PROCESSING_FAILURE
            tally.failed(entry, code, str(error))
            if body is not None and body.failed:
                raise MessageCut(str(error)) from error
            return
        tally.bytes += body.length
        tally.answered(entry, response)

    def _prepare(self, entry: StoredEntry, accepted: Collection[str], whole: bool) -> Outgoing:
        """The Data Set in a transfer syntax that the peer accepted."""
        stored_uid = entry.file.transfer_syntax_uid
        wanted = self._converter.candidates(stored_uid, accepted)
        if not wanted:
            raise Refused(
                status.SOP_CLASS_NOT_SUPPORTED, "the peer accepted no transfer syntax that it can be sent in"
            )
        dataset = self._dataset(entry)
        if wanted[0] == stored_uid:
            return Verbatim(stored_uid, dataset)
        return self._converter.convert(dataset, stored_uid, wanted, whole=whole)

    def _dataset(self, entry: StoredEntry) -> memoryview:
        whole = self._read(entry)
        if len(whole) != entry.file.size:
            raise Refused(
                status.PROCESSING_FAILURE, f"its file has {len(whole)} bytes, not {entry.file.size}"
            )
        return whole[entry.file.dataset_offset :]

    def _request(self, entry: StoredEntry, new_uid: str | None) -> CStoreRequest:
        self._message_id = self._message_id % 0xFFFF + 1
        title, message_id = self._originator or ("", None)
        return CStoreRequest(
            self._message_id,
            entry.sop_class_uid,
            new_uid or entry.sop_instance_uid,
            originator_ae_title=title,
            originator_message_id=message_id,
        )
