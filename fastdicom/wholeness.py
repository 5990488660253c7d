"""Is a stored file still what was received? Its length and the checksum of its Data Set say so."""

from __future__ import annotations

import errno

import xxhash

from fastdicom.archive.files import Files
from fastdicom.dataset.record import FileEntry

# What says that the file is lost, not that we cannot ask just now (descriptors, memory, permission).
IS_MISSING = "is missing"
_LOST = frozenset({errno.EIO, errno.ENOENT, errno.ENODATA, errno.EUCLEAN, errno.EBADMSG, errno.EILSEQ})


class DatasetChecksum:
    """XXH3-64 of a file's Data Set, from the file's pieces in order."""

    def __init__(self, dataset_offset: int) -> None:
        self._dataset_offset = dataset_offset
        self._digest = xxhash.xxh3_64()

    def visit(self, offset: int, piece: memoryview) -> None:
        """The piece of the file that begins at `offset`."""
        skipped = max(0, self._dataset_offset - offset)
        self._digest.update(piece[skipped:] if skipped else piece)

    @property
    def value(self) -> int:
        """The checksum of what came so far."""
        return self._digest.intdigest()


def fault_of(file: FileEntry, size: int, checksum: int) -> str:
    """What is wrong with a file that has this size and checksum; "" when it is whole."""
    if size != file.size:
        return f"has {size} bytes, not {file.size}"
    if checksum != file.checksum:
        return "its Data Set is not the one that was received (checksum)"
    return ""


def fault_in(files: Files, file: FileEntry) -> str:
    """Read a stored file from the disk: what is wrong with it, "" when it is whole.

    Raises OSError when that cannot be said just now.
    """
    checksum = DatasetChecksum(file.dataset_offset)
    try:
        size = files.visit(file.path, checksum.visit)
    except OSError as error:
        return fault_of_error(error)
    return fault_of(file, size, checksum.value)


def fault_of_error(error: OSError) -> str:
    """What a failed read says about the file. Raises the error when it says nothing."""
    if error.errno not in _LOST:
        raise error
    return IS_MISSING if error.errno == errno.ENOENT else f"cannot be read: {error.strerror}"
