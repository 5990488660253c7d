"""What install-service writes below another root, and what it never touches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fastdicom import ConfigError, UsageError, installing
from fastdicom.cli.main import main
from fastdicom.config import Config
from fastdicom.installing import (
    CONFIG,
    NEWER,
    SERVICE,
    SOCKET,
    STATE,
    SYSUSERS,
    TMPFILES,
    install_service,
    listen_lines,
    quoted,
    uninstall_service,
)

PYTHON = "/opt/other place/bin/python"


def done(report: installing.InstallReport, prefix: Path) -> dict[str, str]:
    return {action.subject.removeprefix(f"{prefix}/"): action.what for action in report.actions}


def test_everything_is_written_once(tmp_path: Path) -> None:
    first = install_service(tmp_path, python=PYTHON)
    files = {CONFIG, SERVICE, SOCKET, SYSUSERS, TMPFILES}
    assert done(first, tmp_path) == dict.fromkeys(files, "written") and first.ok
    assert done(install_service(tmp_path, python=PYTHON), tmp_path) == dict.fromkeys(files, "unchanged")
    assert (tmp_path / CONFIG).stat().st_mode & 0o777 == 0o640


def test_the_commands_run_the_environments_own_python(tmp_path: Path) -> None:
    install_service(tmp_path, python=PYTHON, systemd_version=254)
    for name in (SERVICE, NEWER):
        text = (tmp_path / name).read_text()
        assert "/opt/fastdicom" not in text.replace("# ", "")
        assert f'="{PYTHON}" -I -m fastdicom check-config /etc/fastdicom/fastdicom.toml' in text
    assert f'ExecStart="{PYTHON}" -I -m fastdicom serve' in (tmp_path / SERVICE).read_text()


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/opt/x/bin/python", "/opt/x/bin/python"),
        ("/opt/100%/python", "/opt/100%%/python"),
        ("/opt/$x/python", "/opt/$$x/python"),
        ('/opt/a "b"\\c/python', '"/opt/a \\"b\\"\\\\c/python"'),
    ],
)
def test_paths_are_quoted_as_systemd_reads_them(path: str, command: str) -> None:
    assert quoted(path) == command


def test_an_edited_configuration_stays_and_decides_about_the_socket(tmp_path: Path) -> None:
    (tmp_path / CONFIG).parent.mkdir(parents=True)
    edited = '[node]\nbind = ["10.0.0.1", "::1"]\nport = 11112\n[archive]\npath = "/data/images"\n'
    (tmp_path / CONFIG).write_text(edited)
    report = install_service(tmp_path, python=PYTHON)
    assert done(report, tmp_path)[CONFIG] == "kept" and (tmp_path / CONFIG).read_text() == edited
    socket = (tmp_path / SOCKET).read_text()
    assert "\nListenStream=10.0.0.1:11112\nListenStream=[::1]:11112\n" in socket
    assert ":104\n" not in socket
    assert "\nReadWritePaths=/data/images\n" in (tmp_path / SERVICE).read_text()


@pytest.mark.parametrize(
    ("file", "granted"),
    [
        ("/var/log/fastdicom/audit.log", []),
        ("/var/lib/fastdicom/audit.log", []),
        ("/srv/audit trail/audit.log", ["/srv/audit trail"]),
    ],
)
def test_the_sandbox_lets_the_audit_trail_be_written(tmp_path: Path, file: str, granted: list[str]) -> None:
    (tmp_path / CONFIG).parent.mkdir(parents=True)
    section = f'[audit]\ntransport = "file"\nfile = "{file}"\n'
    (tmp_path / CONFIG).write_text(f'[archive]\npath = "/var/lib/fastdicom"\n{section}')
    report = install_service(tmp_path, python=PYTHON)
    lines = (tmp_path / SERVICE).read_text().splitlines()
    assert [line for line in lines if line.startswith("ReadWritePaths=")] == [
        f'ReadWritePaths="{folder}"' for folder in granted
    ]
    assert [step for step in report.next_steps if step.startswith("make ")] == [
        f"make {folder} before the service starts: install -d -o fastdicom -g fastdicom -m 0750 '{folder}'"
        for folder in granted
    ]


def test_a_broken_configuration_is_named_and_nothing_else_is_written(tmp_path: Path) -> None:
    (tmp_path / CONFIG).parent.mkdir(parents=True)
    (tmp_path / CONFIG).write_text("[node]\nprot = 1\n")
    with pytest.raises(ConfigError, match="prot"):
        install_service(tmp_path, python=PYTHON)
    assert not (tmp_path / SERVICE).exists()


@pytest.mark.parametrize("node", [{"port": 0}, {"bind": "gateway.example"}])
def test_a_place_that_systemd_cannot_listen_on_is_refused(node: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"node\.(port|bind)"):
        listen_lines(Config(node=node))


def test_the_socket_listens_for_tls_too(tmp_path: Path) -> None:
    for name in ("node.crt", "node.key", "ca.crt"):
        (tmp_path / name).write_text("")
    tls = {
        "certificate": tmp_path / "node.crt",
        "key": tmp_path / "node.key",
        "authorities": tmp_path / "ca.crt",
    }
    node = {"bind": ["0.0.0.0", "::1"], "port": 104}
    assert listen_lines(Config(node=node, tls=tls)).count("ListenStream=") == 2
    assert listen_lines(Config(node=node, tls={**tls, "port": 2762})).splitlines() == [
        "ListenStream=0.0.0.0:104",
        "ListenStream=[::1]:104",
        "ListenStream=0.0.0.0:2762",
        "ListenStream=[::1]:2762",
    ]


def test_an_interpreter_that_services_cannot_see_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing.sys, "executable", "/home/me/venv/bin/python")
    with pytest.raises(UsageError, match="is hidden from services"):
        installing._own_python()


def test_newer_systemd_gets_its_own_settings_and_loses_them_again(tmp_path: Path) -> None:
    assert done(install_service(tmp_path, python=PYTHON, systemd_version=254), tmp_path)[NEWER] == "written"
    assert done(install_service(tmp_path, python=PYTHON, systemd_version=252), tmp_path)[NEWER] == "removed"
    assert not (tmp_path / NEWER).parent.exists()


def test_uninstalling_leaves_archive_and_configuration(tmp_path: Path) -> None:
    install_service(tmp_path, python=PYTHON, systemd_version=254)
    (tmp_path / STATE / "objects").mkdir(parents=True)
    report = uninstall_service(tmp_path)
    said = done(report, tmp_path)
    assert {name for name, what in said.items() if what == "kept"} == {CONFIG, STATE}
    assert not any((tmp_path / name).exists() for name in (SERVICE, SOCKET, NEWER, SYSUSERS, TMPFILES))
    assert (tmp_path / CONFIG).exists() and (tmp_path / STATE / "objects").exists()


def test_the_command_tells_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["install-service", "--prefix", str(tmp_path), "--python", "/opt/x/bin/python"]
    assert main(arguments) == 0
    said = capsys.readouterr().out.splitlines()
    assert f"written   {tmp_path / SERVICE}" in said
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {action["what"] for action in report["actions"]} == {"unchanged"}
    assert main(["uninstall-service", "--prefix", str(tmp_path)]) == 0
    assert f"kept      {tmp_path / CONFIG}" in capsys.readouterr().out


def test_a_place_that_may_not_be_written_ends_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "etc").write_text("no folder")
    assert main(["install-service", "--prefix", str(tmp_path), "--python", "/opt/x/bin/python"]) == 2
    assert "etc" in capsys.readouterr().err
