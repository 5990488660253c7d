"""Ending a node's associations in order: let who is at work finish, cut only who is not.

A peer whose association is aborted between two messages has to send the rest again; one that may finish has
not noticed anything. So the stop begins with a while in which associations go on as before, except those
that are quiet. What is left then ends after the message at hand, and what is left then is cut.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from fastdicom.net.server import ServerConnection

QUIET_S = 1.0  # between two messages of a sender at work lies less
_LOOK_S = 0.05


class Drain:
    """The associations of a node that accepts no more.

    running: who is still there; it empties by itself.
    """

    def __init__(
        self,
        running: Callable[[], Collection[ServerConnection]],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._running = running
        self._clock = clock
        self._sleep = sleep
        self._hurried = False
        self._seen: dict[ServerConnection, tuple[int, float]] = {}

    def hurry(self) -> None:
        """From another thread: nobody is waited for any longer."""
        self._hurried = True

    def let_finish(self, seconds: float) -> None:
        """Up to `seconds` for associations to end by themselves; quiet ones end at once."""
        deadline = self._clock() + seconds
        while (left := self._running()) and self._clock() < deadline and not self._hurried:
            for connection in left:
                if connection.idle and self._quiet(connection):
                    connection.stop()
            self._sleep(_LOOK_S)

    def end_messages(self, seconds: float) -> None:
        """Every association ends; those inside a message have up to `seconds` to finish it."""
        for connection in self._running():
            connection.stop()
        self._wait(seconds)

    def cut(self, seconds: float) -> None:
        """No association reads or writes anything more. seconds: for their threads to end."""
        self._hurried = False
        for connection in self._running():
            connection.transport.cut()
        self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        deadline = self._clock() + seconds
        while self._running() and self._clock() < deadline and not self._hurried:
            self._sleep(_LOOK_S)

    def _quiet(self, connection: ServerConnection) -> bool:
        now = self._clock()
        progress, since = self._seen.get(connection, (connection.progress, now))
        since = since if progress == connection.progress else now
        self._seen[connection] = (connection.progress, since)
        return now - since >= QUIET_S
