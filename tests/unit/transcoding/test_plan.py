"""Which transfer syntaxes an instance may go out in, and in which order they are tried."""

from __future__ import annotations

import pytest

from fastdicom.standard.transfer_syntaxes import KNOWN, NATIVE
from fastdicom.transcoding.plan import (
    LOSSLESS_ORDER,
    LOSSY_ORDER,
    Preferences,
    candidates,
    convert_to_first,
    targets,
)
from tests.support.elements import EXPLICIT, IMPLICIT, encode
from tests.support.scanning import SMALL

IMPLICIT_LE, EXPLICIT_LE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, EXPLICIT_BE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
JPEG, JPIP, MPEG2 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.100"
SV1, RLE = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.5"


@pytest.mark.parametrize("uid", [*KNOWN, "1.2.3.4"])
def test_what_the_peer_takes_is_sent_as_it_is(uid: str) -> None:
    assert candidates(uid, [IMPLICIT_LE, uid]) == (uid,)


@pytest.mark.parametrize("stored", sorted(NATIVE))
@pytest.mark.parametrize("accepted", sorted(NATIVE))
def test_native_syntaxes_become_one_another(stored: str, accepted: str) -> None:
    assert candidates(stored, [accepted]) == (accepted,)


def test_what_keeps_most_is_preferred() -> None:
    assert candidates(EXPLICIT_BE, [IMPLICIT_LE, DEFLATED, EXPLICIT_LE])[0] == EXPLICIT_LE
    assert candidates(EXPLICIT_LE, [IMPLICIT_LE, EXPLICIT_BE])[0] == EXPLICIT_BE
    assert candidates(JPEG, [RLE, SV1, IMPLICIT_LE]) == (IMPLICIT_LE, SV1, RLE)


def test_an_encapsulated_syntax_may_hold_a_data_set_without_pixels() -> None:
    assert candidates(MPEG2, [IMPLICIT_LE]) == (IMPLICIT_LE,)


@pytest.mark.parametrize(
    ("stored", "accepted"),
    [(JPIP, [EXPLICIT_LE]), ("1.2.3.4", [EXPLICIT_LE]), (EXPLICIT_LE, [JPEG]), (JPEG, [])],
)
def test_there_may_be_no_way(stored: str, accepted: list[str]) -> None:
    assert candidates(stored, accepted) == ()


def test_lossy_ones_come_last_and_only_where_they_are_allowed() -> None:
    allowed = Preferences(lossy=(JPEG,))
    assert candidates(EXPLICIT_LE, [JPEG, SV1], allowed) == (SV1, JPEG)
    assert JPEG in targets(allowed) and JPEG not in targets()


def test_the_order_can_be_changed() -> None:
    changed = Preferences().first(RLE, JPEG, SV1)
    assert changed.lossless[:3] == (RLE, SV1, EXPLICIT_LE)
    assert changed.lossy == ()
    assert sorted(changed.lossless) == sorted(LOSSLESS_ORDER)


def test_every_target_is_one_that_we_can_write() -> None:
    assert all(KNOWN[uid].encode for uid in (*LOSSLESS_ORDER, *LOSSY_ORDER))
    assert {uid for uid, row in KNOWN.items() if row.encode} == {*LOSSLESS_ORDER, *LOSSY_ORDER}


def test_the_first_that_fits_is_made() -> None:
    source = memoryview(encode(SMALL, EXPLICIT))
    made = convert_to_first(source, EXPLICIT_LE, [IMPLICIT_LE])
    assert b"".join(made) == encode(SMALL, IMPLICIT)
