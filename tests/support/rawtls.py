"""The first bytes of TLS written by hand: what OpenSSL's own client does not send any more. RFC 5246."""

from __future__ import annotations

import struct

ALERT, HANDSHAKE = 21, 22
FATAL = 2
HANDSHAKE_FAILURE, PROTOCOL_VERSION = 40, 70
SSL3, TLS1_0, TLS1_1, TLS1_2 = 0x0300, 0x0301, 0x0302, 0x0303
ECDHE_RSA_AES128_GCM, ECDHE_ECDSA_AES128_GCM = 0xC02F, 0xC02B
REFUSED_SUITES = {
    "null": (0x0000, 0x0001, 0x0002, 0x003B, 0xC006, 0xC010),
    "anonymous": (0x0018, 0x001B, 0x0034, 0x006C, 0x00A6, 0xC018),
    "static-rsa": (0x002F, 0x0035, 0x003C, 0x009C, 0x009D),
    "triple-des": (0x000A, 0x0016, 0xC008, 0xC012),
    "rc4": (0x0004, 0x0005, 0xC007, 0xC011),
    "export": (0x0003, 0x0008, 0x0014),
    "cbc": (0xC013, 0xC014, 0xC023, 0xC027, 0xC009),
}


def record(kind: int, body: bytes, version: int = TLS1_0, length: int | None = None) -> bytes:
    """A record; `length` replaces the true one."""
    return struct.pack(">BHH", kind, version, len(body) if length is None else length) + body


def client_hello(version: int = TLS1_2, suites: tuple[int, ...] = (ECDHE_ECDSA_AES128_GCM,)) -> bytes:
    """A ClientHello of at most TLS 1.2, as a record."""
    curves = _extension(10, struct.pack(">HH", 2, 23))  # secp256r1
    formats = _extension(11, b"\x01\x00")
    algorithms = _extension(13, struct.pack(">HHHH", 6, 0x0403, 0x0804, 0x0401))
    extensions = curves + formats + (algorithms if version >= TLS1_2 else b"")
    codes = b"".join(struct.pack(">H", suite) for suite in suites)
    body = struct.pack(">H", version) + bytes(32) + b"\0" + struct.pack(">H", len(codes)) + codes
    body += b"\x01\x00" + struct.pack(">H", len(extensions)) + extensions
    return record(HANDSHAKE, b"\x01" + len(body).to_bytes(3, "big") + body)


def ssl2_hello() -> bytes:
    """A ClientHello of SSL version 2."""
    body = b"\x01\x00\x02" + struct.pack(">HHH", 3, 0, 16) + b"\x01\x00\x80" + bytes(16)
    return struct.pack(">H", 0x8000 | len(body)) + body


def _extension(kind: int, body: bytes) -> bytes:
    return struct.pack(">HH", kind, len(body)) + body
