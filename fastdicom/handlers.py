"""The host's own functions that hear of stored instances."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable

from fastdicom.errors import UsageError
from fastdicom.kernels import turnstile
from fastdicom.stored_instance import StoredInstance

log = logging.getLogger(__name__)

Handler = Callable[[StoredInstance], object]


class Handlers:
    """Functions in the order in which they were added. Each call happens on the thread that tells."""

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._here = threading.local()

    def __bool__(self) -> bool:
        return bool(self._handlers)

    @property
    def running_here(self) -> bool:
        """Whether this thread is inside one of them."""
        return getattr(self._here, "running", False)

    def add(self, handler: Handler) -> None:
        """One more. Raises UsageError for what cannot be called, or would only return a coroutine."""
        if not callable(handler):
            raise UsageError(f"an on_stored handler is a function, not {handler!r}")
        if any(map(inspect.iscoroutinefunction, (handler, type(handler).__call__))):
            raise UsageError(
                "an on_stored handler is called on a thread without an event loop: "
                "a coroutine is handed over with loop.call_soon_threadsafe"
            )
        self._handlers.append(handler)

    def tell(self, instance: StoredInstance) -> None:
        """Call all of them. What they raise is logged: the instance is stored whatever they do."""
        self._here.running = True
        turnstile.leave()  # they take as long as they like
        try:
            for handler in self._handlers:
                self._call(handler, instance)
        finally:
            self._here.running = False

    def _call(self, handler: Handler, instance: StoredInstance) -> None:
        try:
            handler(instance)
        except BaseException:  # sys.exit() must not cost the peer its response either
            uid = instance.sop_instance_uid
            log.exception("an on_stored handler failed for %s", uid, extra={"sop_instance_uid": uid})
