"""Which files paths name."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastdicom.folders import files_below


@pytest.mark.parametrize("kind", [str, Path])
def test_one_path_alone_is_one_path(tmp_path: Path, kind: type) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.dcm").write_bytes(b"")
    assert list(files_below(kind(tmp_path / "a"))) == [tmp_path / "a" / "b.dcm"]
    assert list(files_below(kind(tmp_path / "a" / "b.dcm"))) == [tmp_path / "a" / "b.dcm"]
