"""What start-up does with what an earlier process left behind. Promise 1.

Looks only at blocks that are not marked sealed and that no living process fills, so its time does not
grow with the archive. In such a block, an empty file was made ahead and goes. Any other file without a
row is judged by the caller (`adopt`): a whole one is indexed, for it may have been acknowledged before its
row came, or it is superfluous; one that was never whole goes. A file that cannot be judged stays where it
is: a passing read error must not cost an instance.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from fastdicom.archive.disk import Disk
from fastdicom.archive.layout import PART, WHOLE, Block, block_names

log = logging.getLogger(__name__)


class Verdict(Enum):
    """What becomes of a file without a row."""

    ADOPTED = 1  # it has a row now
    SUPERFLUOUS = 2  # it was never whole, the instance is there already, or was deleted: the file goes
    UNREADABLE = 3  # it stays, for `verify` and a person to look at


@dataclass
class Recovery:
    """What was found. sealed: blocks that need not be looked at again."""

    swept: int = 0
    adopted: int = 0
    unreadable: int = 0
    sealed: tuple[str, ...] = ()


def recover(
    root: Path,
    disk: Disk,
    *,
    is_sealed: Callable[[str], bool],
    indexed_paths: Callable[[str], Iterable[str]],
    adopt: Callable[[Sequence[str]], Mapping[str, Verdict]],
    progress: Callable[[], object] = lambda: None,
) -> Recovery:
    """Bring every open block to a state in which each file has a row.

    indexed_paths: the indexed paths that begin with a block's name. adopt: judge files by their paths, and
    index those that are whole instances which are not there yet. progress: called for each file and block.
    """
    found = Recovery()
    sealed = []
    for name in block_names(root):
        if is_sealed(name):
            continue
        block = Block(root, name)
        try:
            if not block.try_lock():
                continue  # a living process fills it
            if _recover_block(block, disk, set(indexed_paths(name + "/")), adopt, found, progress):
                sealed.append(name)
        finally:
            block.release()
            progress()
    found.sealed = tuple(sealed)
    if found.swept or found.adopted:
        log.warning("start-up indexed %d whole files and swept %d others", found.adopted, found.swept)
    if found.unreadable:
        log.error("start-up left %d files alone that cannot be read or indexed", found.unreadable)
    return found


def _recover_block(
    block: Block,
    disk: Disk,
    indexed: set[str],
    adopt: Callable[[Sequence[str]], Mapping[str, Verdict]],
    found: Recovery,
    progress: Callable[[], object],
) -> bool:
    """False for an empty block: another process may have made it just now and want to fill it."""
    names = sorted(os.listdir(block.fd))
    leftovers = []
    swept = []
    for name in names:
        path = f"{block.name}/{name}"
        progress()
        if name.endswith(PART):
            swept.append(path)
        elif not name.endswith(WHOLE):
            log.warning("%s is no file of ours and is left alone", path)
        elif path in indexed:
            continue
        elif _is_empty(block, name):
            disk.unlink(block.fd, name)
        else:
            leftovers.append(path)
    for path, verdict in adopt(leftovers).items() if leftovers else ():
        found.adopted += verdict is Verdict.ADOPTED
        found.unreadable += verdict is Verdict.UNREADABLE
        if verdict is Verdict.SUPERFLUOUS:
            swept.append(path)
    for path in swept:
        disk.unlink(block.fd, path.partition("/")[2])
    found.swept += len(swept)
    disk.sync_folder(block.fd)
    return bool(names)


def _is_empty(block: Block, name: str) -> bool:
    return os.stat(name, dir_fd=block.fd, follow_symlinks=False).st_size == 0
