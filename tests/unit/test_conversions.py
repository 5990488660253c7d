"""Threads, room and preferences of sending."""

from __future__ import annotations

import threading

import pytest

from fastdicom.config import Config
from fastdicom.conversions import ConversionThreads, conversions_of, threads_of
from fastdicom.errors import Unavailable
from fastdicom.services.making import Verbatim

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
JPEG, SV1, RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.5"


def test_room_is_given_back_when_a_result_is_closed() -> None:
    with ConversionThreads(threads=1) as threads:
        made = [threads.ahead(lambda: Verbatim(EXPLICIT, memoryview(b"x"))) for _ in range(3)]
        assert made[0] is not None and made[1] is not None and made[2] is None
        assert made[0].result().length == 1
        made[0].close()
        made[0].close()
        again = threads.ahead(lambda: Verbatim(EXPLICIT, memoryview(b"x")))
        assert again is not None
        assert threads.ahead(lambda: Verbatim(EXPLICIT, memoryview(b"x"))) is None


def test_what_waits_when_the_engine_stops_is_unavailable() -> None:
    go = threading.Event()
    threads = ConversionThreads(threads=1)

    def slow() -> Verbatim:
        go.wait(10)
        return Verbatim(EXPLICIT, memoryview(b"x"))

    first, second = threads.ahead(slow), threads.ahead(slow)
    assert first is not None and second is not None
    threads.close()
    go.set()
    assert first.result().length == 1
    with pytest.raises(Unavailable, match="stopping"):
        second.result()
    first.close()
    with pytest.raises(Unavailable, match="no conversion any more"):
        threads.ahead(slow)


def test_preferences_come_from_the_configuration_and_the_peer() -> None:
    config = Config(
        transcoding={"prefer": ["RLELossless"], "lossy": ["JPEGBaseline8Bit"]},
        peers=[
            {"ae_title": "PACS", "transfer_syntaxes": ["ImplicitVRLittleEndian", "JPEGLosslessSV1"]},
            {"ae_title": "VIEWER", "lossy": ["JPEGLSNearLossless"]},
        ],
    )
    with threads_of(config) as threads:
        conversions = conversions_of(config, threads)
        accepted = [EXPLICIT, IMPLICIT, JPEG, SV1, RLE]
        assert conversions.candidates("1.2.840.10008.1.2.4.90", accepted)[0] == RLE
        assert conversions.candidates("1.2.840.10008.1.2.4.90", [JPEG]) == (JPEG,)
        assert conversions.for_peer("PACS").candidates("1.2.840.10008.1.2.4.90", accepted)[:3] == (
            IMPLICIT,
            SV1,
            RLE,
        )
        viewer = conversions.for_peer("VIEWER")
        assert viewer.fallbacks[:2] == (IMPLICIT, EXPLICIT)
        assert viewer.fallbacks[-2:] == ("1.2.840.10008.1.2.4.81", JPEG)
        assert conversions.for_peer("NOBODY") is conversions
        assert threads.workers.budget_max is not None and threads.workers.budget_max.seconds == 120


@pytest.mark.parametrize(
    ("stored", "wanted", "length", "quick"),
    [
        (SV1, [EXPLICIT], 150_000, True),
        (EXPLICIT, [RLE, SV1], 500_000, True),
        (SV1, [EXPLICIT], 30 << 20, False),  # a mammogram: decoded while the one before it is on the wire
        (JPEG, [EXPLICIT], 50_000, False),  # a library, in another process
        (SV1, [JPEG], 150_000, False),
        ("1.2.840.10008.1.2.1.99", [EXPLICIT], 1000, False),  # may inflate to a thousand times its length
        (SV1, [], 1000, False),
    ],
)
def test_short_files_of_our_own_codecs_are_converted_by_who_sends_them(
    stored: str, wanted: list[str], length: int, quick: bool
) -> None:
    with ConversionThreads(threads=1) as threads:
        assert conversions_of(Config(), threads).quick(stored, wanted, length) is quick
