"""Lets the threads of associations into the interpreter one after the other: nobody waits for its lock.

It is advice: nothing relies on being alone, and a thread that stays inside for more than 2 ms for each that
waits is passed by.
"""

from fastdicom.kernels._types import Buffer

def enter() -> None:
    """Wait until nobody is inside, and be it. A thread that is inside already stays there."""

def is_inside() -> bool:
    """Whether this thread entered last, and did not leave; it may have been passed by."""

def leave() -> bool:
    """Make room; true when this thread was inside. Called before waiting for anything."""

def receive(descriptor: int, into: Buffer) -> int:
    """Leave, read what a socket has, enter; the number of bytes, 0 when the peer closed (or `into` is empty).

    Raises OSError as socket.recv_into does; then this thread stays outside.
    """

class Turn:
    """Something that one thread waits for and another gives it, once."""

    def give(self) -> None:
        """Let the one that waits, now or later, go on."""

    def wait(self) -> None:
        """Leave, wait, and enter if this thread was inside.

        Raises what a signal handler raises; then this thread stays outside.
        """
