"""What the command line says about TLS files, users and the options that belong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastdicom.cli.main import main
from tests.support.certificates import Authority


def configuration(folder: Path, text: str) -> str:
    path = folder / "node.toml"
    path.write_text(text)
    return str(path)


def test_check_config_tries_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = Authority(tmp_path / "ca")
    one, two = authority.issue("one"), authority.issue("two")
    for name, source in (
        ("node.crt", one.certificate),
        ("node.key", two.key),
        ("ca.crt", authority.certificate),
    ):
        (tmp_path / name).write_bytes(source.read_bytes())
    (tmp_path / "users").write_text("broken\n")
    access = '[access]\nuser_identity = "required"\npasscodes = "users"\n'
    tls = '[tls]\ncertificate = "node.crt"\nkey = "node.key"\nauthorities = "ca.crt"\n'
    path = configuration(tmp_path, access + tls)
    assert main(["check-config", path]) == 2
    said = capsys.readouterr().out
    key = f"{path}:5: tls.certificate: {tmp_path / 'node.crt'}: the key does not belong to the certificate"
    assert key in said and f"{path}:3: access.passcodes: {tmp_path / 'users'}:1: is no line of" in said
    (tmp_path / "node.key").write_bytes(one.key.read_bytes())
    (tmp_path / "users").write_text("named:\n")
    assert main(["check-config", path]) == 0


def test_check_config_tries_what_goes_to_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("bad.pem", "bad.key"):
        (tmp_path / name).write_text("no certificate\n")
    (tmp_path / "secret").write_bytes(b"\xff")
    peer = '[[peers]]\nae_title = "PACS"\nusername = "us"\npasscode_file = "secret"\n'
    audit = '[audit]\ntransport = "tls"\nhost = "audit"\ncertificate = "bad.pem"\nkey = "bad.key"\n'
    path = configuration(tmp_path, peer + audit)
    assert main(["check-config", path]) == 2
    said = capsys.readouterr().out
    assert f"{path}:4: peers[1].passcode_file: cannot read the passcode: {tmp_path / 'secret'}: " in said
    assert f"{path}:8: audit.certificate: {tmp_path / 'bad.pem'}: " in said


def test_tls_needs_authorities_for_the_certificates_of_clients(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("node.crt", "node.key"):
        (tmp_path / name).write_text("")
    path = configuration(tmp_path, '[tls]\ncertificate = "node.crt"\nkey = "node.key"\n')
    assert main(["check-config", path]) == 2
    assert "tls.authorities: is missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--passcode-file", "secret"], 2, "--passcode-file needs --user"),
        (["--tls-authorities", "missing.crt"], 2, "tls.authorities: missing.crt"),
        (["--user", "one", "--passcode-file", "missing"], 2, "cannot read the passcode: missing"),
    ],
)
def test_options_that_cannot_be_used(
    options: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["echo", "127.0.0.1", "1", *options]) == status
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("name", ["sha256:zz", "sha256:", "SHA256:" + "0" * 63, " "])
def test_a_malformed_fingerprint_is_a_mistake_in_the_arguments(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["echo", "127.0.0.1", "1", "--tls-name", name])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "argument --tls-name: " in said and ("is no fingerprint" in said or "must not be empty" in said)
