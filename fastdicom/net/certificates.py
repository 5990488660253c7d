"""What we need to know of certificates and revocation lists: until when they hold, and whose they are.

Only the operator's own files are read here, and only for their dates; whether a peer's certificate is
good is OpenSSL's to say.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

_PEM = re.compile(r"-----BEGIN (CERTIFICATE|X509 CRL)-----\s+([A-Za-z0-9+/=\s]+?)-----END \1-----", re.ASCII)
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x17, 0x18
_TIMES = (_UTC_TIME, _GENERALIZED_TIME)


class PeerCertificate(NamedTuple):
    """A verified certificate of a peer: the names in it and its SHA-256 in lower-case hexadecimal."""

    names: frozenset[str]
    fingerprint: str

    def is_one_of(self, identities: Iterable[str]) -> bool:
        """Whether one of `identities` is its fingerprint, `sha256:...`, or a name in it in any case."""
        wanted = [identity.lower() for identity in identities]
        return any(
            identity in self.names or identity.replace(":", "") == "sha256" + self.fingerprint
            for identity in wanted
        )


def peer_certificate(verified: dict[str, Any] | None, der: bytes | None) -> PeerCertificate | None:
    """From what `SSLObject.getpeercert` gives, without and with binary_form; None: it showed none."""
    if not verified or der is None:
        return None
    named = list(verified.get("subjectAltName", ()))
    named += [entry for rdn in verified.get("subject", ()) for entry in rdn if entry[0] == "commonName"]
    names = frozenset(str(value).lower() for _, value in named)
    return PeerCertificate(names, hashlib.sha256(der).hexdigest())


def end_of_certificate(pem: str) -> datetime:
    """notAfter of the first certificate in a PEM document. RFC 5280 4.1.2.5. Raises ValueError."""
    for kind, der in _documents(pem):
        if kind == "CERTIFICATE":
            for tag, body in _elements(_inside(_inside(der))):
                if tag == _SEQUENCE and body[:1] in (bytes([_UTC_TIME]), bytes([_GENERALIZED_TIME])):
                    return _time(*list(_elements(body))[1])  # Validity: notBefore, notAfter
    raise ValueError("there is no certificate in it")


def end_of_revocation_list(pem: str) -> datetime | None:
    """nextUpdate of the CRL in a PEM document that ends first; None: none of them says. Raises ValueError."""
    ends = []
    found = False
    for kind, der in _documents(pem):
        if kind == "X509 CRL":
            found = True
            times = [element for element in _elements(_inside(_inside(der))) if element[0] in _TIMES]
            ends += [_time(*times[1])] if len(times) > 1 else []  # thisUpdate, then nextUpdate. RFC 5280 5.1
    if not found:
        raise ValueError("there is no certificate revocation list in it")
    return min(ends, default=None)


def _documents(pem: str) -> Iterator[tuple[str, bytes]]:
    for found in _PEM.finditer(pem):
        document = f"-----BEGIN CERTIFICATE-----\n{found[2].strip()}\n-----END CERTIFICATE-----\n"
        yield found[1], ssl.PEM_cert_to_DER_cert(document)


def _inside(der: bytes) -> bytes:
    """The contents of the element that `der` begins with; nothing when there is none."""
    return next((body for _, body in _elements(der)), b"")


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, contents) of each DER element. X.690 8.1. Raises ValueError where a length does not fit."""
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1] if at + 1 < len(der) else 0
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(der[at : at + size], "big")
            at += size
        if at + length > len(der):
            raise ValueError("a DER element is cut")
        yield tag, der[at : at + length]
        at += length


def _time(tag: int, text: bytes) -> datetime:
    """A Time: years 1950-2049 have two digits. RFC 5280 4.1.2.5."""
    digits = text.decode("ascii")
    if tag == _UTC_TIME:
        digits = ("20" if digits[:2] < "50" else "19") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
