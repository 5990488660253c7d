"""Several iterators at once for one client."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator

import pytest

from fastdicom.errors import ConnectionLost
from fastdicom.net.side_by_side import SideBySide


class Client:
    """Wants everything, until told otherwise."""

    def __init__(self) -> None:
        self.answer: bool | Exception = True
        self.thread = threading.current_thread()

    def wanted(self) -> bool:
        assert threading.current_thread() is self.thread
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_the_items_of_all_come_out_once() -> None:
    side_by_side = SideBySide[int](Client())
    assert sorted(side_by_side.run([iter(range(5)), iter(range(5, 7)), iter(())])) == list(range(7))


def waiting(side_by_side: SideBySide[int]) -> Iterator[int]:
    """One item, then a wait on the descriptor like that of a transport."""
    yield 1
    poll = select.poll()
    poll.register(side_by_side.fileno(), select.POLLIN)
    assert poll.poll(10_000)
    side_by_side.check()


@pytest.mark.parametrize("answer", [False, ConnectionLost("the client is gone")])
def test_a_client_that_has_had_enough_wakes_all_of_them(answer: bool | Exception) -> None:
    client = Client()
    side_by_side = SideBySide[int](client)
    items = side_by_side.run([waiting(side_by_side), waiting(side_by_side)])
    assert next(items) == 1
    assert side_by_side.wanted()
    client.answer = answer
    with pytest.raises(ConnectionLost):
        list(items)
    assert not side_by_side.wanted()


def test_an_error_in_one_ends_all() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("a bug")

    client = Client()
    side_by_side = SideBySide[int](client)

    def patient() -> Iterator[int]:
        while side_by_side.wanted():
            yield 2

    with pytest.raises(ValueError, match="a bug"):
        list(side_by_side.run([broken(), patient()]))
