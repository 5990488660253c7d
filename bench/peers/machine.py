"""What ran the bench: the machine and the versions, so that figures can be compared."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.support.node import CHECKOUT


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "absent"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else "silent"


def _module(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"model name\s*:\s*(.+)", text)
    return found.group(1) if found else platform.processor()


def file_system(folder: Path) -> str:
    """The type of the file system that holds the folder."""
    return _first_line("stat", "-f", "-c", "%T", str(folder))


def describe(folder: Path) -> dict[str, Any]:
    """Machine and versions as values for JSON."""
    orthanc = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "file_system": file_system(folder),
        "load_average": list(os.getloadavg()),
        "python": platform.python_version(),
        "compiler": _first_line("cc", "--version"),
        "versions": {
            "fastdicom": _first_line("git", "-C", str(CHECKOUT), "describe", "--always", "--dirty"),
            "dcmtk": _first_line("storescp", "--version"),
            "orthanc": _first_line(orthanc, "--version"),
            "pynetdicom": _module("pynetdicom"),
        },
    }
