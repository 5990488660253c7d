"""ext/dictionary.h is what ext/make_dictionary.py writes."""

from __future__ import annotations

import runpy
from pathlib import Path

import pydicom
import pytest

EXT = Path(__file__).parents[2] / "ext"


def test_the_table_of_vrs_is_up_to_date() -> None:
    text = (EXT / "dictionary.h").read_text(encoding="ascii")
    if f"pydicom {pydicom.__version__};" not in text:
        pytest.skip("dictionary.h comes from another version of pydicom")
    header = runpy.run_path(str(EXT / "make_dictionary.py"))["header"]
    assert text == header() + "\n"
