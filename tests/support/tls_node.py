"""A node that listens for plain DICOM and for TLS, and associations with its TLS port by hand."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.certificates import Authority, Pair
from tests.support.node import Node, Table, fastdicom_node
from tests.support.rawdicom import VERIFICATION, RawAssociation

_TLS_PORT = re.compile(r":(\d+) \(TLS\)")


@dataclass
class TlsNode:
    """node.port is plain, `port` speaks TLS."""

    node: Node
    port: int
    authority: Authority
    pair: Pair

    def options(self, pair: Pair | None = None) -> list[str]:
        """The options of our commands that reach it as `pair`."""
        own = [] if pair is None else ["--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key)]
        return ["--tls-authorities", str(self.authority.certificate), *own]


@contextmanager
def tls_node(
    folder: Path,
    authority: Authority,
    tls: Table | None = None,
    changes: Mapping[str, Table] | None = None,
    *,
    peers: Sequence[Table] = (),
) -> Iterator[TlsNode]:
    """Started with a certificate that `authority` signs. tls: more keys of [tls]."""
    pair = authority.issue(f"node{len(list(authority.folder.iterdir()))}", rsa=True)
    section: dict[str, Any] = {
        "certificate": str(pair.certificate),
        "key": str(pair.key),
        "authorities": str(authority.certificate),
        "port": 0,
    }
    tables = {**(changes or {}), "tls": {**section, **(tls or {})}}
    with fastdicom_node(folder, tables, peers=peers) as node:
        found = _TLS_PORT.search((node.folder / "stdout.txt").read_text())
        assert found is not None
        yield TlsNode(node, int(found[1]), authority, pair)


def secure_association(
    port: int, authority: Authority, pair: Pair, proposals: Sequence[Any] = (VERIFICATION,), **more: Any
) -> RawAssociation:
    """An association over TLS, by Python's own ssl module."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(authority.certificate)
    context.load_cert_chain(pair.certificate, pair.key)
    sock = socket.create_connection(("127.0.0.1", port), 10)
    association = RawAssociation(context.wrap_socket(sock))
    association.associate(proposals, **more)
    return association
