"""Archives with real files, filled without a network."""

from __future__ import annotations

import time
from dataclasses import replace

import xxhash

from fastdicom.dataset.part10 import encode_file_meta
from fastdicom.dataset.record import FileEntry, Outcome, Put
from fastdicom.file_records import put_of
from fastdicom.keeper import ArchiveKeeper
from tests.support.datasets import CT_IMAGE_STORAGE, EXPLICIT_LE, Uids, synthetic

DAY = 86400.0


class Filler:
    """Puts studies into an archive as if they had been received at a certain time.

    replaces: what is there already gives way.
    """

    def __init__(self, keeper: ArchiveKeeper, *, replaces: bool = False) -> None:
        self.keeper = keeper
        self.replaces = replaces

    def study(
        self, uid: str, *, received: float = 0.0, instances: int = 1, patient: str = "P", size: int = 256
    ) -> list[str]:
        """A study of `instances` in one series; their UIDs. received: now, when not given."""
        uids = [f"{uid}.1.{number}" for number in range(1, instances + 1)]
        for one in uids:
            self.instance(Uids(patient, uid, uid + ".1", one), received=received, size=size)
        return uids

    def instance(self, uids: Uids, *, received: float = 0.0, size: int = 256) -> Outcome:
        """One instance, put into its file and the index as C-STORE does."""
        data = synthetic(CT_IMAGE_STORAGE, EXPLICIT_LE, uids, size)
        file = self.keeper.incoming()
        meta = encode_file_meta(CT_IMAGE_STORAGE, uids.instance, EXPLICIT_LE)
        file.append([meta, data])
        scanned = put_of(self.keeper.files.path_of(file.path), file.path, self.keeper.scan_policy)
        entry: FileEntry = replace(
            scanned.file,
            received_at=received or time.time(),
            checksum=xxhash.xxh3_64_intdigest(data),
        )
        return self.keeper.commit(file, Put(scanned.record, entry, self.replaces))
