"""The node as a service: started by systemd or in a terminal, governed by signals, watched over.

SIGTERM and SIGINT stop it, SIGHUP has it read its configuration again. The service manager is told what
goes on, and hears "alive" only while the node really gets on with its work: see `vitals`.
"""

from __future__ import annotations

import faulthandler
import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any

import fastdicom
from fastdicom import heap, logs
from fastdicom.activation import InheritedSockets
from fastdicom.config import Config, ConfigError
from fastdicom.errors import UsageError
from fastdicom.listening import Addresses
from fastdicom.notify import Notifier
from fastdicom.settings import Mistake

log = logging.getLogger(__name__)

STATUS_S = 5.0  # the status line is renewed so often, and the watchdog fed at least so often
_BEATS = 4  # in each of the watchdog's intervals
_PATIENCE_S = 30.0  # asked of the manager again and again while recovery or the stop gets on
_SECONDS_PER_ASK = 2.0
_STOP_LOOK_S = 0.2
_GIB = 1 << 30


class Service:
    """One node under a service manager.

    read: the configuration, as it is now. Raises ConfigError. show: a mistake of it, in one line.
    verbose: see `logs.configure`.
    """

    def __init__(
        self,
        read: Callable[[], Config],
        show: Callable[[str, Mistake], str],
        *,
        reloadable: bool = True,
        verbose: int = 0,
    ) -> None:
        self._read = read
        self._show = show
        self._reloadable = reloadable
        self._verbose = verbose
        self._signals: SimpleQueue[int] = SimpleQueue()
        self._ending = False
        self._said = ""  # about the last reload, for the status line
        self._stored, self._stored_at = 0, time.monotonic()  # at the last look

    def run(self, listening: Callable[[Config, Addresses, Addresses], object]) -> None:
        """Serve until SIGTERM or SIGINT. listening: told once when it is ready: where, and where by TLS.

        Raises ConfigError or UsageError when it cannot be.
        """
        self._config = self._read()
        logs.configure(self._config.log, self._verbose)
        heap.keep_large_blocks_out()
        faulthandler.enable()  # the watchdog's SIGABRT tells where every thread was
        notifier = Notifier.from_environment()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._caught)
        engine = fastdicom.Engine(self._config)
        try:
            self._start(engine, notifier)
        except _Interrupted:
            return
        try:
            listening(self._config, engine.addresses, engine.tls_addresses)
            notifier.ready(self._status(engine))
            self._attend(engine, notifier)
        finally:
            self._stop(engine, notifier)
            notifier.close()
            for number in (signal.SIGTERM, signal.SIGINT):  # all is closed: one more changes nothing
                signal.signal(number, signal.SIG_IGN)

    def _caught(self, number: int, _: object) -> None:
        self._ending = self._ending or number != signal.SIGHUP
        self._signals.put(number)

    def _start(self, engine: fastdicom.Engine, notifier: Notifier) -> None:
        """Raises _Interrupted when the end is asked for before the archive is recovered."""
        patience = _Patience(notifier, "recovering the archive")

        def progress() -> None:
            if self._ending:
                raise _Interrupted
            patience.progress()

        engine.start(InheritedSockets.from_environment(), progress)

    def _attend(self, engine: fastdicom.Engine, notifier: Notifier) -> None:
        """Feed the watchdog and do what signals ask, until one asks for the end."""
        pause_s = min(STATUS_S, notifier.watchdog_s / _BEATS) if notifier.watchdog_s else STATUS_S
        while True:
            try:
                number = self._signals.get(timeout=pause_s)
            except Empty:
                self._beat(engine, notifier)
                continue
            if number != signal.SIGHUP:
                return
            notifier.reloading()
            self._reload(engine)
            notifier.ready(self._status(engine))
            self._beat(engine, notifier)  # however often we are asked to reload

    def _beat(self, engine: fastdicom.Engine, notifier: Notifier) -> None:
        stuck = engine.stuck()
        if stuck:
            notifier.status(f"stuck: {'; '.join(stuck)}")
        else:
            notifier.alive(self._status(engine))

    def _status(self, engine: fastdicom.Engine) -> str:
        try:
            figures = engine.status()
            now, stored = time.monotonic(), figures["totals"]["stored"]
            rate = (stored - self._stored) / max(now - self._stored_at, 0.001)
            self._stored, self._stored_at = stored, now
            return status_line(figures, rate) + self._said
        except Exception as error:  # a disk or an index that cannot be asked must not end the service
            return f"the figures cannot be read: {error}{self._said}"

    # ------------------------------------------------------------------------------ reload

    def _reload(self, engine: fastdicom.Engine) -> None:
        """Have the engine take over a new configuration. All or nothing."""
        if not self._reloadable:
            log.warning("SIGHUP: there is no configuration file to read")
            return
        try:
            new = self._read()
            restart = engine.reload(new)
        except ConfigError as error:
            mistakes = [self._show(error.source, mistake) for mistake in error.mistakes]
            for mistake in mistakes:
                log.error("reload refused, %s", mistake)
            self._said = f"; reload refused, the old configuration stays: {mistakes[0]}"
            return
        except UsageError as error:
            log.error("reload refused, %s", error)
            self._said = f"; reload refused, the old configuration stays: {error}"
            return
        except Exception:
            log.exception("reload failed, the configuration stays as it was")
            self._said = "; reload failed, the old configuration stays"
            return
        logs.configure(new.log, self._verbose)
        self._config = new
        self._said = ""
        log.info("configuration reloaded")
        if restart:
            log.warning("a restart is needed for: %s", ", ".join(restart))
            self._said = f"; a restart is needed for {', '.join(restart)}"

    # ------------------------------------------------------------------------------ the end

    def _stop(self, engine: fastdicom.Engine, notifier: Notifier) -> None:
        """Stop the engine; meanwhile the manager hears how far that is. A second signal cuts it short."""
        timeouts = self._config.timeouts
        notifier.stopping("stopping: associations may finish")
        notifier.extend(timeouts.drain_s + timeouts.stop_s + _PATIENCE_S, "stopping: associations may finish")
        failures: list[BaseException] = []
        thread = threading.Thread(
            target=_guarded, args=(lambda: engine.stop(timeouts.stop_s, drain_s=timeouts.drain_s), failures)
        )
        thread.start()
        again = False
        while thread.is_alive():
            thread.join(_STOP_LOOK_S)
            notifier.alive(f"stopping: {engine.connections} connections left")
            while not self._signals.empty():
                again = self._signals.get() != signal.SIGHUP or again
            if again and engine.hurry():
                again = False
        if failures:
            raise failures[0]


class _Interrupted(Exception):
    """The end was asked for before there was a node."""


class _Patience:
    """Asks the manager for more time while something long gets on; no progress, no more time."""

    def __init__(self, notifier: Notifier, what: str) -> None:
        self._notifier = notifier
        self._what = what
        self._count = 0
        self._asked_at = 0.0

    def progress(self) -> None:
        """One more step is done."""
        self._count += 1
        now = time.monotonic()
        if now - self._asked_at >= _SECONDS_PER_ASK:
            self._asked_at = now
            self._notifier.extend(_PATIENCE_S, f"{self._what}: {self._count} files looked at")


def _guarded(act: Callable[[], object], failures: list[BaseException]) -> None:
    try:
        act()
    except BaseException as error:  # it is raised where the service ends
        failures.append(error)


def status_line(figures: Mapping[str, Any], stored_a_second: float) -> str:
    """The figures that an operator wants first, for `systemctl status`."""
    associations, counts = figures["associations"], figures["counts"]
    reasons = figures["health"]["reasons"]
    return (
        f"{'; '.join(['not healthy', *reasons, '']) if reasons else ''}"
        f"{associations['open']} associations, {stored_a_second:.1f} changes/s, "
        f"{figures['queues']['commit']} waiting to be committed; {counts['instances']} instances, "
        f"{counts['bytes'] / _GIB:.1f} GiB; {figures['free_bytes'] / _GIB:.1f} GiB free"
    )
