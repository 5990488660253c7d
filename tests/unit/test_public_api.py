"""The public names: documented, with examples that run, and cheap to import."""

from __future__ import annotations

import doctest
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastdicom
from fastdicom.errors import FastdicomError

NAMES = [
    name
    for name in fastdicom.__all__
    if not (
        isinstance(getattr(fastdicom, name), type) and issubclass(getattr(fastdicom, name), FastdicomError)
    )
]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    everything = {"unknown_peers": ["echo", "store", "find", "move", "get"]}
    config = fastdicom.Config(port=0, archive=tmp_path_factory.mktemp("node"), access=everything)
    with fastdicom.Engine(config) as engine:
        yield engine.addresses[0]


@pytest.mark.parametrize("name", fastdicom.__all__)
def test_every_public_name_says_what_it_is(name: str) -> None:
    assert (getattr(fastdicom, name).__doc__ or "").strip()


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_an_example_that_runs(name: str, tmp_path: Path, node: tuple[str, int]) -> None:
    names = {public: getattr(fastdicom, public) for public in fastdicom.__all__}
    names |= {"tmp_path": tmp_path, "node": node, "fastdicom": fastdicom}
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(getattr(fastdicom, name), name, globs=names)
    assert example.examples, f"{name} has no example"
    assert doctest.DocTestRunner().run(example).failed == 0


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_loads_nothing_heavy() -> None:
    heavy = ["pydicom", "numpy", "imagecodecs", "jpeg_ls", "lmdb", "ssl"]
    loaded = python(f"import sys, fastdicom; print([name for name in {heavy!r} if name in sys.modules])")
    assert loaded.strip() == "[]"


def test_the_engine_needs_no_pydicom_or_numpy() -> None:
    heavy = ["pydicom", "numpy", "imagecodecs", "jpeg_ls"]
    loaded = python(
        f"import sys, fastdicom; fastdicom.Engine; print([n for n in {heavy!r} if n in sys.modules])"
    )
    assert loaded.strip() == "[]"
