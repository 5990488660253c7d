"""A few thousand executions of each harness, so that none of them rots."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.fuzz import (
    driver,
    fuzz_codestream,
    fuzz_encapsulated,
    fuzz_jpeg_lossless,
    fuzz_pixels,
    fuzz_rle,
)


@pytest.mark.parametrize(
    "harness", [fuzz_codestream, fuzz_encapsulated, fuzz_jpeg_lossless, fuzz_pixels, fuzz_rle]
)
def test_the_harness_finds_nothing(harness: ModuleType) -> None:
    driver.run(harness.one_input, harness.seeds(), executions=3000)


def test_a_finding_names_its_execution_and_input() -> None:
    def finds(data: bytes) -> None:
        assert data != b"b"

    with pytest.raises(AssertionError) as caught:
        driver.run(finds, [b"a", b"b"], executions=10)
    assert caught.value.__notes__ == ["execution 1, input 62"]
