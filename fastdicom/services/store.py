"""Storage: C-STORE as SCP. PS3.4 Annex B, PS3.7 9.3.1.

The Data Set goes to its file as it arrives, byte for byte, and by the scanner's eyes. Success is answered
when the file is durable, with all that its index row is made of; whatever fails before that leaves nothing
behind, and the rest of the Data Set is still read so that the peer gets a status.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import xxhash

from fastdicom.dataset.part10 import SEAL_LENGTH, encode_file_meta, encode_seal
from fastdicom.dataset.record import Added, FileEntry, Kept, Put
from fastdicom.dataset.stream import DatasetScan, ScanPolicy
from fastdicom.dimse import messages
from fastdicom.errors import LimitReached, Refused, Unavailable
from fastdicom.events import CREATED, LIMIT, READ, SILENT, UPDATED, Alert, Observer
from fastdicom.services.budget import Budget
from fastdicom.services.ports import Caller, IncomingFile, Keeper, Reply
from fastdicom.standard import status
from fastdicom.standard.uid import UID

log = logging.getLogger(__name__)

Stored = Callable[[Put, Caller], None]
Compress = Callable[[Any, Put, Caller], tuple[Any, Put]]
"""(file that is whole, its change, who sent it) -> the file and the change to commit."""
_BUDGET_STEP = 256 * 1024  # bytes; asking for each piece would cost a lock each
_NO_TAGS: tuple[int, ...] = ()


class StorePolicy:
    """What the configuration says about C-STORE.

    replace: a duplicate takes the place of the first. dataset_length_max: 0 for none. budget: of the Data
    Sets that are being received. stored: told of every new instance after its commit. compress: may put a
    compressed copy in the file's place; None for never. observer: told of every C-STORE, whatever became of
    it.
    """

    __slots__ = ("budget", "compress", "dataset_length_max", "observer", "replace", "scan", "stored")

    def __init__(
        self,
        *,
        scan: ScanPolicy,
        replace: bool = False,
        dataset_length_max: int = 0,
        budget: Budget | None = None,
        stored: Stored | None = None,
        compress: Compress | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self.observer = observer
        self.scan = scan
        self.replace = replace
        self.dataset_length_max = dataset_length_max
        self.stored = stored
        self.budget = budget or Budget(0, "")
        self.compress = compress


class StoreOperation:
    """One C-STORE being received."""

    batched = False

    def __init__(
        self,
        request: messages.CStoreRequest,
        transfer_syntax_uid: str,
        caller: Caller,
        keeper: Keeper,
        policy: StorePolicy,
    ) -> None:
        self._request = request
        self._transfer_syntax_uid = transfer_syntax_uid
        self._caller = caller
        self._begun_at = time.perf_counter()
        self._put: Put | None = None
        self._action = ""
        self._ended = False
        self._keeper = keeper
        self._policy = policy
        self._pieces: list[memoryview | bytes] = []
        self._file: IncomingFile | None = None
        self._refusal: Refused | None = None
        self._length = 0
        self._held = 0  # of the budget, in steps
        self._checksum = xxhash.xxh3_64()
        self._scan = DatasetScan(transfer_syntax_uid, policy.scan)
        self._meta_length = 0
        try:
            _check_uids(request)
            self._file = keeper.incoming()
            meta = encode_file_meta(
                request.sop_class_uid,
                request.sop_instance_uid,
                transfer_syntax_uid,
                source_ae_title=caller.calling_ae_title,
                receiving_ae_title=caller.called_ae_title,
                sealable=True,
            )
            self._meta_length = len(meta)
            self._pieces.append(meta)
        except Refused as refusal:
            self._refuse(refusal)

    def data(self, piece: memoryview | bytes) -> None:
        """Keep a piece of the Data Set and look for attributes in it."""
        if self._refusal is not None:
            return
        self._length += len(piece)
        try:
            if self._length > self._held:
                self._hold()
            if 0 < self._policy.dataset_length_max < self._length:
                raise LimitReached(f"Data Set of more than {self._policy.dataset_length_max} bytes")
            self._scan.feed(piece)
        except Refused as refusal:
            self._refuse(refusal)
            return
        self._checksum.update(piece)
        self._pieces.append(piece)

    def flush(self) -> None:
        """Write what has come."""
        if self._file is None or not self._pieces:
            return
        try:
            self._file.append(self._pieces)
        except OSError as error:
            self._refuse(Unavailable(f"cannot write: {error.strerror}"))
        self._pieces.clear()

    def end(self) -> list[Reply]:
        """Make the instance durable and answer."""
        self._ended = True
        if self._refusal is None:
            try:
                self._seal()
                self._commit()
            except Refused as refusal:
                self._refuse(refusal)
        self._let_go()
        response = self._response()
        self._policy.observer.stored(
            self._caller,
            response.sop_class_uid,
            response.status,
            self._put,
            self._action,
            self._length,
            time.perf_counter() - self._begun_at,
            response.comment,
        )
        return [Reply(messages.encode(response))]

    def cancel(self) -> None:
        """A C-STORE cannot be cancelled. PS3.7 9.3.2.3 knows it for C-FIND, C-MOVE and C-GET."""

    def abandon(self) -> None:
        """The rest of the Data Set will not come, or nobody is left to answer to."""
        self._discard()
        if not self._ended:
            self._policy.observer.interrupted(self._caller, self._request.sop_class_uid, self._length)
        self._let_go()

    def _hold(self) -> None:
        """Ask for room for what has come and a step more. Raises Unavailable."""
        step = self._length - self._held + _BUDGET_STEP
        self._policy.budget.take(step)
        self._held += step

    def _let_go(self) -> None:
        held, self._held = self._held, 0
        self._policy.budget.give(held)

    def _seal(self) -> None:
        """Write the rest, and in front of the Data Set that it is whole: see `encode_seal`."""
        seal = encode_seal(self._length, self._checksum.intdigest())
        file = self._file
        assert file is not None
        at = self._meta_length - SEAL_LENGTH
        try:
            if file.size == 0:  # all came at once: it is still to be written
                self._pieces[0] = bytes(self._pieces[0][:at]) + seal
                file.append(self._pieces)
            else:
                if self._pieces:
                    file.append(self._pieces)
                file.overwrite(seal, at)
        except OSError as error:
            raise Unavailable(f"cannot write: {error.strerror}") from error
        self._pieces.clear()

    def _commit(self) -> None:
        file = self._file
        assert file is not None
        record = self._scan.finish(self._request.sop_class_uid, self._request.sop_instance_uid)
        entry = FileEntry(
            file.path,
            file.size,
            self._meta_length,
            self._checksum.intdigest(),
            self._transfer_syntax_uid,
            time.time(),
            self._caller.calling_ae_title,
        )
        put = Put(record, entry, self._policy.replace)
        if self._policy.compress is not None:
            try:
                file, put = self._policy.compress(file, put, self._caller)
            except OSError as error:
                raise Unavailable(f"cannot write: {error.strerror}") from error
        self._put = put
        self._file = None  # from here on the keeper answers for it
        outcome = self._keeper.commit(file, put)
        self._action = CREATED if isinstance(outcome, Added) else UPDATED
        if isinstance(outcome, Kept):
            self._action = READ
            self._compare(outcome, put.file)
        if not isinstance(outcome, Kept) and self._policy.stored is not None:
            self._policy.stored(put, self._caller)

    def _compare(self, kept: Kept, entry: FileEntry) -> None:
        if kept.file.received_checksum != entry.received_checksum:
            log.warning(
                "association %d: %s was there already with other content; the first is kept",
                self._caller.number,
                self._request.sop_instance_uid,
                extra={"sop_instance_uid": self._request.sop_instance_uid},
            )

    def _refuse(self, refusal: Refused) -> None:
        self._refusal = refusal
        if isinstance(refusal, LimitReached):
            caller = self._caller
            alert = Alert(LIMIT, refusal.comment, caller.address, caller.calling_ae_title)
            self._policy.observer.alerted(alert)
        self._pieces.clear()
        self._discard()
        self._let_go()

    def _discard(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.discard()
        except OSError as error:
            log.error("cannot remove an unfinished file, the next start will: %s", error)

    def _response(self) -> messages.Response:
        request = self._request
        code, comment, offending = status.SUCCESS, "", _NO_TAGS
        if self._refusal is not None:
            code, comment, offending = self._refusal.status, self._refusal.comment, self._refusal.offending
            log.log(
                _severity(self._refusal),
                "association %d: C-STORE from %s answered %s: %s",
                self._caller.number,
                self._caller.calling_ae_title,
                status.describe(code),
                comment,
                extra={"sop_instance_uid": request.sop_instance_uid},
            )
        return messages.Response(
            messages.C_STORE_RSP,
            request.message_id,
            code,
            request.sop_class_uid,
            request.sop_instance_uid,
            comment,
            offending,
        )


def _severity(refusal: Refused) -> int:
    """Of its log line: an operator must act, or a peer was refused."""
    ours = isinstance(refusal, Unavailable) and not isinstance(refusal, LimitReached)
    return logging.ERROR if ours else logging.WARNING


def _check_uids(request: messages.CStoreRequest) -> None:
    """Raises Refused when the command names what cannot be a UID. PS3.5 9.1."""
    if not UID.match(request.sop_class_uid):
        raise Refused(status.DOES_NOT_MATCH_SOP_CLASS, "Affected SOP Class UID is no UID")
    if not UID.match(request.sop_instance_uid):
        raise Refused(status.DOES_NOT_MATCH_SOP_CLASS, "Affected SOP Instance UID is no UID")
