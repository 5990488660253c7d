"""The SCU side for programs: `connect` to a peer, then echo, find, store, move and get."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fastdicom.dataset.terms import Extension, extensions_in, information_of
from fastdicom.dimse import messages
from fastdicom.errors import ConnectionLost, PeerError, Refused, UsageError
from fastdicom.identifiers import build_identifier, level_name, model_name
from fastdicom.inbox import InstanceFolder
from fastdicom.net.connection import Timing
from fastdicom.net.requestor import STORE_WINDOW, ClientAssociation, Proposal
from fastdicom.net.tls import PROFILES, ClientTls, Tls
from fastdicom.outbox import send_files
from fastdicom.queries import encode, to_dataset
from fastdicom.reports import Progress, ProgressCallback, RetrieveReport, StoreReport
from fastdicom.settings import ae_title, certificate_name, choice, listing
from fastdicom.standard import sop_classes, status
from fastdicom.standard.transfer_syntaxes import (
    CONFORMANCE,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fastdicom.upperlayer.pdus import ExtendedNegotiation
from fastdicom.users import identity_of

if TYPE_CHECKING:
    from pydicom import Dataset

log = logging.getLogger(__name__)

Responses = Generator[tuple[messages.Response, bytes | None]]
"""The responses to one request with their Data Sets."""

_NATIVE = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
_QUERY_CLASSES = (
    sop_classes.VERIFICATION,
    *sorted(sop_classes.FIND_CLASSES | sop_classes.MOVE_CLASSES),
)
_GET_CONTEXTS_MAX = 126  # beside the one of C-GET itself
_CANCEL_S = 5.0  # how long a peer may take to end what was cancelled
_COMPRESSED = tuple(row.uid for row in CONFORMANCE if row.encapsulated)


def connect(
    host: str,
    port: int,
    *,
    called: str = "ANY-SCP",
    calling: str = "FASTDICOM",
    timing: Timing | None = None,
    tls: Tls | bool | None = None,
    username: str = "",
    passcode: str | None = None,
    extensions: Iterable[Extension] = (),
) -> PeerConnection:
    """Associate with a peer for Verification and queries.

    tls: whom to trust and who we are; True: the authorities of this system, no certificate of ours.
    username, passcode: proposed as User Identity (PS3.7 D.3.3.7); without TLS they travel in the clear.
    extensions: what to ask for by extended negotiation: see `PeerConnection.granted`.
    Raises ConnectionLost, AssociationRejected or AssociationAborted when there is no association, UsageError
    for what is no AE title.

    >>> with connect(*node) as peer:
    ...     answered = peer.echo() < 10
    >>> answered
    True
    """
    peer = PeerConnection(
        host,
        port,
        called=called,
        calling=calling,
        timing=timing,
        tls=tls,
        username=username,
        passcode=passcode,
        extensions=extensions,
    )
    peer.associate()
    return peer


class PeerConnection:
    """One peer, with at most one association at a time; one request at a time.

    The answers of a `find` are read to their end, or the iteration ended, before the next request: until then
    it raises UsageError. `close` from another thread ends what is under way.

    >>> with PeerConnection(*node, called="FASTDICOM", calling="EXAMPLE") as peer:
    ...     studies = list(peer.find(level="STUDY", PatientName="NOBODY*", StudyInstanceUID=""))
    >>> studies
    []

    Storage needs other presentation contexts than queries: an association that does not fit is released
    and another one opened. The first operation opens one when `connect` was not used.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        called: str,
        calling: str,
        timing: Timing | None = None,
        tls: Tls | bool | None = None,
        username: str = "",
        passcode: str | None = None,
        extensions: Iterable[Extension] = (),
    ) -> None:
        self.host = host
        self.port = port
        self.called = _title("called", called)
        self.calling = _title("calling", calling)
        self.timing = timing or Timing()
        self._tls = _client_tls(tls)
        self._identity = identity_of(username, passcode)
        self.extensions = frozenset(extensions)
        self._association: ClientAssociation | None = None
        self._message_id = 0
        self._busy = threading.Lock()
        self._busy_thread = 0
        self._process = 0  # where the association was opened

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def associate(self) -> None:
        """Open the association for Verification and queries now."""
        with self._request():
            self._queries()

    @contextmanager
    def _request(self) -> Iterator[None]:
        """One request from its beginning to its last answer. Raises UsageError while there is another."""
        self._must_be_ours()
        if not self._busy.acquire(blocking=False):
            raise UsageError(
                "this connection still waits for the answers of another request: read them to their end, "
                "with list(...), or use a second connection"
            )
        self._busy_thread = threading.get_ident()
        try:
            yield
        finally:
            self._busy.release()

    def close(self) -> None:
        """Release what is open. In a fork: only give back its copy, for the association is its parent's."""
        association = self._association
        if association is not None and self._is_parents:
            self._association = None
            association.transport.forget()
            return
        if association is not None and self._busy.locked() and self._busy_thread != threading.get_ident():
            association.transport.cut()  # the other thread is woken, and closes it
            return
        self._association = None
        if association is not None:
            association.release()

    @property
    def _is_parents(self) -> bool:
        """True in a process that was forked after the association was opened."""
        return self._association is not None and self._process != os.getpid()

    def _must_be_ours(self) -> None:
        if self._is_parents:
            raise UsageError(
                "this connection was opened in the process that this one was forked from: connect anew"
            )

    def granted(self, model: str = "STUDY") -> frozenset[Extension]:
        """Which of `extensions` the peer grants to queries of a model, PS3.4 C.5.1.1.

        Only then may keys rely on them: "relational" on missing unique keys of higher levels, "datetime" on a
        date and its time as one moment, "fuzzy" on names that sound alike, "timezone" on our own clock.
        """
        class_uid = _find_class(model)
        with self._request():
            return extensions_in(self._queries().extended(class_uid))

    # ------------------------------------------------------------------------------ operations

    def echo(self) -> float:
        """C-ECHO; how many seconds the answer took. Raises Refused when it is not Success."""
        with self._request():
            association = self._queries()
            context_id, _ = association.context_for(sop_classes.VERIFICATION)
            started = time.monotonic()
            request = messages.EchoRequest(self._next_id(), sop_classes.VERIFICATION)
            for response, _ in association.ask(context_id, request):
                _raise_failure(response, "C-ECHO")
            return time.monotonic() - started

    def find(
        self, *, level: str = "STUDY", model: str = "STUDY", identifier: Dataset | None = None, **keys: Any
    ) -> Iterator[Dataset]:
        """C-FIND; the matches as they come. Raises Refused when the peer reports a failure.

        level: PATIENT, STUDY, SERIES or IMAGE. model: "STUDY" or "PATIENT" root. Keys are keywords with
        values to match, "" to be returned. Ending the iteration early cancels the query.
        """
        return self._matches(_find_class(model), self._identifier(level, identifier, keys))

    def _matches(self, class_uid: str, dataset: Dataset) -> Iterator[Dataset]:
        with self._request():
            association = self._queries()
            context_id, syntax = association.context_for(class_uid)
            request = messages.CFindRequest(self._next_id(), class_uid)
            asked = association.ask(context_id, request, encode(dataset, syntax))
            with closing(self._until_last(association, context_id, request.message_id, asked)) as responses:
                for response, data in responses:
                    _raise_failure(response, "C-FIND")
                    if data is not None and status.is_pending(response.status):
                        yield to_dataset(data, syntax)

    def move(
        self,
        *,
        destination: str,
        level: str = "STUDY",
        model: str = "STUDY",
        identifier: Dataset | None = None,
        progress: ProgressCallback | None = None,
        **keys: Any,
    ) -> RetrieveReport:
        """C-MOVE to `destination`, an AE title that the peer knows; returns the final counts.

        An exception on the way (of `progress`, or Ctrl-C) cancels the C-MOVE.
        """
        class_uid = _class_of(model, sop_classes.STUDY_ROOT_MOVE, sop_classes.PATIENT_ROOT_MOVE)
        dataset = self._identifier(level, identifier, keys)
        with self._request():
            association = self._queries()
            context_id, syntax = association.context_for(class_uid)
            request = messages.CMoveRequest(self._next_id(), class_uid, destination)
            report = RetrieveReport()
            asked = association.ask(context_id, request, encode(dataset, syntax))
            with closing(self._until_last(association, context_id, request.message_id, asked)) as responses:
                for response, data in responses:
                    _take_counts(report, response, data, syntax, progress)
            return report

    def get(
        self,
        out: str | os.PathLike[str],
        *,
        level: str = "STUDY",
        model: str = "STUDY",
        identifier: Dataset | None = None,
        progress: ProgressCallback | None = None,
        storage_classes: Sequence[str] = (),
        **keys: Any,
    ) -> RetrieveReport:
        """C-GET into the folder `out`, one file `<SOP Instance UID>.dcm` for each instance.

        storage_classes: at most 126 SOP classes to be ready for; by default those that are most in use.
        An exception on the way (of `progress`, or Ctrl-C) cancels the C-GET.
        """
        class_uid = _class_of(model, sop_classes.STUDY_ROOT_GET, sop_classes.PATIENT_ROOT_GET)
        dataset = self._identifier(level, identifier, keys)
        folder = InstanceFolder(Path(out), source_ae_title=self.called, receiving_ae_title=self.calling)
        classes = tuple(storage_classes) or sop_classes.MOST_USED
        with self._request():
            association = self._use(_get_proposals(class_uid, classes), classes)
            context_id, syntax = association.context_for(class_uid)
            request = messages.CGetRequest(self._next_id(), class_uid)
            report = RetrieveReport()
            asked = association.retrieve(context_id, request, encode(dataset, syntax), folder.receive)
            responses = self._until_last(association, context_id, request.message_id, asked)
            with folder, closing(responses):
                for response, data in responses:
                    _take_counts(report, response, data, syntax, progress)
            return report

    def store(
        self,
        paths: Iterable[str | os.PathLike[str]],
        progress: ProgressCallback | None = None,
        transfer_syntaxes: Sequence[str] | None = None,
    ) -> StoreReport:
        """C-STORE of files and, recursively, folders. What is no DICOM file is skipped and named.

        transfer_syntaxes: when given, propose only these. Raises ConnectionLost or AssociationRejected when
        not even the first association came about.
        """
        with self._request():
            return send_files(
                paths,
                self._open_for_storage,
                self.close,
                progress=progress,
                transfer_syntaxes=tuple(transfer_syntaxes or ()),
            )

    # ------------------------------------------------------------------------------ associations

    def _queries(self) -> ClientAssociation:
        return self._use([(uid, _NATIVE) for uid in _QUERY_CLASSES])

    def _open_for_storage(self, proposals: Sequence[Proposal]) -> ClientAssociation:
        return self._use(proposals, window=STORE_WINDOW)

    def _use(
        self, proposals: Sequence[Proposal], scp_classes: Sequence[str] = (), window: int = 1
    ) -> ClientAssociation:
        """The open association if it was opened with these proposals, else a new one."""
        current = self._association
        if current is not None and current.association.established and current.proposals == list(proposals):
            return current
        self.close()
        self._process = os.getpid()
        self._association = ClientAssociation.open(
            self.host,
            self.port,
            called=self.called,
            calling=self.calling,
            proposals=proposals,
            timing=self.timing,
            scp_classes=scp_classes,
            tls=self._tls,
            user_identity=self._identity,
            extended=self._extended(),
            window=window,
        )
        return self._association

    def _extended(self) -> list[ExtendedNegotiation]:
        if not self.extensions:
            return []
        wanted = information_of(self.extensions)
        return [ExtendedNegotiation(uid, wanted) for uid in sorted(sop_classes.FIND_CLASSES)]

    @staticmethod
    def _identifier(level: str, identifier: Dataset | None, keys: dict[str, Any]) -> Dataset:
        built = build_identifier(level, keys)
        if identifier is not None:
            built.update(identifier)
            built.QueryRetrieveLevel = level_name(level)
        return built

    def _next_id(self) -> int:
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def _until_last(
        self, association: ClientAssociation, context_id: int, message_id: int, asked: Responses
    ) -> Responses:
        """The responses to a request; who stops before the last one has the request cancelled."""
        finished = False
        try:
            for response, data in asked:
                finished = not status.is_pending(response.status)
                yield response, data
                self._must_be_ours()
        finally:
            if not finished and not self._is_parents:
                self._cancel(association, context_id, message_id, asked)

    def _cancel(
        self, association: ClientAssociation, context_id: int, message_id: int, asked: Responses
    ) -> None:
        """Tell the peer that nothing more is wanted and read what is still on its way.

        The association is aborted when the last response cannot be had: the peer ignores the C-CANCEL, or
        we were interrupted in the middle of a message.
        """
        usual = association.timing
        association.timing = replace(usual, response_s=min(_CANCEL_S, usual.response_s))
        until = time.monotonic() + _CANCEL_S
        try:
            association.send_message(context_id, messages.CCancelRequest(message_id))
            for response, _ in asked:
                if not status.is_pending(response.status):
                    association.timing = usual
                    return
                if time.monotonic() > until:
                    break
        except (ConnectionLost, PeerError) as error:
            log.debug("nothing left to cancel: %s", error)
        association.abort()
        if self._association is association:
            self._association = None


def _title(which: str, text: str) -> str:
    try:
        return ae_title(text)
    except ValueError as problem:
        raise UsageError(f"{which}: {problem}") from problem


def _client_tls(tls: Tls | bool | None) -> ClientTls | None:
    if isinstance(tls, Tls):
        try:
            listing(certificate_name)(tls.identities)
            choice(*PROFILES)(tls.profile)
        except ValueError as problem:
            raise UsageError(f"tls: {problem}") from problem
    return ClientTls.of(tls)


def _find_class(model: str) -> str:
    return _class_of(model, sop_classes.STUDY_ROOT_FIND, sop_classes.PATIENT_ROOT_FIND)


def _class_of(model: str, study_root: str, patient_root: str) -> str:
    """The SOP class of an information model. Raises UsageError for what is none."""
    return patient_root if model_name(model) == "PATIENT" else study_root


def _get_proposals(class_uid: str, classes: Sequence[str]) -> list[Proposal]:
    """One context for C-GET; for each class one of native and, as far as they fit, one of other syntaxes."""
    if len(classes) > _GET_CONTEXTS_MAX:
        raise UsageError(f"{len(classes)} storage classes for one C-GET, at most {_GET_CONTEXTS_MAX} fit")
    proposals: list[Proposal] = [(class_uid, _NATIVE)]
    proposals += [(uid, _NATIVE) for uid in classes]
    proposals += [(uid, _COMPRESSED) for uid in classes[: _GET_CONTEXTS_MAX - len(classes)]]
    return proposals


def _take_counts(
    report: RetrieveReport,
    response: messages.Response,
    data: bytes | None,
    syntax: str,
    progress: Callable[[Progress], None] | None,
) -> None:
    report.status = response.status
    report.comment = response.comment
    if response.counters is not None:
        report.remaining, report.completed, report.failed, report.warning = response.counters
    if data and not status.is_pending(response.status):
        failed = to_dataset(data, syntax).get("FailedSOPInstanceUIDList") or []
        report.failed_sop_instance_uids = (
            [failed] if isinstance(failed, str) else [str(uid) for uid in failed]
        )
    if progress is not None:
        done = report.completed + report.failed + report.warning
        progress(Progress(done, done + report.remaining, report.failed, report.warning))


def _raise_failure(response: messages.Response, operation: str) -> None:
    code = response.status
    if code != status.SUCCESS and not status.is_pending(code) and not status.is_warning(code):
        comment = f": {response.comment}" if response.comment else ""
        raise Refused(code, f"{operation} answered {status.describe(code)}{comment}", response.offending)
