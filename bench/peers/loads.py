"""The loads by name."""

from __future__ import annotations

from bench.peers.work import GB, KIB, Load, echo, find, idle, ingest, move, prepare_find, prepare_move

LARGE, SMALL_OBJECT = 512 * KIB, 16 * KIB


def _ingest(size: int, associations: int, neighbour: bool = False) -> Load:
    name = f"ingest-{size // KIB}k-{associations}" + ("-chatty" if neighbour else "")
    return Load(name, "objects/s", ingest, associations=associations, size=size, neighbour=neighbour)


def _find(name: str, unit: str) -> Load:
    return Load(name, unit, find, fresh=False, prepare=prepare_find, queries=True)


def _move(size: int, instances: int) -> Load:
    return Load(
        f"move-{size // KIB}k",
        "objects/s",
        move,
        fresh=False,
        prepare=prepare_move,
        queries=True,
        size=size,
        instances=instances,
    )


_LOADS = [
    *(_ingest(LARGE, associations) for associations in (1, 4, 8, 16)),
    *(_ingest(SMALL_OBJECT, associations) for associations in (1, 2, 4, 8, 16, 32, 64)),
    _ingest(SMALL_OBJECT, 8, neighbour=True),
    Load("echo", "echoes/s", echo, fresh=False),
    Load("associate", "associations/s", echo, fresh=False),
    Load("idle", "KiB each", idle, associations=500),
    _find("find-study", "queries/s"),
    _find("find-patient", "queries/s"),
    _find("find-all", "answers/s"),
    _move(LARGE, 200),
    _move(SMALL_OBJECT, 1000),
    Load("huge-4g-1", "objects/s", ingest, size=128 * KIB, fill=4 * GB, count=1),
    Load("huge-1g-10", "objects/s", ingest, size=128 * KIB, fill=GB, associations=10, count=1),
]
LOADS = {load.name: load for load in _LOADS}
DEFAULT = tuple(name for name in LOADS if not name.startswith("huge"))
SMALL = ("ingest-512k-1", "ingest-16k-4", "echo", "associate", "idle", "find-study", "find-all", "move-16k")
