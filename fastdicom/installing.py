"""Puts the service's files in place, and takes them away again.

Units go where local software keeps them (/usr/local/lib), so that what an administrator writes with
`systemctl edit` lies elsewhere and wins. The configuration is written once and never again; the archive, the
configuration and the user stay when the service goes.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from fastdicom.config import Config
from fastdicom.errors import UsageError

LIVE = Path("/")
_LIBRARY = "usr/local/lib"
SERVICE = f"{_LIBRARY}/systemd/system/fastdicom.service"
SOCKET = f"{_LIBRARY}/systemd/system/fastdicom.socket"
NEWER = f"{_LIBRARY}/systemd/system/fastdicom.service.d/10-newer-systemd.conf"
SYSUSERS = f"{_LIBRARY}/sysusers.d/fastdicom.conf"
TMPFILES = f"{_LIBRARY}/tmpfiles.d/fastdicom.conf"
CONFIG = "etc/fastdicom/fastdicom.toml"
STATE = "var/lib/fastdicom"
LOGS = "var/log/fastdicom"
_NEWER_FROM = 254
_TEMPLATE_PYTHON = "/opt/fastdicom/bin/python"
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # ProtectHome=, PrivateTmp=
_UNITS = ("fastdicom.socket", "fastdicom.service")
_COMMAND_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that was done or left. what: "written", "unchanged", "kept", "removed", "ran", "failed"."""

    what: str
    subject: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class InstallReport:
    """What was done, in its order, and what is left for a person to do."""

    prefix: str
    actions: list[Action] = field(default_factory=list)
    next_steps: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when nothing failed."""
        return all(action.what != "failed" for action in self.actions)


def install_service(
    prefix: Path = LIVE, *, python: str = "", systemd_version: int | None = None
) -> InstallReport:
    """Write units, sysusers.d, tmpfiles.d and, when there is none, the configuration below `prefix`.

    python: what ExecStart runs; this interpreter by default. systemd_version: of the target; asked of
    systemctl when `prefix` is "/". There, users and folders are made and systemd reads its units again.
    Raises UsageError when the service could not run so, ConfigError, OSError.
    """
    python = python or _own_python()
    report = InstallReport(str(prefix))
    if systemd_version is None and prefix == LIVE:
        systemd_version = _systemd_version()
    _write_once(report, prefix / CONFIG, template("fastdicom.toml"), 0o640)
    config = Config.load(prefix / CONFIG)
    listen = listen_lines(config)
    folders = folders_to_write(config)
    service = with_folders(template("fastdicom.service"), folders)
    _write(report, prefix / SERVICE, with_python(service, python))
    _write(
        report,
        prefix / SOCKET,
        re.sub(r"(?m)^ListenStream=.*$", lambda _: listen, template("fastdicom.socket")),
    )
    if systemd_version is not None and systemd_version >= _NEWER_FROM:
        _write(report, prefix / NEWER, with_python(template("newer-systemd.conf"), python))
    else:
        _remove(report, prefix / NEWER)
    _write(report, prefix / SYSUSERS, template("fastdicom.sysusers"))
    _write(report, prefix / TMPFILES, template("fastdicom.tmpfiles"))
    if prefix == LIVE and _systemd_runs():
        _run(report, ["systemd-sysusers", f"/{SYSUSERS}"])
        _run(report, ["systemd-tmpfiles", "--create", f"/{TMPFILES}"])
        _run(report, ["systemctl", "daemon-reload"])
    report.next_steps.append(f"look through {prefix / CONFIG}")
    missing = [folder for folder in folders if not (prefix / folder.relative_to(LIVE)).is_dir()]
    report.next_steps.extend(f"make {one} before the service starts: {to_make(one)}" for one in missing)
    report.next_steps.append(f"systemctl enable --now {' '.join(_UNITS)}")
    return report


def uninstall_service(prefix: Path = LIVE) -> InstallReport:
    """Stop the service and take its files away; configuration, archive, audit trail and user stay."""
    report = InstallReport(str(prefix))
    if prefix == LIVE and _systemd_runs() and (prefix / SERVICE).exists():
        _run(report, ["systemctl", "disable", "--now", *_UNITS])
    for name in (SERVICE, SOCKET, NEWER, SYSUSERS, TMPFILES):
        _remove(report, prefix / name)
    if prefix == LIVE and _systemd_runs():
        _run(report, ["systemctl", "daemon-reload"])
    for name in (CONFIG, STATE, LOGS):
        if (prefix / name).exists():
            report.actions.append(Action("kept", str(prefix / name)))
    report.next_steps.append("the user `fastdicom` owns what was kept; `userdel fastdicom` removes it")
    return report


def template(name: str) -> str:
    """One of the files of systemd/: from the installed package, else from the checkout around it."""
    installed = files("fastdicom") / "systemd" / name
    if installed.is_file():
        return installed.read_text("utf-8")
    return (Path(__file__).parents[1] / "systemd" / name).read_text("utf-8")


def with_python(unit: str, python: str) -> str:
    """A unit whose commands run `python`."""
    return unit.replace(_TEMPLATE_PYTHON, quoted(python))


def folders_to_write(config: Config) -> list[Path]:
    """Folders that the configuration has the node write to and that systemd does not make for the service.

    The audit trail's folder, not its file: a full file is renamed there.
    """
    folders = [config.archive.path]
    if config.audit.transport == "file" and config.audit.file is not None:
        folders.append(config.audit.file.parent)
    own = (LIVE / STATE, LIVE / LOGS)
    return [folder for folder in folders if not any(folder.is_relative_to(place) for place in own)]


def to_make(folder: Path) -> str:
    """The command that does, for the service's user."""
    return f"install -d -o fastdicom -g fastdicom -m 0750 {shlex.quote(str(folder))}"


def with_folders(unit: str, folders: Iterable[Path]) -> str:
    """A unit that may write to these, too."""
    lines = "".join(f"ReadWritePaths={quoted(str(folder))}\n" for folder in folders)
    return unit.replace("\nStateDirectory=", f"\n{lines}StateDirectory=", 1)


def quoted(path: str) -> str:
    """A path as a command of a unit: systemd.service(5), COMMAND LINES."""
    plain = path.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./$-]+", plain):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def listen_lines(config: Config) -> str:
    """What fastdicom.socket has to say so that it is what [node] and [tls] say. Raises UsageError."""
    node, tls = config.node, config.tls
    if node.port == 0:
        raise UsageError("node.port is 0: a service needs a port that stays the same")
    if tls is not None and tls.port == 0:
        raise UsageError("tls.port is 0: a service needs a port that stays the same")
    ports = [node.port] + ([tls.port] if tls is not None and tls.port else [])
    return "\n".join(
        f"ListenStream={_listen_address(address)}:{port}" for port in ports for address in node.bind
    )


def _listen_address(address: str) -> str:
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        raise UsageError(f"node.bind: {address} is no address; systemd needs one to listen on") from None
    return f"[{address}]" if version == 6 else address


def _own_python() -> str:
    """This interpreter. Raises UsageError when a service could not see it or would not find us with it."""
    seen = {sys.executable, os.path.realpath(sys.executable), sys.prefix, sys.base_prefix, __file__}
    for place in sorted(seen):
        if any(Path(place).is_relative_to(hidden) for hidden in _HIDDEN):
            raise UsageError(
                f"{place} is hidden from services: install fastdicom into an environment such as "
                "/opt/fastdicom, made with a Python of the system, and run its fastdicom install-service"
            )
    found = subprocess.run(
        [sys.executable, "-I", "-c", "import fastdicom"], capture_output=True, timeout=_COMMAND_TIMEOUT_S
    )
    if found.returncode != 0:
        raise UsageError(f"fastdicom is not installed in the environment of {sys.executable}")
    return sys.executable


def _systemd_version() -> int | None:
    try:
        said = subprocess.run(
            ["systemctl", "--version"], capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S
        )
    except FileNotFoundError:
        return None
    found = re.match(r"systemd (\d+)", said.stdout)
    return int(found[1]) if found else None


def _systemd_runs() -> bool:
    return Path("/run/systemd/system").is_dir()


def _write_once(report: InstallReport, path: Path, text: str, mode: int) -> None:
    if path.exists():
        same = path.is_file() and path.read_text("utf-8", "replace") == text
        report.actions.append(Action("unchanged" if same else "kept", str(path)))
        return
    _write(report, path, text, mode)


def _write(report: InstallReport, path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file in one step, unless it is there with that content."""
    if path.is_file() and path.read_text("utf-8", "replace") == text:
        report.actions.append(Action("unchanged", str(path)))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(text, "utf-8")
    fresh.chmod(mode)
    os.replace(fresh, path)
    report.actions.append(Action("written", str(path)))


def _remove(report: InstallReport, path: Path) -> None:
    if not path.exists():
        return
    path.unlink()
    report.actions.append(Action("removed", str(path)))
    if path.parent.name.endswith(".service.d") and not os.listdir(path.parent):
        path.parent.rmdir()


def _run(report: InstallReport, command: Sequence[str]) -> None:
    shown = " ".join(command)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        report.actions.append(Action("failed", shown, str(error)))
        return
    what = "ran" if done.returncode == 0 else "failed"
    report.actions.append(
        Action(what, shown, _last_line([done.stderr, done.stdout]) if done.returncode else "")
    )


def _last_line(outputs: Iterable[str]) -> str:
    lines = [line for output in outputs for line in output.strip().splitlines()[-1:]]
    return lines[0] if lines else ""
