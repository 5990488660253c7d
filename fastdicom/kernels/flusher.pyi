"""Files flushed to disk by threads of their own, which never touch the interpreter."""

class Flush:
    """One file on its way to the disk (fdatasync), which is closed afterwards.

    fd: an open descriptor; from now on it is the kernel's. length: of the file in bytes: several long files
    (64 KiB or more) are flushed at once, short ones one after the other.
    """

    def __init__(self, fd: int, length: int) -> None: ...
    def wait(self) -> float:
        """Until the file is durable and closed; the seconds that it took. Raises OSError when it failed.

        May be called again, with the same result.
        """
