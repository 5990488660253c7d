"""Messages that wait on disk: in order, bounded, and of other processes too."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastdicom.audit import spool as spool_module
from fastdicom.audit.spool import PART, SEGMENT, Spool
from fastdicom.audit.syslog import framed


def all_of(spool: Spool) -> list[bytes]:
    found: list[bytes] = []
    while waiting := spool.oldest():
        path, messages = waiting
        found += messages
        spool.forget(path)
    return found


def test_messages_come_back_in_order_across_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_LENGTH_MAX", 100)
    spool = Spool(tmp_path / "audit", 10_000)
    messages = [b"message %d" % number for number in range(50)]
    assert spool.put(messages[:20]) == spool.put(messages[20:]) == 0
    assert len(list((tmp_path / "audit").iterdir())) > 5
    assert all_of(spool) == messages
    assert (spool.length, list((tmp_path / "audit").iterdir())) == (0, [])


def test_what_is_above_the_ceiling_is_counted_and_the_earlier_ones_stay(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10 * len(framed(b"0123456789")))
    assert spool.put([b"0123456789"] * 25) == 15
    assert len(all_of(spool)) == 10
    assert spool.put([b"again"]) == 0


def test_the_next_process_finds_what_this_one_left(tmp_path: Path) -> None:
    code = "from fastdicom.audit.spool import Spool; import sys, os; from pathlib import Path\n"
    code += "Spool(Path(sys.argv[1]), 1000).put([b'left', b'behind']); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    (part,) = tmp_path.iterdir()
    assert part.suffix == PART
    with part.open("ab") as stream:
        stream.write(b"100 cut")  # the power went
    spool = Spool(tmp_path, 1000)
    assert spool.oldest() is None
    spool.adopt()
    assert all_of(spool) == [b"left", b"behind"]


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    mine, other = Spool(tmp_path, 1000), tmp_path / f"{0:020d}-1-1{PART}"  # process 1 always lives
    other.write_bytes(framed(b"theirs"))
    mine.adopt()
    assert mine.oldest() is None
    os.rename(other, other.with_suffix(SEGMENT))
    assert all_of(mine) == [b"theirs"]


def test_a_disk_that_fails_costs_the_message_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, 10_000)
    spool.put([b"before"])
    write = os.write
    full = OSError(errno.ENOSPC, "no space")

    def half(fd: int, data: bytes) -> int:
        if len(data) > 5:
            return write(fd, data[:5])
        raise full

    monkeypatch.setattr(os, "write", half)
    assert spool.put([b"this does not fit"]) == 1
    monkeypatch.setattr(os, "write", write)
    assert spool.put([b"after"]) == 0
    assert all_of(spool) == [b"before", b"after"]
