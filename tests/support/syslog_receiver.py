"""A syslog receiver for tests: UDP, TCP or TLS on a free port of this machine, messages in a list."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from tests.support.waiting import wait_for

HEADER = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48})"
    rb" ([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32}) - \xef\xbb\xbf(.*)",
    re.DOTALL,
)


def parsed(message: bytes) -> tuple[int, bytes]:
    """(PRI, the XML) of a syslog message, its header checked against RFC 5424 6."""
    found = HEADER.fullmatch(message)
    assert found, message[:200]
    assert found[6] == b"DICOM+RFC3881"
    return int(found[1]), found[7]


class Receiver:
    """`transport`: "udp", "tcp" or "tls". Stop and start it again on the same port to be away for a while."""

    def __init__(self, transport: str, certificates: Certificates | None = None, port: int = 0) -> None:
        self.transport = transport
        self.messages: list[bytes] = []
        self.certificates = certificates
        self._stop = threading.Event()
        self._connections: list[socket.socket] = []
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self._socket.settimeout(0.05)
        if transport != "udp":
            self._socket.listen(5)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port and every connection."""
        self._stop.set()
        self._thread.join()
        self._socket.close()
        for connection in self._connections:
            with suppress(OSError):  # the sender was faster
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def wait(self, count: int, seconds: float = 5.0) -> list[bytes]:
        """The messages once there are `count`."""
        wait_for(lambda: len(self.messages) >= count, seconds=seconds)
        return self.messages

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self.transport == "udp":
                    self.messages.append(self._socket.recv(65536))
                    continue
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        try:
            if self.transport == "tls":
                assert self.certificates is not None
                connection = self.certificates.context().wrap_socket(connection, server_side=True)
            self._connections.append(connection)
            self._frames(connection)
        except OSError:
            return

    def _frames(self, connection: socket.socket) -> None:
        data = b""
        while piece := connection.recv(65536):
            data += piece
            while found := re.match(rb"(\d{1,10}) ", data):
                length = int(found[1])
                if len(data) < found.end() + length:
                    break
                self.messages.append(data[found.end() : found.end() + length])
                data = data[found.end() + length :]


class Certificates:
    """A self-signed certificate for 127.0.0.1, made with the openssl program."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl program to make a certificate with")
        self.certificate, self.key = folder / "receiver.crt", folder / "receiver.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", self.key, "-out", self.certificate, "-days", "2", "-subj", "/CN=receiver",
             "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, capture_output=True,
        )  # fmt: skip

    def context(self) -> ssl.SSLContext:
        """The receiver's end."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context
