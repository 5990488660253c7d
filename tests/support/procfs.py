"""What /proc says of a process that we started: memory, CPU time, threads, descriptors. Linux only."""

from __future__ import annotations

import os
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def status_field(pid: int, name: str) -> int:
    """A number of /proc/PID/status, such as VmHWM or VmRSS (kB) or Threads."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise KeyError(name)


def resident_mb(pid: int) -> float:
    """Resident memory now, in MiB."""
    return status_field(pid, "VmRSS") / 1024


def reset_peak(pid: int) -> None:
    """Make `peak_mb` count from now. proc(5), clear_refs."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mb(pid: int) -> float:
    """Highest resident memory since the start or `reset_peak`, in MiB."""
    return status_field(pid, "VmHWM") / 1024


def thread_count(pid: int) -> int:
    """Threads of the process."""
    return status_field(pid, "Threads")


def descriptor_count(pid: int) -> int:
    """Open file descriptors of the process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (state, ppid, ...)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def children(pid: int) -> list[int]:
    """Processes alive whose parent is `pid`."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and int(_stat(int(entry))[1]) == pid:
                found.append(int(entry))
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended while we looked
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the process, of the children it has waited for, and of those alive."""
    try:
        user, system, waited_user, waited_system = (int(ticks) for ticks in _stat(pid)[11:15])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    own = (user + system + waited_user + waited_system) / TICKS_PER_SECOND
    return own + sum(cpu_seconds(child) for child in children(pid))


def zombie(pid: int) -> bool:
    """Whether the process is dead and only waits to be waited for."""
    return _stat(pid)[0] == "Z"


def tree(pid: int) -> list[int]:
    """The process and everything below it."""
    return [pid, *(below for child in children(pid) for below in tree(child))]


def proportional_mb(pid: int) -> float:
    """Memory of the process and its children in MiB; pages that they share are counted once (PSS)."""
    total = 0
    for each in tree(pid):
        try:
            text = Path(f"/proc/{each}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # a child that ended after it was listed
        total += next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
    return total / 1024
