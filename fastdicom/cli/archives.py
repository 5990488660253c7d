"""An archive of this machine, as the commands open and query it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import fastdicom
from fastdicom.errors import UsageError
from fastdicom.identifiers import nested

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from fastdicom.dataset.identifier import Identifier


def open_to_read(path: Path) -> fastdicom.Archive:
    """An archive for queries, also while its node runs. Raises UsageError when there is none."""
    return fastdicom.Archive(path, readonly=True)


def open_to_change(path: Path) -> fastdicom.Archive:
    """An archive that is there already. Raises UsageError when there is none: a typo must not make one."""
    if not (path / "index").is_dir():
        raise UsageError(f"{path} is no archive: it has no index folder")
    return fastdicom.Archive(path)


def identifier_of(
    archive: fastdicom.Archive, level: str, keys: Mapping[str, str], model: str = "STUDY"
) -> Identifier:
    """What the keys of -k ask for at `level`."""
    from fastdicom.dataset.keywords import identifier_from_keywords

    root: Literal["PATIENT", "STUDY"] = "PATIENT" if model == "PATIENT" else "STUDY"
    wanted: dict[str, Any] = nested(keys)
    return identifier_from_keywords(level, root, attributes=archive.attributes, **wanted)


def answers(archive: fastdicom.Archive, identifier: Identifier) -> Iterator[Dataset]:
    """The matches."""
    from fastdicom.queries import to_dataset

    return (to_dataset(match) for match in archive.find(identifier) if match is not None)
