"""Stored instances into what a peer takes, each in its turn or before it. PS3.4 C.4.2.2.2."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from fastdicom.dataset.record import StoredEntry
from fastdicom.errors import FastdicomError, Refused
from fastdicom.services.lookahead import Ahead, Outgoing
from fastdicom.services.ports import Buffer, StoreChannel, Superseded
from fastdicom.standard import status


class Converter(Protocol):
    """From one transfer syntax to another; `conversions.Conversions` fits it.

    fallbacks: worth proposing beside the stored syntaxes. depth: instances to start ahead. batch: so many are
    begun one behind the other, or what there is when the first of them is wanted.
    """

    depth: int
    batch: int

    @property
    def fallbacks(self) -> Sequence[str]: ...

    def for_peer(self, ae_title: str) -> Converter:
        """The same with what the configuration says about this peer."""

    def candidates(self, stored_uid: str, accepted: Collection[str]) -> Sequence[str]:
        """The accepted syntaxes to send in, best first: only the stored one, if it is among them."""

    def begin(
        self, dataset: memoryview, stored_uid: str, wanted: Sequence[str], *, whole: bool
    ) -> Callable[[], Outgoing]:
        """The Data Set in the first of `wanted` that can carry it: all but the work on pixels.

        The result does that, when it is called. Both raise Refused, CodecError, OSError. whole: nothing may
        fail any more when that returns.
        """

    def quick(self, stored_uid: str, wanted: Sequence[str], length: int) -> bool:
        """Converting a file of `length` bytes takes no longer than handing it to another thread is worth."""

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

    def release(self) -> None:
        self._dataset = memoryview(b"")  # its memory is free for the next one


class Making:
    """Stored instances into what one channel takes. From any thread."""

    def __init__(
        self,
        read: Callable[[StoredEntry], memoryview],
        converter: Converter,
        channel: StoreChannel,
        whole: bool,
    ) -> None:
        self._read = read
        self._converter = converter
        self._channel = channel
        self._whole = whole
        self._contexts: dict[str, dict[str, int]] = {}
        self._wanted: dict[tuple[str, str], Sequence[str]] = {}
        self.soon: list[_Soon] = []

    def contexts(self, entry: StoredEntry) -> dict[str, int]:
        """Accepted transfer syntax -> presentation context ID."""
        uid = entry.sop_class_uid
        found = self._contexts.get(uid)
        if found is None:
            found = self._contexts[uid] = self._channel.transfer_syntaxes(uid)
        return found

    def wanted(self, entry: StoredEntry) -> Sequence[str]:
        """The accepted transfer syntaxes to send it in, best first."""
        kind = (entry.sop_class_uid, entry.file.transfer_syntax_uid)
        if kind not in self._wanted:
            self._wanted[kind] = self._converter.candidates(kind[1], self.contexts(entry))
        return self._wanted[kind]

    def start(self, entry: StoredEntry) -> Ahead | None:
        """Begin with an instance that has to be converted, if there is room where that takes long."""
        stored_uid = entry.file.transfer_syntax_uid
        if stored_uid in self.contexts(entry):
            return None
        if self._converter.quick(stored_uid, self.wanted(entry), entry.file.size):
            return _Soon(self, entry, self._converter.batch)
        return self._converter.ahead(lambda: self.outgoing(entry))

    def begin_soon(self) -> None:
        """Begin with the quick ones that are expected, one behind the other.

        Decoding empties the processor's caches; it takes the interpreter three times as long to read and
        check an instance after it than after another instance.
        """
        soon, self.soon = self.soon, []
        for one in soon:
            one.begin()

    def outgoing(self, entry: StoredEntry) -> Outgoing:
        """The Data Set in a transfer syntax that the peer accepted. Raises FastdicomError, OSError."""
        return self.begun(entry)()

    def begun(self, entry: StoredEntry) -> Callable[[], Outgoing]:
        """All that can be done without pixels; the result does the rest. Both raise as `outgoing`.

        What was replaced since it was selected goes out as it is now.
        """
        try:
            return self._begun(entry)
        except Superseded as news:
            if news.now.sop_class_uid != entry.sop_class_uid:
                raise  # the request and its presentation context are those of the old class
            return self._begun(news.now)

    def _begun(self, entry: StoredEntry) -> Callable[[], Outgoing]:
        stored_uid = entry.file.transfer_syntax_uid
        if stored_uid in self.contexts(entry):
            outgoing = Verbatim(stored_uid, self._dataset(entry))
            return lambda: outgoing
        wanted = self.wanted(entry)
        if not wanted:
            raise Refused(
                status.SOP_CLASS_NOT_SUPPORTED, "the peer accepted no transfer syntax that it can be sent in"
            )
        return self._converter.begin(self._dataset(entry), stored_uid, wanted, whole=self._whole)

    def _dataset(self, entry: StoredEntry) -> memoryview:
        whole = self._read(entry)
        if len(whole) != entry.file.size:
            raise Refused(
                status.PROCESSING_FAILURE, f"its file has {len(whole)} bytes, not {entry.file.size}"
            )
        return whole[entry.file.dataset_offset :]


class _Soon:
    """`Ahead` on the sender's own thread: begun with others, finished when its turn comes."""

    def __init__(self, making: Making, entry: StoredEntry, batch: int) -> None:
        self._making = making
        self._entry = entry
        self._finish: Callable[[], Outgoing] | None = None
        self._fault: FastdicomError | OSError | None = None
        making.soon.append(self)
        if len(making.soon) >= batch:
            making.begin_soon()

    def begin(self) -> None:
        """Do what needs no pixels; what goes wrong is told when it is asked for."""
        try:
            self._finish = self._making.begun(self._entry)
        except (FastdicomError, OSError) as fault:
            self._fault = fault

    def result(self) -> Outgoing:
        if self._finish is None and self._fault is None:
            self._making.begin_soon()
        if self._finish is None:
            assert self._fault is not None
            raise self._fault
        return self._finish()

    def close(self) -> None:
        self._finish = self._fault = None
