"""Plugs the rooms together: an archive, its services and the network, in one process.

Importing starts nothing; two engines may live in one process. Everything here may be called from any
thread unless it says otherwise.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fastdicom import status_file
from fastdicom.access import Admission
from fastdicom.config import Config
from fastdicom.dataset.identifier import Identifier, decode_identifier
from fastdicom.dataset.record import Put
from fastdicom.dataset.terms import Terms
from fastdicom.destinations import Destinations
from fastdicom.dimse import messages
from fastdicom.errors import UsageError
from fastdicom.identifiers import build_identifier
from fastdicom.keeper import ArchiveKeeper, open_keeper
from fastdicom.local import Archive
from fastdicom.net.acceptor import Acceptor
from fastdicom.net.connection import Timing
from fastdicom.net.crew import Crew
from fastdicom.net.server import ServerConnection
from fastdicom.net.transport import Transport
from fastdicom.queries import decoded, identifier_limits, to_dataset
from fastdicom.reports import DeleteReport
from fastdicom.services.dispatch import ContextSyntaxes, QueryPolicy, Services
from fastdicom.services.ports import Caller, Operation
from fastdicom.services.store import StorePolicy
from fastdicom.standard.sop_classes import PATIENT_ROOT_CLASSES
from fastdicom.transcoding.plan import Conversions
from fastdicom.upperlayer.association import Association, Context
from fastdicom.upperlayer.pdus import AssociationAccept, AssociationReject, AssociationRequest

if TYPE_CHECKING:
    from pydicom import Dataset

log = logging.getLogger(__name__)

_RECEIVE_BUFFER = 256 * 1024
_PUBLISH_S = 1.0
_CLOSING_S = 2.0  # how long a peer may take to close the connection after the end of an association


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance that has just become durable: what `Engine.on_stored` handlers get.

    path: the file, which is the archive's and must not be changed. source_ae_title: who sent it.

    >>> engine = Engine(Config(port=0, archive=tmp_path / "archive"))
    >>> @engine.on_stored
    ... def forward(instance: StoredInstance) -> None:
    ...     print(instance.sop_instance_uid, instance.dataset(stop_before_pixels=True).PatientName)
    """

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    source_ae_title: str
    called_ae_title: str
    size: int

    def dataset(self, *, stop_before_pixels: bool = False) -> Dataset:
        """The instance, read from its file with pydicom."""
        from pydicom import dcmread

        return dcmread(self.path, stop_before_pixels=stop_before_pixels)


Handler = Callable[[StoredInstance], object]


class Engine:
    """A DICOM node.

    >>> with Engine(Config(port=0, archive=tmp_path / "archive")) as engine:
    ...     host, port = engine.addresses[0]
    ...     with connect(host, port) as peer:
    ...         answered = peer.echo() < 10
    >>> answered
    True
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.archive: ArchiveKeeper
        self.addresses: list[tuple[str, int]] = []
        self._handlers: list[Handler] = []
        self._acceptor: Acceptor | None = None
        self._services: Services
        self._admission: Admission
        self._timing = _timing(config)
        self._crew = Crew()
        self._serving: set[ServerConnection] = set()
        self._lock = threading.Lock()
        self._started_at = 0.0
        self._publisher_stop = threading.Event()
        self._publisher: threading.Thread | None = None
        self._number = 0

    def on_stored(self, handler: Handler) -> Handler:
        """Call `handler` after each commit, on the association's thread. Usable as a decorator.

        What it raises is logged; the instance stays stored and the peer is told so.
        """
        self._handlers.append(handler)
        return handler

    # ------------------------------------------------------------------------------ life

    def start(self) -> None:
        """Recover the archive, listen, serve. Raises UsageError when that is not possible."""
        if self._acceptor is not None:
            raise UsageError("the engine runs already")
        self.archive = open_keeper(self.config.archive.path, self.config)
        try:
            self.archive.recover()
            self._plug()
            acceptor = Acceptor(self._serve)
            self.addresses = acceptor.listen(self.config.node.bind, self.config.node.port)
        except BaseException:
            self.archive.close()
            raise
        self._started_at = time.time()
        self._acceptor = acceptor
        self._crew = Crew()
        acceptor.start()
        self._publisher_stop.clear()
        self._publisher = threading.Thread(target=self._publish, name="fastdicom-status", daemon=True)
        self._publisher.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Accept nothing more, finish the messages at hand, close. Idle associations are aborted.

        timeout_s: how long messages at hand may take; then their associations are cut.
        """
        if self._acceptor is None:
            return
        self._acceptor.stop()
        self._acceptor = None
        deadline = time.monotonic() + timeout_s
        for connection in self._connections():
            connection.stop()
        self._crew.wait(deadline)
        for connection in self._connections():
            connection.transport.cut()
        self._crew.wait(time.monotonic() + 2 * _CLOSING_S)
        self._crew.close()
        self._publisher_stop.set()
        if self._publisher is not None:
            self._publisher.join()
        status_file.withdraw(self.archive.path)
        self.archive.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def reload(self, config: Config) -> list[str]:
        """Take over what may change while we run; returns the keys that need a restart.

        Associations in progress keep what they were negotiated with.
        """
        self._must_run()
        restart = self.config.needs_restart(config)
        merged = self.config.with_changes()
        for section in ("timeouts", "access", "peers", "log", "limits"):
            object.__setattr__(merged, section, getattr(config, section))
        self.config = self.archive.config = merged
        self._timing = _timing(merged)
        self._plug()
        return restart

    # ------------------------------------------------------------------------------ asking

    def find(self, level: str = "STUDY", model: str = "STUDY", **keys: Any) -> Iterator[Dataset]:
        """Query our own archive; keys as in `PeerConnection.find`."""
        self._must_run()
        identifier = decoded(build_identifier(level, keys), model, self.config, self.archive.attributes)
        with closing(self.archive.find(identifier)) as matches:
            yield from (to_dataset(match) for match in matches if match is not None)

    def delete(self, level: str | None = None, *, dry_run: bool = False, **keys: Any) -> DeleteReport:
        """Delete what matches from our own archive: see `Archive.delete`."""
        self._must_run()
        with Archive(self.archive.path, config=self.config) as archive:
            return archive.delete(level, dry_run=dry_run, **keys)

    def status(self) -> dict[str, Any]:
        """Figures of the running node, never patient data."""
        self._must_run()
        return self._figures()

    def _figures(self) -> dict[str, Any]:
        counts = self.archive.counts()
        return {
            "started": self._started_at,
            "ae_title": self.config.node.ae_title,
            "addresses": [list(address) for address in self.addresses],
            "counts": {
                "patients": counts.patients,
                "studies": counts.studies,
                "series": counts.series,
                "instances": counts.instances,
                "bytes": counts.bytes,
            },
            "associations": {
                "open": self._admission.open,
                "half_open": self._admission.half_open,
                "accepted": self._admission.accepted,
                "rejected": self._admission.rejected,
                "failed": self._admission.failed,
            },
            "totals": {
                "stored": self.archive.committer.commits,
                "commit_batches": self.archive.committer.batches,
                "bytes_received": self._admission.bytes_received,
                "bytes_sent": self._admission.bytes_sent,
            },
            "queues": {"commit": self.archive.committer.waiting},
            "free_bytes": self.archive.files.free,
        }

    def _must_run(self) -> None:
        if self._acceptor is None:
            raise UsageError("the engine is not running")

    # ------------------------------------------------------------------------------ plugging

    def _plug(self) -> None:
        """Build from the configuration what serves new associations."""
        config = self.config
        previous = getattr(self, "_admission", None)
        self._admission = Admission(config, previous)
        self._services = Services(
            self.archive,
            self.archive,
            Conversions(),
            StorePolicy(
                scan=self.archive.scan_policy,
                replace=config.archive.duplicates == "replace",
                dataset_length_max=config.limits.dataset_length_max,
                stored=self._stored,
            ),
            QueryPolicy(
                decode=self._decode_identifier,
                destination=Destinations(config, self._timing).find,
                identifier_length_max=config.limits.identifier_length_max,
                answers_max=config.limits.answers_max,
            ),
        )

    def _decode_identifier(
        self, data: bytes, context: ContextSyntaxes, retrieve: bool, terms: Terms
    ) -> Identifier:
        config = self.config
        return decode_identifier(
            data,
            context.transfer_syntax,
            "PATIENT" if context.abstract_syntax in PATIENT_ROOT_CLASSES else "STUDY",
            retrieve=retrieve,
            terms=terms,
            patient_level_in_study_root=config.query.patient_level_in_study_root,
            attributes=self.archive.attributes,
            limits=identifier_limits(config.limits),
        )

    def _stored(self, put: Put, caller: Caller) -> None:
        record, file = put.record, put.file
        if not self._handlers:
            return
        instance = StoredInstance(
            self.archive.files.path_of(file.path),
            record.sop_class_uid,
            record.sop_instance_uid,
            record.study_instance_uid,
            record.series_instance_uid,
            file.transfer_syntax_uid,
            caller.calling_ae_title,
            caller.called_ae_title,
            file.size,
        )
        for handler in self._handlers:
            try:
                handler(instance)
            except Exception:
                log.exception("an on_stored handler failed for %s", record.sop_instance_uid)

    # ------------------------------------------------------------------------------ serving

    def _serve(self, sock: socket.socket, address: str) -> None:
        """A new connection: give it a thread. On the accepting thread."""
        if not self._admission.connected(address):
            sock.close()
            return
        self._number += 1
        connection = self._connection(sock, address, self._number)
        try:
            with self._lock:
                self._serving.add(connection)
                self._crew.run(lambda: self._run(connection))
        except BaseException:
            with self._lock:
                self._serving.discard(connection)
            self._admission.turned_away()
            raise

    def _connection(self, sock: socket.socket, address: str, number: int) -> ServerConnection:
        config = self.config
        timing = self._timing
        limits = config.limits
        association = Association.accepting(
            _RECEIVE_BUFFER,
            config.node.max_pdu_length,
            limits.association_request_length_max,
            artim_s=timing.artim_s,
            closing_s=min(_CLOSING_S, timing.artim_s),
            now=time.monotonic(),
        )
        connection = ServerConnection(
            Transport(sock), association, timing, command_set_length_max=limits.command_set_length_max
        )
        connection.number = number
        connection.address = address
        connection.decide = self._decide
        connection.begin = self._begin
        return connection

    def _run(self, connection: ServerConnection) -> None:
        try:
            connection.run()
        finally:
            self._admission.closed(connection)
            with self._lock:
                self._serving.discard(connection)

    def _decide(
        self, connection: ServerConnection, request: AssociationRequest
    ) -> AssociationAccept | AssociationReject:
        return self._admission.decide(connection, request)

    def _begin(
        self, connection: ServerConnection, context: Context, request: messages.Request
    ) -> Operation | None:
        caller = self._admission.caller(connection)
        syntaxes = ContextSyntaxes(context.abstract_syntax, context.transfer_syntax)
        return self._services.begin(request, syntaxes, caller, connection)

    def _connections(self) -> list[ServerConnection]:
        with self._lock:
            return list(self._serving)

    # ------------------------------------------------------------------------------ status

    def _publish(self) -> None:
        while True:
            try:
                status_file.publish(self.archive.path, self._figures())
            except Exception as error:  # a full disk must not end the reports for good
                log.warning("cannot publish the status: %s", error)
            if self._publisher_stop.wait(_PUBLISH_S):
                return


def _timing(config: Config) -> Timing:
    timeouts, limits = config.timeouts, config.limits
    return Timing(
        artim_s=timeouts.artim_s,
        idle_s=timeouts.idle_s,
        connect_s=timeouts.connect_s,
        response_s=timeouts.response_s,
        message_stall_s=limits.message_stall_s,
        send_stall_s=limits.send_stall_s,
    )
