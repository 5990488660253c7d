"""A certificate authority for one test run, by the `openssl` program: good certificates and bad ones."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.processes import program

CONFIG = """\
[ca]
default_ca = own
[own]
dir = {folder}
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
crlnumber = {folder}/crlnumber
certificate = {folder}/ca.crt
private_key = {folder}/ca.key
default_md = sha256
default_crl_days = 30
policy = anything
unique_subject = no
copy_extensions = copy
[anything]
commonName = supplied
[req]
distinguished_name = empty
[empty]
"""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates in `folder`, which is made. EC keys unless `rsa`: they are made faster."""

    def __init__(self, folder: Path, name: str = "Test CA") -> None:
        self._openssl_program = str(program("openssl"))
        folder.mkdir(parents=True)
        self.folder = folder
        self.certificate = folder / "ca.crt"
        self.key = folder / "ca.key"
        (folder / "index.txt").write_text("")
        (folder / "serial").write_text("1000\n")
        (folder / "crlnumber").write_text("01\n")
        self._config = folder / "ca.cnf"
        self._config.write_text(CONFIG.format(folder=folder))
        self._openssl(
            "req", "-x509", *_new_key(False), "-keyout", self.key, "-out", self.certificate,
            "-days", "3650", "-subj", f"/CN={name}",
        )  # fmt: skip

    def issue(self, name: str, *, days: float = 365, rsa: bool = False, names: str = "DNS:localhost") -> Pair:
        """A certificate with this common name that ends in `days`, which may be negative."""
        pair = Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        request = self.folder / f"{name}.csr"
        self._openssl(
            "req", *_new_key(rsa), "-keyout", pair.key, "-out", request,
            "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
        )  # fmt: skip
        now = datetime.now(UTC)
        dates = (
            "-startdate",
            _stamp(now - timedelta(days=400)),
            "-enddate",
            _stamp(now + timedelta(days=days)),
        )
        self._openssl(
            "ca",
            "-config",
            self._config,
            "-batch",
            "-notext",
            *dates,
            "-in",
            request,
            "-out",
            pair.certificate,
        )
        return pair

    def revoke(self, pair: Pair) -> None:
        """From now on `revocation_list` names it."""
        self._openssl("ca", "-config", self._config, "-revoke", pair.certificate)

    def revocation_list(self, name: str = "crl.pem", *, days: float = 30) -> Path:
        """A CRL of what was revoked so far."""
        path = self.folder / name
        now = datetime.now(UTC)
        until = _stamp(now + timedelta(days=days))
        self._openssl(
            "ca", "-config", self._config, "-gencrl", "-crl_lastupdate", _stamp(now - timedelta(days=400)),
            "-crl_nextupdate", until, "-out", path,
        )  # fmt: skip
        return path

    def _openssl(self, *arguments: str | Path) -> None:
        subprocess.run(
            [self._openssl_program, *map(str, arguments)], check=True, capture_output=True, timeout=60
        )


def _new_key(rsa: bool) -> tuple[str, ...]:
    kind = ("rsa:2048",) if rsa else ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    return ("-nodes", "-newkey", *kind)


def _stamp(when: datetime) -> str:
    return when.strftime("%Y%m%d%H%M%SZ")
