"""Patients and studies that retention must leave alone: a small file in the archive.

Not in the index, because that may be made anew from the files.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastdicom.errors import UsageError
from fastdicom.sections.retention import patient_id
from fastdicom.settings import uid

FILE_NAME = "protected.json"


@dataclass(frozen=True, slots=True)
class Protected:
    """Patient IDs and Study Instance UIDs, compared as they are, without padding."""

    patients: frozenset[str] = frozenset()
    studies: frozenset[str] = frozenset()

    def covers(self, patient_id: str, study_instance_uid: str) -> bool:
        """Whether a study is to stay."""
        return study_instance_uid in self.studies or patient_id in self.patients

    def with_more(self, patients: Iterable[str], studies: Iterable[str]) -> Protected:
        """These too."""
        return Protected(self.patients.union(patients), self.studies.union(studies))

    def without(self, patients: Iterable[str], studies: Iterable[str]) -> Protected:
        """These no longer."""
        return Protected(self.patients.difference(patients), self.studies.difference(studies))


def read_protected(archive: Path) -> Protected:
    """Who is protected. Raises UsageError when the file cannot be understood: then nothing may be deleted."""
    path = archive / FILE_NAME
    try:
        content = json.loads(path.read_text("utf-8"))
        return Protected(_names(content["patients"]), _names(content["studies"]))
    except FileNotFoundError:
        return Protected()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} does not say who is protected: {error}") from error


def change_protected(
    archive: Path, *, patients: Iterable[str] = (), studies: Iterable[str] = (), remove: bool = False
) -> Protected:
    """Protect patients and studies, or with `remove` no longer. Durable then; who is protected.

    Raises UsageError for what can be nobody's ID or UID, unless it is to be removed.
    """
    if not remove:
        try:
            patients, studies = [*map(patient_id, patients)], [*map(uid, studies)]
        except ValueError as error:
            raise UsageError(str(error)) from error
    with _alone(archive):
        known = read_protected(archive)
        changed = known.without(patients, studies) if remove else known.with_more(patients, studies)
        _write(archive, changed)
    return changed


def _names(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError("a list of names was expected")
    return frozenset(value)


@contextmanager
def _alone(archive: Path) -> Iterator[None]:
    """Programs that change the file do so one after the other."""
    fd = os.open(archive, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _write(archive: Path, protected: Protected) -> None:
    content = {"patients": sorted(protected.patients), "studies": sorted(protected.studies)}
    fresh = archive / f"{FILE_NAME}.new"
    with fresh.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(fresh, archive / FILE_NAME)
    fd = os.open(archive, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
