"""Arguments that several commands share, and how their values are checked."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import fastdicom
from fastdicom.config import Config
from fastdicom.errors import UsageError
from fastdicom.identifiers import key_name, level_name, vr_of
from fastdicom.settings import ae_title, certificate_name, number, seconds, transfer_syntax, uid
from fastdicom.users import passcode_from

if TYPE_CHECKING:
    from fastdicom.client import PeerConnection
    from fastdicom.net.tls import Tls

T = TypeVar("T")


def checked(read: Callable[[str], T]) -> Callable[[str], T]:
    """`read` as an argparse type: its complaint becomes argparse's."""

    def convert(text: str) -> T:
        try:
            return read(text)
        except (ValueError, UsageError) as problem:
            raise argparse.ArgumentTypeError(str(problem)) from problem

    return convert


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    """An argparse type: a number from `minimum` to `maximum`."""
    read = number(minimum, maximum)
    return checked(lambda text: read(int(text) if text.isascii() and text.isdigit() else text))


def folder(text: str) -> Path:
    """An argparse type: a folder that is there, or that is still to be made."""
    if Path(text).exists() and not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file, not a folder")
    return Path(text)


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print JSON, one object a line")


def add_peer(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    """HOST PORT --called --calling --timeout."""
    nargs = "?" if optional else None
    parser.add_argument("host", metavar="HOST", nargs=nargs, help="name or address of the peer")
    parser.add_argument(
        "port", metavar="PORT", nargs=nargs, type=whole_number(1, 65535), help="its port, mostly 104 or 11112"
    )
    parser.add_argument(
        "--called", metavar="T", type=checked(ae_title), default="ANY-SCP", help="AE title of the peer"
    )
    parser.add_argument(
        "--calling", metavar="T", type=checked(ae_title), default="FASTDICOM", help="AE title that we give"
    )
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        type=checked(seconds),
        help='how long to wait for a connection and for each answer, such as "5 s"',
    )
    add_security(parser)


def add_security(parser: argparse.ArgumentParser) -> None:
    """--tls and what belongs to it, --user --passcode-file."""
    tls = parser.add_argument_group("TLS and user identity")
    tls.add_argument("--tls", action="store_true", help="speak TLS (1.2 or 1.3)")
    for name, what in (
        ("certificate", "our certificate with its chain"),
        ("key", "its private key"),
        ("authorities", "who signs the peer's certificate (default: the authorities of this system)"),
        ("revoked", "revocation lists (CRL) of the authorities"),
    ):
        tls.add_argument(f"--tls-{name}", metavar="FILE", type=Path, help=f"{what}, PEM; implies --tls")
    tls.add_argument(
        "--tls-name",
        metavar="NAME",
        action="append",
        default=[],
        type=checked(certificate_name),
        help="a name in the peer's certificate, or sha256: and its fingerprint; implies --tls",
    )
    tls.add_argument(
        "--tls-profile", choices=["B.12", "B.13"], default="B.12", help="of PS3.15 (default: B.12)"
    )
    tls.add_argument("--user", metavar="NAME", default="", help="user identity to give (PS3.7 D.3.3.7)")
    tls.add_argument(
        "--passcode-file",
        metavar="FILE",
        type=Path,
        help="file with the user's passcode; without it the environment variable FASTDICOM_PASSCODE counts",
    )


def tls_of(options: argparse.Namespace) -> Tls | None:
    """What the arguments ask for; None: a plain connection."""
    files = (options.tls_certificate, options.tls_key, options.tls_authorities, options.tls_revoked)
    if not (options.tls or options.tls_name or any(files)):
        return None
    certificate, key, authorities, revoked = files
    return fastdicom.Tls(
        certificate=certificate,
        key=key,
        authorities=authorities,
        revoked=revoked,
        profile=options.tls_profile,
        identities=tuple(options.tls_name),
    )


def add_keys(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """-k, repeated."""
    parser.add_argument(
        "-k",
        dest="keys",
        metavar="Keyword=value",
        action="append",
        default=[],
        required=required,
        type=checked(parse_key),
        help="a key: PatientID=123, 0010,0020=123, StudyDate=20200101-20201231; without =value: return it",
    )


def add_level(parser: argparse.ArgumentParser, default: str | None = "STUDY") -> None:
    """--level."""
    said = f" (default: {default})" if default else " (default: that of the keys)"
    parser.add_argument(
        "--level",
        metavar="L",
        type=checked(level_name),
        default=default,
        help="PATIENT, STUDY, SERIES or IMAGE" + said,
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """--model."""
    parser.add_argument(
        "--model",
        metavar="M",
        choices=["study", "patient"],
        default="study",
        help="information model: study or patient root (default: study)",
    )


def add_archive(parser: argparse.ArgumentParser) -> None:
    """--archive, required."""
    parser.add_argument(
        "--archive", metavar="DIR", type=Path, required=True, help="folder of the archive; its node may run"
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    """--config, for what indexes files."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="the node's configuration: its limits and extra attributes",
    )


def config_of(options: argparse.Namespace) -> Config:
    """The configuration that the options mean, about the archive that they name."""
    config = Config.load(options.config) if options.config is not None else Config()
    return config.with_changes(archive={"path": options.archive})


def add_transfer_syntax(parser: argparse.ArgumentParser, required: bool, does: str) -> None:
    """--transfer-syntax."""
    parser.add_argument(
        "--transfer-syntax",
        metavar="S",
        type=checked(transfer_syntax),
        required=required,
        help=f"{does}: a keyword such as JPEGLSLossless, or a UID",
    )


def parse_key(text: str) -> tuple[str, str]:
    """`Keyword=value` as (name, value); the value of a key that is only to be returned is empty."""
    name, _, value = text.partition("=")
    name = key_name(name)
    if vr_of(name) == "UI":
        for one in value.split("\\"):
            if one.strip("0123456789.*?"):  # some peers take wild cards in UIDs
                uid(one)
    return name, value


def keys_of(options: argparse.Namespace) -> dict[str, str]:
    """The keys that -k gave. Raises UsageError when one came twice."""
    keys: dict[str, str] = {}
    for name, value in options.keys:
        if name in keys:
            raise UsageError(
                f"-k {name} was given twice; several values are written with a backslash between"
            )
        keys[name] = value
    return keys


def peer_of(options: argparse.Namespace) -> PeerConnection:
    """The peer that the arguments name; a context manager. Its first operation opens the association."""
    if options.passcode_file is not None and not options.user:
        raise UsageError("--passcode-file needs --user")
    peer = fastdicom.PeerConnection(
        options.host,
        options.port,
        called=options.called,
        calling=options.calling,
        tls=tls_of(options),
        username=options.user,
        passcode=passcode_from(options.passcode_file) if options.user else None,
    )
    if options.timeout is not None:
        peer.timing = replace(peer.timing, connect_s=options.timeout, response_s=options.timeout)
    return peer
