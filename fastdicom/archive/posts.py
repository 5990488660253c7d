"""Changes that are promised and nobody waits for: they follow in batches. Promise 1.

A new instance is safe once its file is on stable storage: the file says all that its row does, and start-up
makes the row of a whole file that has none. So the row need not be waited for. It follows at once while there
is little to do, and with others of the last moments when there is much, which costs the index a fraction.
Whoever reads the index catches up first. What fails is tried again for as long as the process lives.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from fastdicom.archive.incoming import IncomingFile
from fastdicom.errors import Unavailable
from fastdicom.kernels import turnstile

log = logging.getLogger(__name__)

WAITING_MAX = 1024
_PAUSE_S = 0.02  # between two batches: what comes meanwhile shares the next
_RETRY_S = 1.0
_PATIENCE_S = 5.0  # of a reader, when another process holds the index


class Post:
    """A change on its way. outcome: None until the index has it."""

    __slots__ = ("change", "file", "key", "outcome")

    def __init__(self, key: str, file: IncomingFile, change: Any) -> None:
        self.key = key
        self.file = file
        self.change = change
        self.outcome: Any = None


class Posts:
    """Hands changes on to the committer, from a thread of its own.

    commit_all: brings changes into the index and returns their outcomes, or raises Unavailable; some of them
    may have got there all the same. done: called for each with its outcome. left: for each at the end, whose
    row the next start has to make.
    """

    def __init__(
        self,
        commit_all: Callable[[Sequence[Any]], list[Any]],
        *,
        done: Callable[[Post], None],
        left: Callable[[Post], None],
    ) -> None:
        self._commit_all = commit_all
        self._done = done
        self._left = left
        self._waiting: dict[str, Post] = {}
        self._lock = threading.Lock()  # guards what waits, and the figures
        self._work = threading.Condition(self._lock)
        self._news = threading.Condition(self._lock)  # for readers: a batch has ended
        self._batch = threading.Lock()  # held while a batch is committed
        self._posted = 0  # ever
        self._taken = 0  # of these, in a batch that has ended
        self._hurry = False  # somebody reads
        self._failing = False
        self._singly = False  # one of them may be what the index cannot take
        self._closing = False
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Changes that the index does not have yet."""
        return len(self._waiting)

    def post(self, key: str, file: IncomingFile, change: Any) -> Post | None:
        """Hand in a change whose file is durable. None: not now; wait for the index, which may fail.

        key: of what is changed; of two changes with the same key the second has to wait for the first.
        """
        with self._lock:
            if key in self._waiting or len(self._waiting) >= WAITING_MAX:
                return None
            if self._failing or self._closing or not self._has_thread():
                return None
            post = self._waiting[key] = Post(key, file, change)
            self._posted += 1
            if len(self._waiting) == 1:
                self._work.notify()
        return post

    def withdraw(self, post: Post) -> bool:
        """Take a change back. False when the index has it."""
        with self._batch, self._lock:
            return self._waiting.pop(post.key, None) is not None

    def catch_up(self, patience_s: float = _PATIENCE_S) -> None:
        """Returns when the index has what was posted before, or does not take it: it will be tried again."""
        if not self._waiting or self._failing:
            return
        outside = turnstile.leave()
        with self._lock:
            posted = self._posted
            self._hurry = True
            self._work.notify()
            self._news.wait_for(lambda: self._taken >= posted or self._failing, patience_s)
        if outside:
            turnstile.enter()

    def close(self) -> None:
        """Commit what waits, and no more. What fails now is left to the next start."""
        with self._lock:
            self._closing = True
            self._work.notify()
        if self._thread is not None:
            self._thread.join()
        left = list(self._waiting.values())
        self._waiting.clear()
        for post in left:
            self._left(post)

    def _has_thread(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="posts", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # there can be no more: who posts has to wait
                return False
            self._thread = thread
        return True

    def _run(self) -> None:
        while not self._closing:
            self._commit()
            with self._lock:
                if self._failing:
                    self._work.wait_for(lambda: self._closing, _RETRY_S)
                else:
                    self._work.wait_for(lambda: self._hurry or self._closing, _PAUSE_S)
                    self._work.wait_for(lambda: self._waiting or self._closing)
        self._commit()

    def _commit(self) -> None:
        """What waits now, in one batch; one by one after that failed, until one fails again."""
        with self._batch:
            with self._lock:
                self._hurry = False
                posts = list(self._waiting.values())
                posted = self._posted
            batches = [[post] for post in posts] if self._singly else [posts]
            taken = all(self._commit_some(batch) for batch in batches if batch)
        with self._lock:
            self._failing = self._singly = not taken
            if taken:
                self._taken = posted
            self._news.notify_all()

    def _commit_some(self, posts: Sequence[Post]) -> bool:
        """False when the index did not take them. They go behind the others, for it may be their fault."""
        try:
            outcomes = self._commit_all([post.change for post in posts])
        except Unavailable as error:
            with self._lock:
                self._waiting.update((post.key, self._waiting.pop(post.key)) for post in posts)
            log.error("%d stored instances wait for their rows in the index: %s", len(self._waiting), error)
            return False
        with self._lock:
            for post, outcome in zip(posts, outcomes, strict=True):
                post.outcome = outcome
                del self._waiting[post.key]
        for post in posts:
            self._done(post)
        return True
