"""What a host's program is told of an instance that has just been stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance that has just become durable: what `Engine.on_stored` handlers get.

    path: the file, which is the archive's and must not be changed. source_ae_title: who sent it.

    >>> engine = Engine(Config(port=0, archive=tmp_path / "archive"))
    >>> @engine.on_stored
    ... def forward(instance: StoredInstance) -> None:
    ...     print(instance.sop_instance_uid, instance.dataset(stop_before_pixels=True).PatientName)
    """

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    source_ae_title: str
    called_ae_title: str
    size: int

    def dataset(self, *, stop_before_pixels: bool = False) -> Dataset:
        """The instance, read from its file with pydicom."""
        from pydicom import dcmread

        return dcmread(self.path, stop_before_pixels=stop_before_pixels)
