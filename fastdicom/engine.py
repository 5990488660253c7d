"""Plugs the rooms together: an archive, its services and the network, in one process.

Importing starts nothing; two engines may live in one process. Everything here may be called from any
thread unless it says otherwise.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from fastdicom import log_context
from fastdicom.access import CONGESTION, Admission
from fastdicom.activation import InheritedSockets
from fastdicom.compressing import compressor_of
from fastdicom.config import Config
from fastdicom.conversions import ConversionThreads, conversions_of, threads_of
from fastdicom.credentials import Credentials
from fastdicom.dataset.identifier import Identifier, decode_identifier
from fastdicom.dataset.record import Put
from fastdicom.dataset.terms import Terms
from fastdicom.destinations import Destinations
from fastdicom.dimse import messages
from fastdicom.draining import Drain
from fastdicom.errors import Unavailable, UsageError
from fastdicom.file_records import scan_policy
from fastdicom.handlers import Handler, Handlers
from fastdicom.housekeeping import Housekeeper
from fastdicom.identifiers import build_identifier
from fastdicom.keeper import ArchiveKeeper, open_keeper
from fastdicom.listening import CUT_S, listen, places_of, stop_s_of, timing_of
from fastdicom.monitor import Monitor
from fastdicom.monitoring.health import RECOVERING, RUNNING, STOPPING
from fastdicom.net.acceptor import Acceptor, turn_away
from fastdicom.net.crew import Crew
from fastdicom.net.server import ServerConnection
from fastdicom.net.tls_transport import TlsTransport
from fastdicom.net.transport import Transport
from fastdicom.node_figures import archive_figures, traffic_figures
from fastdicom.node_lock import NodeLock
from fastdicom.queries import datasets_of, decoded, identifier_limits
from fastdicom.services.budget import Budget
from fastdicom.services.dispatch import ContextSyntaxes, QueryPolicy, Services
from fastdicom.services.ports import Caller, Operation
from fastdicom.services.store import StorePolicy
from fastdicom.standard.sop_classes import PATIENT_ROOT_CLASSES
from fastdicom.stored_instance import StoredInstance
from fastdicom.upkeep import Upkeep
from fastdicom.upperlayer.association import Association, Context
from fastdicom.upperlayer.pdus import AssociationAccept, AssociationReject, AssociationRequest
from fastdicom.vitals import Vitals, progress_of

if TYPE_CHECKING:
    from pydicom import Dataset

    from fastdicom.reports import DeleteReport

log = logging.getLogger(__name__)

_RECEIVE_BUFFER = 256 * 1024
_CLOSING_S = 2.0  # how long a peer may take to close the connection after the end of an association


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
        if not isinstance(config, Config):
            raise UsageError(f"an Engine takes a Config, such as Config.load(file), not {config!r}")
        self.config = config
        self.archive: ArchiveKeeper
        self.addresses: list[tuple[str, int]] = []
        self.tls_addresses: list[tuple[str, int]] = []  # those of `addresses` where TLS is spoken
        self._handlers = Handlers()
        self._acceptor: Acceptor | None = None
        self._node_lock: NodeLock
        self._services: Services
        self._admission: Admission
        self._conversion_threads: ConversionThreads
        self._timing = timing_of(config)
        self._credentials: Credentials | None = None
        self._incoming = Budget(0, "Data Sets being received")
        self._identifiers = Budget(0, "identifiers")
        self._crew = Crew()
        self._serving: dict[ServerConnection, threading.Thread] = {}
        self._lock = threading.Lock()
        self._life = threading.RLock()  # one start, stop or reload at a time
        self._process = 0  # where it was started: a fork has neither its threads nor a right to its archive
        self._started_at = 0.0
        self._housekeeper: Housekeeper
        self._upkeep: Upkeep
        self._number = 0
        self._drain: Drain | None = None
        self._vitals = Vitals(
            lambda: progress_of(self._acceptor, self.archive.committer, self._running(), self.config.limits)
        )
        self.monitor = Monitor(config, lambda: self._figures())

    def on_stored(self, handler: Handler) -> Handler:
        """Call `handler` after each commit, on the association's thread. Usable as a decorator.

        What it raises is logged; the instance stays stored and the peer is told so. It cannot stop the
        engine. Raises UsageError for a coroutine function.
        """
        self._handlers.add(handler)
        return handler

    # ------------------------------------------------------------------------------ life

    def start(
        self, inherited: InheritedSockets | None = None, progress: Callable[[], object] = lambda: None
    ) -> None:
        """Recover the archive, listen, serve. Raises UsageError when that is not possible.

        inherited: sockets that listen already and that the configuration must ask for. progress: called again
        and again while the archive is recovered, and before it for a node that is about to leave the archive.
        """
        with self._life:
            if self._acceptor is not None:
                raise UsageError("the engine runs already")
            self._node_lock = NodeLock.take(self.config.archive.path, stop_s_of(self.config), progress)
            with self._node_lock.starting():
                self._start(inherited or InheritedSockets(), progress)

    def _start(self, inherited: InheritedSockets, progress: Callable[[], object]) -> None:
        monitor = self.monitor = Monitor(self.config, lambda: self._figures())
        monitor.open(self.config.archive.path)
        try:
            self.archive = open_keeper(self.config.archive.path, self.config)
        except BaseException:
            monitor.close()
            raise
        self._conversion_threads = threads_of(self.config)
        try:
            monitor.health.phase = RECOVERING
            self.archive.recover(progress)
            monitor.watch(self.archive)
            self._credentials = Credentials(self.config.tls) if self.config.tls is not None else None
            monitor.certificate_days = self.certificate_days
            self._housekeeper = Housekeeper(self.archive, self.config)
            self._housekeeper.tell(monitor)
            self._plug()
            acceptor = Acceptor(self._serve, inherited.claim)
            with inherited.all_claimed(places_of(self.config)):
                self.addresses, self.tls_addresses = listen(acceptor, self.config)
        except BaseException:
            self._conversion_threads.close()
            monitor.close()
            self.archive.close()
            raise
        monitor.health.checks.append(self.stuck)
        monitor.health.phase = RUNNING
        monitor.observer.began()
        self._started_at = time.time()
        self._acceptor = acceptor
        self._process = os.getpid()
        self._crew = Crew()
        acceptor.start()
        self._housekeeper.start()
        self._upkeep = Upkeep(
            {
                "look after the TLS files": self._look_after_credentials,
                "look after the archive": self.archive.look_after,
                "publish the status": lambda: monitor.publish(self.archive.path),
            }
        )
        self._upkeep.start()

    def stop(self, timeout_s: float = 10.0, *, drain_s: float = 0.0) -> None:
        """Accept nothing more, finish the messages at hand, close. Idle associations are aborted.

        drain_s: how long associations at work may go on before, until their peers release them.
        timeout_s: how long messages at hand may take then; then their associations are cut.
        Does nothing in a process that was forked while the engine ran. Raises UsageError in an `on_stored`
        handler, whose association would wait for itself.
        """
        if self._handlers.running_here:
            raise UsageError("a handler cannot stop its engine: have another thread do it")
        if self._process != os.getpid():
            return
        with self._life:
            if self._acceptor is not None:
                with self._node_lock.ending():
                    self._stop(self._acceptor, timeout_s, drain_s)

    def _stop(self, acceptor: Acceptor, timeout_s: float, drain_s: float) -> None:
        self.monitor.health.phase = STOPPING
        acceptor.stop()
        self._acceptor = None
        drain = self._drain = Drain(self._running)
        drain.let_finish(drain_s)
        drain.end_messages(timeout_s)
        drain.cut(CUT_S)
        self._crew.close()
        self._upkeep.stop()
        self._housekeeper.stop()
        self._conversion_threads.close()
        self.monitor.say_goodbye(self.archive.path)
        self.archive.close()
        self._drain = None

    def hurry(self) -> bool:
        """A `stop` under way in another thread waits for nobody any more. False: it has not got so far."""
        drain = self._drain
        if drain is not None:
            drain.hurry()
        return drain is not None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def reload(self, config: Config) -> list[str]:
        """Take over what may change while we run; returns the keys that need a restart.

        Associations in progress keep what they were negotiated with.
        """
        with self._life:
            return self._reload(config)

    def _reload(self, config: Config) -> list[str]:
        self._must_run()
        restart = self.config.needs_restart(config)
        merged = self.config.with_changes()
        reloaded = ["timeouts", "access", "peers", "log", "limits", "transcoding", "compress"]
        reloaded += ["retention", "verify"]
        credentials = self._credentials
        if self.config.tls is not None and config.tls is not None:
            credentials = Credentials(config.tls)  # may refuse: nothing has changed yet
            reloaded.append("tls")
        for section in reloaded:
            object.__setattr__(merged, section, getattr(config, section))
        if self.config.tls is not None and merged.tls is not None:  # the ports stay until a restart
            object.__setattr__(merged, "tls", replace(merged.tls, port=self.config.tls.port))
        self._plug(merged, credentials)
        self.monitor.reload(merged)
        self._housekeeper.reload(merged)
        return restart

    # ------------------------------------------------------------------------------ asking

    def find(self, level: str = "STUDY", model: str = "STUDY", **keys: Any) -> Iterator[Dataset]:
        """Query our own archive; keys as in `PeerConnection.find`.

        Raises UsageError, also in the middle of the answers, when the engine was stopped: an end would
        look as if there were no more.
        """
        self._must_run()
        identifier = decoded(build_identifier(level, keys), model, self.config, self.archive.attributes)
        return self._matches(self.archive, identifier)

    def _matches(self, archive: ArchiveKeeper, identifier: Identifier) -> Iterator[Dataset]:
        try:
            yield from datasets_of(archive.find(identifier))
        except Unavailable as error:
            if archive is self.archive and self._acceptor is not None:
                raise
            raise UsageError("the engine was stopped before all answers were read") from error

    def delete(self, level: str | None = None, *, dry_run: bool = False, **keys: Any) -> DeleteReport:
        """Delete what matches from our own archive: see `Archive.delete`."""
        from fastdicom.local import Archive  # with all that is done by hand: not needed to listen

        self._must_run()
        with Archive(self.archive.path, config=self.config) as archive:
            return archive.delete(level, dry_run=dry_run, **keys)

    @property
    def connections(self) -> int:
        """Connections that are served, with an association or without."""
        return len(self._serving)

    def stuck(self) -> list[str]:
        """What of the node has not moved for too long and will not by itself; empty when all is well.

        To be asked every few seconds: see `vitals`.
        """
        return self._vitals.stuck()

    def status(self) -> dict[str, Any]:
        """Figures of the running node, never patient data."""
        self._must_run()
        return self._figures()

    def _figures(self) -> dict[str, Any]:
        own = {
            "started": self._started_at,
            "ae_title": self.config.node.ae_title,
            "addresses": [list(address) for address in self.addresses],
            **traffic_figures(self._admission, self.archive, self._incoming, self._identifiers),
            **archive_figures(self.archive),
            "tls": self._credentials.figures() if self._credentials is not None else {},
            **self._housekeeper.figures(),
        }
        return self.monitor.extended(own)

    def certificate_days(self) -> dict[str, float]:
        """Days until our "certificate" and the "revoked" lists end; empty without TLS."""
        return self._credentials.days_left() if self._credentials is not None else {}

    def _look_after_credentials(self) -> None:
        if self._credentials is not None:
            self._credentials.look_after()

    def _must_run(self) -> None:
        if self._acceptor is None:
            raise UsageError("the engine is not running")
        if self._process != os.getpid():
            raise UsageError("the engine runs in the process that this one was forked from")

    # ------------------------------------------------------------------------------ plugging

    def _plug(self, config: Config | None = None, credentials: Credentials | None = None) -> None:
        """Build from the configuration what serves new associations. All or nothing."""
        config = config or self.config
        credentials = credentials or self._credentials
        admission = Admission(config, getattr(self, "_admission", None))
        destinations = Destinations(config, timing_of(config), credentials)  # from here on nothing is refused
        self.config = self.archive.config = config
        self._credentials, self._admission = credentials, admission
        self._timing = timing_of(config)
        self._incoming.total = config.limits.incoming_length_max
        self._identifiers.total = config.limits.identifiers_length_max
        self._services = Services(
            self.archive,
            self.archive,
            conversions_of(config, self._conversion_threads, self.archive.path),
            StorePolicy(
                scan=scan_policy(config, self.archive.attributes),
                replace=config.archive.duplicates == "replace",
                dataset_length_max=config.limits.dataset_length_max,
                budget=self._incoming,
                stored=self._stored,
                compress=compressor_of(config, self.archive, self._conversion_threads),
                observer=self.monitor.observer,
            ),
            QueryPolicy(
                decode=self._decode_identifier,
                destination=destinations.find,
                identifier_length_max=config.limits.identifier_length_max,
                answers_max=config.limits.answers_max,
                budget=self._identifiers,
                instances_max=config.limits.retrieve_instances_max,
            ),
            self.monitor.observer,
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
        self._handlers.tell(instance)

    # ------------------------------------------------------------------------------ serving

    def _serve(self, sock: socket.socket, address: str, secure: bool) -> None:
        """A new connection: give it a thread. On the accepting thread."""
        if not self._admission.connected(address):
            turn_away(sock, b"" if secure else CONGESTION)
            self.monitor.turned_away(address)
            return
        self._number += 1
        try:
            connection = self._connection(self._transport(sock, secure), address, self._number)
            self._begin_serving(connection)
        except BaseException:
            self._admission.turned_away(address)
            raise

    def _begin_serving(self, connection: ServerConnection) -> None:
        with self._lock:
            self._serving[connection] = threading.current_thread()  # until it has its own
        try:
            self._crew.run(lambda: self._run(connection))
        except BaseException:
            with self._lock:
                self._serving.pop(connection, None)
            raise

    def _transport(self, sock: socket.socket, secure: bool) -> Transport:
        if not secure:
            return Transport(sock)
        assert self._credentials is not None
        return TlsTransport(sock, self._credentials.server(), server_side=True)

    def _connection(self, transport: Transport, address: str, number: int) -> ServerConnection:
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
            transport,
            association,
            timing,
            command_set_length_max=limits.command_set_length_max,
            look_ahead_length_max=limits.look_ahead_length_max,
        )
        connection.number = number
        connection.address = address
        connection.decide = self._decide
        connection.begin = self._begin
        return connection

    def _run(self, connection: ServerConnection) -> None:
        with self._lock:
            self._serving[connection] = threading.current_thread()
        try:
            with log_context.association(connection):
                connection.run()
        finally:
            self._admission.closed(connection)
            self.monitor.ended(connection)
            with self._lock:
                self._serving.pop(connection, None)

    def _decide(
        self, connection: ServerConnection, request: AssociationRequest
    ) -> AssociationAccept | AssociationReject:
        response = self._admission.decide(connection, request)
        self.monitor.decided(connection, request, response, self._admission.caller)
        return response

    def _begin(
        self, connection: ServerConnection, context: Context, request: messages.Request
    ) -> Operation | None:
        caller = self._admission.caller(connection)
        syntaxes = ContextSyntaxes(context.abstract_syntax, context.transfer_syntax)
        return self._services.begin(request, syntaxes, caller, connection)

    def _running(self) -> dict[ServerConnection, threading.Thread]:
        with self._lock:
            return dict(self._serving)
