"""transcoding/spool.py: what waits on the disk leaves room for what comes in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastdicom.errors import Unavailable
from fastdicom.transcoding.objects import Options, convert
from fastdicom.transcoding.spool import Spool, spooled
from tests.support.image_objects import EXPLICIT_LE, image_object, to_bytes
from tests.support.images import picture

BIG_ENDIAN = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
MORE_THAN_ANY_DISK = 1 << 62


def test_memory_needs_no_disk(tmp_path: Path) -> None:
    spool = spooled([b"ab", b"cd"], tmp_path, 4, MORE_THAN_ANY_DISK)
    assert spool.whole() == b"abcd"


@pytest.mark.parametrize("pieces", [[b"abcde"], [b"abcd", b"e"]])
def test_a_spool_does_not_fill_the_disk(tmp_path: Path, pieces: list[bytes]) -> None:
    with pytest.raises(Unavailable, match="must stay free"):
        spooled(pieces, tmp_path, 4, MORE_THAN_ANY_DISK)
    assert os.listdir(tmp_path) == []


def test_each_piece_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, 0, 1 << 20)
    spool.write(b"the disk has room yet")
    full = os.statvfs_result((4096, 4096, 1000, 300, 255, 0, 0, 0, 0, 255))  # 255 blocks: just under 1 MiB
    monkeypatch.setattr(os, "fstatvfs", lambda _: full)
    with pytest.raises(Unavailable, match="1044480 bytes are free, 1048576 must stay free"):
        spool.write(b"and now it has not")


@pytest.mark.parametrize("route", [(EXPLICIT_LE, RLE), (BIG_ENDIAN, RLE)])
def test_a_conversion_that_would_fill_the_disk_says_so(tmp_path: Path, route: tuple[str, str]) -> None:
    plain = to_bytes(image_object(picture(64, 64, 0, 4000, "<u2")))
    source = b"".join(convert(plain, EXPLICIT_LE, route[0]))
    options = Options(folder=tmp_path, memory_max=100, min_free=MORE_THAN_ANY_DISK)
    with pytest.raises(Unavailable, match="must stay free"):
        convert(source, *route, options)
    assert b"".join(convert(source, *route, Options(folder=tmp_path, memory_max=100)))
