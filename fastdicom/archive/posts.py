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

log = logging.getLogger(__name__)

WAITING_MAX = 1024
_PAUSE_S = 0.02  # between two batches: what comes meanwhile shares the next
_RETRY_S = 1.0


class Post:
    """A change on its way. outcome: None until the index has it."""

    __slots__ = ("change", "file", "key", "outcome")

    def __init__(self, key: str, file: IncomingFile, change: Any) -> None:
        self.key = key
        self.file = file
        self.change = change
        self.outcome: Any = None


class Posts:
    """Hands changes on to the committer, from a thread of its own or from whoever cannot wait.

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
        self._came = threading.Condition()  # guards what waits
        self._batch = threading.Lock()  # held while a batch is committed
        self._posted = 0  # ever
        self._taken = 0  # of these, in a batch that has ended
        self._failing = False
        self._singly = False  # one of them may be what the index cannot take
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Changes that the index does not have yet."""
        return len(self._waiting)

    def post(self, key: str, file: IncomingFile, change: Any) -> Post | None:
        """Hand in a change whose file is durable. None: not now; wait for the index, which may fail.

        key: of what is changed; of two changes with the same key the second has to wait for the first.
        """
        with self._came:
            if key in self._waiting or len(self._waiting) >= WAITING_MAX:
                return None
            if self._failing or self._closing.is_set():
                return None
            post = self._waiting[key] = Post(key, file, change)
            self._posted += 1
            if len(self._waiting) == 1:
                self._came.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="posts", daemon=True)
                self._thread.start()
        return post

    def withdraw(self, post: Post) -> bool:
        """Take a change back. False when the index has it."""
        with self._batch, self._came:
            return self._waiting.pop(post.key, None) is not None

    def catch_up(self) -> None:
        """Returns when the index has what was posted before, or could not take it: it will be tried again."""
        if not self._waiting or self._failing:
            return
        posted = self._posted
        with self._batch:
            if self._taken < posted:
                self._commit()

    def close(self) -> None:
        """Commit what waits, and no more. What fails now is left to the next start."""
        with self._came:
            self._closing.set()
            self._came.notify()
        if self._thread is not None:
            self._thread.join()
        with self._batch:
            self._commit()
            left = list(self._waiting.values())
            self._waiting.clear()
        for post in left:
            self._left(post)

    def _run(self) -> None:
        while self._wait():
            with self._batch:
                self._commit()
            self._closing.wait(_RETRY_S if self._failing else _PAUSE_S)

    def _wait(self) -> bool:
        """Until something waits; False at the end."""
        with self._came:
            self._came.wait_for(lambda: self._waiting or self._closing.is_set())
        return not self._closing.is_set()

    def _commit(self) -> None:
        """What waits now, in one batch; one by one after that failed, until one fails again."""
        with self._came:
            posts = list(self._waiting.values())
            posted = self._posted
        try:
            for some in [[post] for post in posts] if self._singly else [posts] if posts else []:
                self._commit_some(some)
        except Unavailable:
            return
        self._singly = self._failing = False
        self._taken = posted

    def _commit_some(self, posts: Sequence[Post]) -> None:
        try:
            outcomes = self._commit_all([post.change for post in posts])
        except Unavailable as error:
            self._put_back(posts)
            log.error("%d stored instances wait for their rows in the index: %s", len(self._waiting), error)
            raise
        with self._came:
            for post, outcome in zip(posts, outcomes, strict=True):
                post.outcome = outcome
                del self._waiting[post.key]
        for post in posts:
            self._done(post)

    def _put_back(self, posts: Sequence[Post]) -> None:
        """Behind the others: what the index cannot take must not hold up what it can."""
        self._failing = self._singly = True
        with self._came:
            for post in posts:
                self._waiting[post.key] = self._waiting.pop(post.key)
