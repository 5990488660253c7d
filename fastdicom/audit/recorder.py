"""The audit trail of a running node: trail, header, sender and transport, put together from [audit]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastdicom.audit.handover import Note, leave_note
from fastdicom.audit.message import Source
from fastdicom.audit.sender import Sender
from fastdicom.audit.spool import Spool
from fastdicom.audit.syslog import WARNING, Header
from fastdicom.audit.trail import Trail
from fastdicom.audit.transports import DatagramTransport, FileTransport, StreamTransport, Transport
from fastdicom.errors import UnusableFile, UsageError
from fastdicom.sections.audit import AuditConfig


class Recorder:
    """Records what its `trail` observes. node: our AE title. Raises UsageError when it cannot be set up."""

    def __init__(self, config: AuditConfig, node: str, archive: Path) -> None:
        self._header = Header()
        source_id = config.source_id or node
        note = Note(node, source_id, config.enterprise_site_id, config.spool_length_max)
        try:
            folder = leave_note(archive, note)
            self._sender = Sender(
                transport_of(config),
                Spool(folder, config.spool_length_max),
                lambda count: self._header.wrap(self.trail.lost(count), WARNING),
                queue_length_max=config.queue_length_max,
            )
        except OSError as error:
            raise UsageError(f"[audit] cannot be set up: {error}") from error
        self.trail = Trail(
            Source(source_id, config.enterprise_site_id),
            node,
            self._emit,
            alerts_per_minute=config.alerts_per_minute,
            queries=config.queries,
        )

    def start(self) -> None:
        """Deliver from now on."""
        self._sender.start()

    def stop(self) -> None:
        """Deliver what can be delivered within seconds, keep the rest."""
        self._sender.stop()

    def _emit(self, message: bytes, severity: int, at: float) -> None:
        self._sender.put(self._header.wrap(message, severity, at))

    def figures(self) -> dict[str, Any]:
        """What became of the messages since the start."""
        sender = self._sender
        return {
            "queued": sender.queued,
            "spool_bytes": sender.spool_bytes,
            "sent": sender.sent,
            "spooled": sender.spooled,
            "dropped": sender.dropped,
            "suppressed": self.trail.suppressed,
        }


def transport_of(config: AuditConfig) -> Transport:
    """The way to the receiver. Raises UsageError for certificates that cannot be used."""
    if config.transport == "file":
        assert config.file is not None  # the configuration was checked
        return FileTransport(config.file, config.file_length_max, config.file_count)
    if config.transport == "udp":
        return DatagramTransport(config.host, config.port_in_use)
    context = _tls_context(config) if config.transport == "tls" else None
    return StreamTransport(config.host, config.port_in_use, context)


def _tls_context(config: AuditConfig) -> Any:
    """A context that checks the receiver's certificate and name. RFC 5425 5, RFC 9325."""
    import ssl  # slow to import, and only needed here

    key = "authorities"
    try:
        context = ssl.create_default_context(cafile=config.authorities)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if config.certificate is not None:
            key = "certificate"
            context.load_cert_chain(config.certificate, config.key, lambda: b"")  # and asks nobody for one
    except OSError as error:  # of ssl, too
        raise UnusableFile("audit", key, getattr(config, key), error.strerror or error) from error
    return context
