"""What runs inside a codec worker: wait for a job, do it within its memory, answer, wait again.

The parent (workers.py) starts this with one end of a socket pair and waits for READY. A job is one line of
JSON with the descriptor of the shared memory that holds its input; the result goes over the input into the
same memory, and one line of JSON back. The process ends when the parent's end of the socket closes.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import resource
import socket
from collections.abc import Callable
from typing import Final

from fastdicom.transcoding.workers import READY, Job

Run = Callable[[Job, memoryview], memoryview]

LINE_LENGTH_MAX: Final = 65536
MESSAGE_LENGTH_MAX: Final = 400
NICENESS: Final = 5
"""Below the threads that talk to peers, when both want the processor."""


def serve(descriptor: int) -> None:
    """Answer jobs from the socket `descriptor` until it closes."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from fastdicom.transcoding.libraries import run  # and numpy with it

    with socket.socket(fileno=descriptor) as parent:
        parent.sendall(READY)
        while True:
            line, descriptors, _, _ = socket.recv_fds(parent, LINE_LENGTH_MAX, 1)
            if not line:
                return
            request = json.loads(line)
            job = Job(*request["job"])
            with _memory(descriptors[0]) as memory:
                answer = _answer(run, job, memory, request["length"], request["memory"])
            parent.sendall(json.dumps(answer).encode() + b"\n")


def _memory(descriptor: int) -> mmap.mmap:
    memory = mmap.mmap(descriptor, 0)
    os.close(descriptor)
    return memory


def _answer(run: Run, job: Job, memory: mmap.mmap, length: int, budget: int) -> dict[str, object]:
    """Run one job; whatever goes wrong is told in one line."""
    limit_memory(budget)
    try:
        with memoryview(memory)[:length] as data:
            result = run(job, data)
        if len(result) > len(memory):
            return {"error": f"a result of {len(result)} bytes, {len(memory)} were allowed", "broken": False}
        memory[: len(result)] = result
        return {"length": len(result)}
    except MemoryError:
        return {"error": "out of the memory that a frame of this size may take", "broken": True}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as fault:  # a panic of Rust code is no Exception
        return {"error": f"{type(fault).__name__}: {fault}"[:MESSAGE_LENGTH_MAX], "broken": False}


def limit_memory(budget: int) -> None:
    """Let the address space grow by `budget` bytes from here, where the system can limit it."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * mmap.PAGESIZE
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + budget, hard))
