"""A folder that instances are retrieved into: one Part 10 file for each, named by its SOP Instance UID."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

from fastdicom.dataset.part10 import encode_file_meta
from fastdicom.dimse.messages import CStoreRequest
from fastdicom.standard import status

_UID = re.compile(r"[0-9](?:[0-9.]{0,62}[0-9])?\Z")  # no "..", no separator: a peer cannot choose a path


class InstanceFolder:
    """Takes instances from a peer that we asked for them. An existing file of the same name is replaced.

    A context manager: at its end an instance that is not whole leaves nothing behind.
    """

    def __init__(self, folder: Path, *, source_ae_title: str, receiving_ae_title: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.source_ae_title = source_ae_title
        self.receiving_ae_title = receiving_ae_title
        self._last: ReceivedFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._last is not None:
            self._last.abandon()

    def receive(self, request: CStoreRequest, transfer_syntax_uid: str) -> ReceivedFile:
        """A place for one instance."""
        self._last = ReceivedFile(self, request, transfer_syntax_uid)
        return self._last


class ReceivedFile:
    """One instance on its way to a file. Anything that goes wrong becomes the status.

    Exactly one of `finish` and `abandon` ends it.
    """

    def __init__(self, folder: InstanceFolder, request: CStoreRequest, transfer_syntax_uid: str) -> None:
        self._status = status.SUCCESS
        self._stream: BinaryIO | None = None
        uid = request.sop_instance_uid
        if not _UID.match(uid):
            self._status = status.DOES_NOT_MATCH_SOP_CLASS
            return
        self._path = folder.folder / f"{uid}.dcm"
        self._part = self._path.with_suffix(".part")
        head = encode_file_meta(
            request.sop_class_uid,
            uid,
            transfer_syntax_uid,
            source_ae_title=folder.source_ae_title,
            receiving_ae_title=folder.receiving_ae_title,
        )
        try:
            self._stream = self._part.open("wb")
        except OSError:
            self._status = status.OUT_OF_RESOURCES
            return
        self.write(head)

    def write(self, piece: memoryview | bytes) -> None:
        """The next piece of the Data Set; after a failure the rest is passed over."""
        if self._stream is None:
            return
        try:
            self._stream.write(piece)
        except OSError:
            self._give_up()

    def finish(self) -> int:
        """Make the file durable and give it its name; the status for the peer."""
        if self._stream is not None:
            try:
                self._stream.flush()
                os.fdatasync(self._stream.fileno())
                self._stream.close()
                self._stream = None
                os.replace(self._part, self._path)
                _sync_folder(self._path.parent)
            except OSError:
                self._give_up()
        return self._status

    def abandon(self) -> None:
        """The rest will not come: leave nothing behind."""
        if self._stream is not None:
            self._give_up()

    def _give_up(self) -> None:
        stream, self._stream = self._stream, None
        self._status = status.OUT_OF_RESOURCES
        if stream is not None:
            with suppress(OSError):  # the disk is full: what it buffers cannot be written either
                stream.close()
        self._part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the folder's names survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
