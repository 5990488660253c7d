"""What a run ran on: processor and versions."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path


def cpu_model() -> str:
    """As /proc/cpuinfo names it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def module_version(name: str) -> str:
    """Of an installed distribution."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def versions(*distributions: str) -> str:
    """Python's and theirs."""
    found = [f"python {platform.python_version()}"]
    return ", ".join(found + [f"{name} {module_version(name)}" for name in distributions])
