"""TLS: contexts by the profiles of PS3.15, and what its errors mean to a person.

PS3.15 B.12 (BCP 195: RFC 8996, RFC 9325) and B.13 (the same with closed lists). No renegotiation, no
compression, no session tickets: a session cannot outlive the context that it was made with.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fastdicom.errors import ConnectionLost, UnusableFile
from fastdicom.net.certificates import PeerCertificate

B12, B13 = "B.12", "B.13"
PROFILES = (B12, B13)
_AEAD = ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384")
_AEAD_128 = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256")
# TLS 1.2 by profile; TLS 1.3 has only suites that both allow.
SUITES = {
    B12: (*_AEAD, *_AEAD_128),
    B13: (
        *_AEAD,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-CAMELLIA256-GCM-SHA384",
        "ECDHE-RSA-CAMELLIA256-GCM-SHA384",
        "ECDHE-ECDSA-AES256-CCM",
        *_AEAD_128,
        "ECDHE-ECDSA-CAMELLIA128-GCM-SHA256",
        "ECDHE-RSA-CAMELLIA128-GCM-SHA256",
        "ECDHE-ECDSA-AES128-CCM",
    ),
}
# OpenSSL's names for causes -> what a person does about them. "ALERT": the peer says so of us.
_CAUSES = {
    "ALERT_UNKNOWN_CA": "the peer does not trust the authority of our certificate",
    "ALERT_CERTIFICATE_EXPIRED": "the peer says that our certificate has expired",
    "ALERT_CERTIFICATE_REVOKED": "the peer says that our certificate is revoked",
    "ALERT_CERTIFICATE_REQUIRED": "the peer wants a certificate from us",
    "ALERT_BAD_CERTIFICATE": "the peer does not accept our certificate",
    "ALERT_CERTIFICATE_UNKNOWN": "the peer does not accept our certificate",
    "ALERT_UNSUPPORTED_CERTIFICATE": "the peer does not accept our kind of certificate",
    "ALERT_ACCESS_DENIED": "the peer denies us access",
    "ALERT_HANDSHAKE_FAILURE": "the peer shares no cipher suite with us, or wants a certificate from us",
    "ALERT_PROTOCOL_VERSION": "the peer speaks no version of TLS that we do (1.2 and 1.3)",
    "ALERT_INSUFFICIENT_SECURITY": "the peer asks for stronger cipher suites",
    "ALERT_DECRYPT_ERROR": "the peer could not verify the handshake",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the peer showed no certificate",
    "NO_SHARED_CIPHER": "the peer offers no cipher suite that we allow",
    "NO_CIPHERS_AVAILABLE": "the peer offers no cipher suite that we allow",
    "UNSUPPORTED_PROTOCOL": "the peer speaks no version of TLS that we allow (1.2 and 1.3)",
    "VERSION_TOO_LOW": "the peer speaks no version of TLS that we allow (1.2 and 1.3)",
    "WRONG_VERSION_NUMBER": "the peer sent what is no TLS",
    "HTTP_REQUEST": "the peer sent an HTTP request",
    "UNEXPECTED_EOF": "the peer closed the connection",
    "EE_KEY_TOO_SMALL": "the peer's key is too short",
    "CA_MD_TOO_WEAK": "the peer's certificate is signed with a weak hash",
    "DH_KEY_TOO_SMALL": "the peer's key exchange is too weak",
}


class TlsError(ConnectionLost):
    """There is no secure connection; the message names the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Whom we trust and who we are, as PEM files; for `connect` and the commands.

    certificate, key: ours, which most peers want to see; the certificate's file may go on with its chain.
    authorities: whose certificates we trust; None: those of this system, and then the peer's host name has
    to be in its certificate. revoked: revocation lists (CRL) of the authorities. profile: "B.12" or
    "B.13" of PS3.15. identities: when given, the peer's certificate has to be one of these: a name in it,
    or `sha256:` and its fingerprint.

    >>> Tls(authorities="hospital-ca.crt", certificate="me.crt", key="me.key").profile
    'B.12'
    """

    certificate: Path | str | None = None
    key: Path | str | None = None
    authorities: Path | str | None = None
    revoked: Path | str | None = None
    profile: str = B12
    identities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What one outgoing connection needs. identities: see `Tls`."""

    context: ssl.SSLContext
    identities: tuple[str, ...] = ()

    @classmethod
    def of(cls, tls: Tls | bool | None) -> ClientTls | None:
        """From what `connect` takes: None or False for a plain connection, True for `Tls()`."""
        if not tls:
            return None
        wanted = Tls() if tls is True else tls
        return cls(client_context(wanted), wanted.identities)

    def check(self, peer: PeerCertificate | None) -> None:
        """Raises TlsError when the peer is another one than is meant."""
        if self.identities and (peer is None or not peer.is_one_of(self.identities)):
            shown = ", ".join(sorted(peer.names)) if peer else "nobody"
            raise TlsError(f"TLS: the peer's certificate is of {shown}, not of {', '.join(self.identities)}")


def server_context(tls: Tls, client_certificates: str) -> ssl.SSLContext:
    """For connections that come in. client_certificates: "required", "optional" or "none".

    Raises UsageError that names the file that cannot be used.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, tls)
    modes = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}
    context.verify_mode = modes[client_certificates]
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


def client_context(tls: Tls) -> ssl.SSLContext:
    """For connections of our own. Raises UsageError that names the file that cannot be used."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, tls)
    context.check_hostname = tls.authorities is None and not tls.identities
    return context


def _context(protocol: int, tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(":".join(SUITES[tls.profile]))
    if tls.certificate is not None:
        _load_chain(context, tls.certificate, tls.key)
    if tls.authorities is not None:
        _load("authorities", tls.authorities, lambda: context.load_verify_locations(tls.authorities))
    elif protocol == ssl.PROTOCOL_TLS_CLIENT:
        context.load_default_certs()
    if tls.revoked is not None:
        _load("revoked", tls.revoked, lambda: context.load_verify_locations(tls.revoked))
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def _load_chain(context: ssl.SSLContext, certificate: Path | str, key: Path | str | None) -> None:
    try:
        context.load_cert_chain(certificate, key, _no_password)
    except (OSError, ValueError) as error:  # OpenSSL does not say which of the two files it is about
        which, path = (
            ("key", key)
            if key is not None and _is_of_key(error, certificate)
            else ("certificate", certificate)
        )
        raise UnusableFile("tls", which, path, _reason(error)) from error


def _is_of_key(error: Exception, certificate: Path | str) -> bool:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
    except (OSError, ValueError):
        return False
    return True


def _load(key: str, path: Path | str, load: Callable[[], None]) -> None:
    try:
        load()
    except (OSError, ValueError) as error:
        raise UnusableFile("tls", key, path, _reason(error)) from error


def _reason(error: OSError | ValueError) -> object:
    if isinstance(error, ssl.SSLError):
        return _file_fault(error)
    return (error.strerror if isinstance(error, OSError) else None) or error


def _file_fault(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key does not belong to the certificate"
    if error.reason in ("NO_CERTIFICATE_OR_CRL_FOUND", "NO_START_LINE"):
        return "there is nothing of that kind in PEM format in it"
    return f"cannot be used: {error.reason or 'no certificate or key in PEM format'}"


def _no_password() -> str:
    """OpenSSL would ask on the terminal, and a service has none."""
    raise ValueError("the key is protected by a passphrase, which a service cannot enter")


def explain(error: ssl.SSLError) -> str:
    """The cause of a failed handshake or connection, in words of who has to mend it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the peer's certificate is refused: {error.verify_message or error.reason}"
    if isinstance(error, ssl.SSLEOFError):
        return "the peer closed the connection"
    reason = error.reason or str(error)
    for name, cause in _CAUSES.items():
        if name in reason:
            return cause
    return reason.replace("_", " ").lower()


def plain_cause(first: bytes, asked: bool) -> str:
    """What the first bytes of a peer say that should speak TLS; "" when they look like TLS.

    asked: we are the client, and it has read our ClientHello.
    """
    if not first or first[0] in (20, 21, 22, 23):  # record types, RFC 8446 5.1
        return ""
    if asked and first[0] <= 7:
        return "the peer speaks plain DICOM on this port, not TLS"
    if first[0] <= 7 and first[1:2] in (b"", b"\0"):
        return "the peer speaks plain DICOM on our TLS port"
    if first[:1].isalpha() and first.split(b" ")[0].isalpha():
        return "the peer speaks HTTP or some other text protocol, not TLS"
    if first[0] & 0x80 and first[2:3] == b"\1":
        return "the peer speaks SSL version 2, which nobody may"
    return "the peer sent what is no TLS"
