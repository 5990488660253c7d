"""docs/conformance.md says what the code's tables say."""

from __future__ import annotations

import pytest

from docs.generate_conformance import BLOCKS, DOCUMENT
from docs.generated import filled
from fastdicom.standard.sop_classes import STORAGE
from fastdicom.standard.transfer_syntaxes import KNOWN


def test_the_statement_is_up_to_date() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert filled(text, BLOCKS) == text, "run python -m docs.generate_conformance"


@pytest.mark.parametrize("name", BLOCKS)
def test_every_table_stands_in_the_statement_once(name: str) -> None:
    assert DOCUMENT.read_text("utf-8").count(f"<!-- generated: {name} -->") == 1


def test_every_class_and_syntax_is_named_once() -> None:
    text = DOCUMENT.read_text("utf-8")
    for uid in (*STORAGE, *KNOWN):
        assert text.count(f"| `{uid}` |") == 1, uid


def test_a_table_that_is_out_of_date_is_noticed() -> None:
    text = DOCUMENT.read_text("utf-8").replace("CT Image Storage", "CT Images")
    assert filled(text, BLOCKS) != text
