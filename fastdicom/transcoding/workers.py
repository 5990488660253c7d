"""Third-party codecs in worker processes that can be killed: one job, one frame, a budget of time and memory.

A worker that dies or exceeds its time or memory is ended and replaced when the next job comes, so a poisoned
frame fails alone. Workers are started with the first job, as fresh interpreters: nothing is forked from the
host and its `__main__` is not run again. Frames travel through shared memory that cannot shrink under our
feet.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from fastdicom.errors import CodecError, Unavailable, UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Buffer

START_S: Final = 30.0
"""How long a new worker may take to start and import its libraries; a job's own time begins afterwards."""

READY: Final = b"ready\n"
"""What a worker says when it has started. It sees no frame before."""

ANSWER_LENGTH_MAX: Final = 4096
COPY_LENGTH: Final = 4 << 20
"""Frames are copied in pieces, so that other threads get the GIL in between."""

_BOOTSTRAP: Final = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[2]);"
    "from fastdicom.transcoding.worker_process import serve; serve(int(sys.argv[1]))"
)


class Job(NamedTuple):
    """What a worker is asked to do; it travels as JSON.

    operation: a key of DECODERS or ENCODERS. precision: bits of a sample in the codestream. stream_signed:
    whether the codestream itself says that its samples are signed (JPEG 2000 only). colour: of three
    components, "ybr": YCbCr in the codestream, RGB in the pixels; "rgb": RGB in both; "keep": the components
    as they are. loss: quality 1-100 (JPEG), error (JPEG-LS), PSNR in dB (JPEG 2000), step (HTJ2K); 0 is
    lossless.
    """

    operation: str
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    signed: bool
    precision: int
    stream_signed: bool = False
    colour: str = "keep"
    loss: float = 0.0


class LibraryRefused(CodecError):
    """A codec library said no, in good order: another one may be asked."""


class Budget(NamedTuple):
    """What a job may take before its worker is ended."""

    seconds: float
    memory: int


def budget_for(native_length: int) -> Budget:
    """The default by the size of the native frame: 5 s and 1 s for every 4 MB; 256 MB and 24 times the frame.

    The slowest decoder here makes some 30 MB a second on one core, and OpenJPEG holds 12-16 times an 8-bit
    frame.
    """
    return Budget(5.0 + native_length / 4e6, (256 << 20) + 24 * native_length)


class Workers:
    """A pool of codec workers, shared by all threads; nothing is started before the first job.

    >>> from fastdicom.transcoding.workers import Workers
    >>> with Workers(count=2) as workers:
    ...     pass  # workers.run(job, data, result_length_max)
    """

    def __init__(self, count: int | None = None, budget_max: Budget | None = None) -> None:
        """count: processes at once; by default one for each processor. budget_max: no job may take more."""
        self.budget_max = budget_max
        self._count = count if count is not None else max(1, os.cpu_count() or 1)
        if self._count < 1:
            raise UsageError("a pool needs at least one codec worker")
        self._free = threading.BoundedSemaphore(self._count)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._closed = False
        self._pid = os.getpid()

    def run(self, job: Job, data: Buffer, result_length_max: int, budget: Budget) -> bytearray:
        """Have one job done by a worker; waits for a free one first. Returns the result's bytes.

        Raises CodecError if the library refuses, dies or exceeds `budget`, and Unavailable if no worker can
        be started.
        """
        most = self.budget_max
        if most is not None:
            budget = Budget(min(budget.seconds, most.seconds), min(budget.memory, most.memory))
        with self._free:
            worker = self._take()
            try:
                result = worker.run(job, data, result_length_max, budget)
            except LibraryRefused:
                self._give_back(worker)
                raise
            except BaseException:
                worker.kill()
                raise
            self._give_back(worker)
            return result

    def close(self) -> None:
        """End all workers; jobs that are under way fail."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.kill()

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise UsageError("the codec workers are closed")
            if self._pid != os.getpid():  # forked: the workers are the parent's
                self._forget()
            while self._idle:
                worker = self._idle.pop()
                if worker.alive():
                    return worker
                worker.kill()
        return _Worker()

    def _forget(self) -> None:
        for worker in self._idle:
            worker.abandon()
        self._idle = []
        self._pid = os.getpid()

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(worker)
                return
        worker.kill()


class _Worker:
    """One process and the socket to it."""

    def __init__(self) -> None:
        if not sys.executable:
            raise Unavailable("no Python interpreter to start codec workers with")
        self._socket, theirs = socket.socketpair()
        self._ready = False
        paths = json.dumps([str(path) for path in sys.path])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOTSTRAP, str(theirs.fileno()), paths],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
        except OSError as fault:
            self._socket.close()
            raise Unavailable(f"a codec worker cannot be started: {fault}") from fault
        finally:
            theirs.close()

    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process and wait for it."""
        self._socket.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def abandon(self) -> None:
        """Let go of a process that belongs to the process that forked us."""
        self._socket.close()
        self._process.returncode = 0  # keeps Popen from waiting for what is not our child

    def run(self, job: Job, data: Buffer, result_length_max: int, budget: Budget) -> bytearray:
        source = memoryview(data).cast("B")
        size = max(len(source), result_length_max, 1)
        if not self._ready:
            self._await_start()
        try:
            descriptor = _shared_memory(size)
        except OSError as fault:
            raise Unavailable(f"no shared memory for a frame of {size} bytes: {fault}") from fault
        try:
            with mmap.mmap(descriptor, size) as memory:
                _copy(memory, source)
                request = {"job": list(job), "length": len(source), "memory": budget.memory + size}
                answer = self._ask(json.dumps(request).encode(), descriptor, budget.seconds, job.operation)
                return _result(memory, answer, result_length_max, job.operation)
        finally:
            os.close(descriptor)

    def _await_start(self) -> None:
        """Wait for READY. Raises Unavailable: no frame is to blame for what happens before it."""
        try:
            line = self._line(time.monotonic() + START_S)
        except TimeoutError:
            raise Unavailable(f"a codec worker did not start within {START_S:.0f} s") from None
        except OSError as fault:
            raise Unavailable(f"a codec worker {self._death()} while it started") from fault
        if line != READY:
            raise Unavailable(f"a codec worker {self._death()} while it started")
        self._ready = True

    def _line(self, deadline: float) -> bytes:
        """The worker's next line; what is not ended by a line feed when the worker is gone or says too much.

        Raises TimeoutError at the deadline, OSError for a broken socket.
        """
        line = b""
        while not line.endswith(b"\n") and len(line) <= ANSWER_LENGTH_MAX:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            piece = self._socket.recv(ANSWER_LENGTH_MAX)
            if not piece:
                break
            line += piece
        return line

    def _ask(self, request: bytes, descriptor: int, seconds: float, operation: str) -> dict[str, object]:
        """Send one request and wait for the line that answers it."""
        deadline = time.monotonic() + seconds
        try:
            self._socket.settimeout(seconds)
            socket.send_fds(self._socket, [request], [descriptor])
            line = self._line(deadline)
            if not line.endswith(b"\n") or len(line) > ANSWER_LENGTH_MAX:
                raise CodecError(f"{operation}: the codec's process {self._death()}")
            answer = json.loads(line)
        except TimeoutError:
            raise CodecError(f"{operation}: not done after {seconds:.0f} s") from None
        except OSError as fault:
            raise CodecError(f"{operation}: the codec's process {self._death()}") from fault
        except ValueError as fault:
            raise CodecError(f"{operation}: an answer that is no JSON") from fault
        return answer if isinstance(answer, dict) else {}

    def _death(self) -> str:
        """How the process ended."""
        try:
            code = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return "stopped answering"
        return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def _result(memory: mmap.mmap, answer: dict[str, object], length_max: int, operation: str) -> bytearray:
    """The result that an answer announces; the worker is not trusted with its length."""
    length = answer.get("length")
    if not isinstance(length, int):
        refused = CodecError if answer.get("broken", True) else LibraryRefused
        raise refused(f"{operation}: {answer.get('error', 'no answer')}")
    if not 0 < length <= length_max:
        raise CodecError(f"{operation}: a result of {length} bytes, {length_max} were allowed")
    result = bytearray(length)
    with memoryview(memory) as source:
        _copy(result, source[:length])
    return result


def _copy(target: mmap.mmap | bytearray, source: memoryview) -> None:
    for at in range(0, len(source), COPY_LENGTH):
        end = min(at + COPY_LENGTH, len(source))
        target[at:end] = source[at:end]


def _shared_memory(size: int) -> int:
    """A descriptor of `size` bytes of memory without a name, sealed against shrinking where the system
    can."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("fastdicom-frame", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, size)
        _seal(descriptor)
        return descriptor
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        return os.dup(file.fileno())


def _seal(descriptor: int) -> None:
    """Without this a broken worker could truncate the memory and end us with SIGBUS."""
    import fcntl

    if hasattr(fcntl, "F_ADD_SEALS"):
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
