"""Pass through, recode or refuse."""

from __future__ import annotations

import pytest

from fastdicom.standard.transfer_syntaxes import KNOWN, NATIVE
from fastdicom.transcoding.plan import Conversions, PassThrough, Recode, Refuse, plan
from tests.support.elements import EXPLICIT, IMPLICIT, encode
from tests.support.scanning import SMALL

IMPLICIT_LE, EXPLICIT_LE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, EXPLICIT_BE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
JPEG, JPIP, MPEG2 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.100"


@pytest.mark.parametrize("uid", [*KNOWN, "1.2.3.4"])
def test_what_the_peer_takes_is_sent_as_it_is(uid: str) -> None:
    assert plan(uid, [IMPLICIT_LE, uid]) == PassThrough()
    assert Conversions().choose(uid, [IMPLICIT_LE, uid]) == uid


@pytest.mark.parametrize("stored", sorted(NATIVE))
@pytest.mark.parametrize("accepted", sorted(NATIVE))
def test_native_syntaxes_become_one_another(stored: str, accepted: str) -> None:
    assert plan(stored, [accepted]) == (PassThrough() if stored == accepted else Recode(accepted))


def test_explicit_little_endian_is_preferred_since_it_keeps_most() -> None:
    assert plan(EXPLICIT_BE, [IMPLICIT_LE, DEFLATED, EXPLICIT_LE]) == Recode(EXPLICIT_LE)
    assert plan(EXPLICIT_LE, [IMPLICIT_LE, EXPLICIT_BE]) == Recode(EXPLICIT_BE)


def test_an_encapsulated_syntax_may_hold_a_data_set_without_pixels() -> None:
    assert plan(MPEG2, [IMPLICIT_LE]) == Recode(IMPLICIT_LE)


@pytest.mark.parametrize(
    ("stored", "accepted"),
    [(JPIP, [EXPLICIT_LE]), ("1.2.3.4", [EXPLICIT_LE]), (EXPLICIT_LE, [JPEG]), (JPEG, [])],
)
def test_what_cannot_be_converted_is_refused_with_a_reason(stored: str, accepted: list[str]) -> None:
    refused = plan(stored, accepted)
    assert isinstance(refused, Refuse)
    assert "cannot be converted" in refused.reason
    assert Conversions().choose(stored, accepted) is None


def test_conversions_convert() -> None:
    source = memoryview(encode(SMALL, EXPLICIT))
    assert b"".join(Conversions().convert(source, EXPLICIT_LE, IMPLICIT_LE)) == encode(SMALL, IMPLICIT)
