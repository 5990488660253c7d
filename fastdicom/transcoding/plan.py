"""Which transfer syntax an instance goes out in, decided from what is stored and what the peer accepted.

The stored one before all others; then those that keep every pixel, in a configurable order; then, only where
that is allowed, lossy ones. Whether the image itself can be carried is found out in `convert`, and the next
candidate is tried if not.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fastdicom.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    KNOWN,
)
from fastdicom.transcoding.codecs import (
    HTJ2K,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    JPEG_LS_NEAR_LOSSLESS,
    LOSSY_ONLY,
    RLE_LOSSLESS,
    CannotCarry,
)
from fastdicom.transcoding.converted import Converted
from fastdicom.transcoding.objects import Options, convert
from fastdicom.transcoding.spool import Buffer

NATIVE_BY_PREFERENCE: Final = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
"""What keeps most comes first: Implicit VR loses the VRs of private elements."""

LOSSLESS_ORDER: Final = (
    *NATIVE_BY_PREFERENCE,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    RLE_LOSSLESS,
    JPEG_2000_LOSSLESS,
    JPEG_LOSSLESS,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    JPEG_2000,
    HTJ2K,
)
"""Native ones any peer can show and cost least; then by what peers commonly know. JPEG 2000 and HTJ2K, which
may be lossy, are written lossless here."""

LOSSY_ORDER: Final = (JPEG_BASELINE, JPEG_EXTENDED, JPEG_LS_NEAR_LOSSLESS)


@dataclass(frozen=True, slots=True)
class Preferences:
    """What may be sent instead of the stored transfer syntax, best first.

    lossless: targets that keep every pixel. lossy: targets that do not, empty where that is not allowed.
    """

    lossless: Sequence[str] = LOSSLESS_ORDER
    lossy: Sequence[str] = ()

    def first(self, *uids: str) -> Preferences:
        """These targets before the others; lossy ones stay out unless they are in already."""
        return replace(
            self,
            lossless=(*(uid for uid in uids if uid in self.lossless), *self._without(self.lossless, uids)),
            lossy=(*(uid for uid in uids if uid in self.lossy), *self._without(self.lossy, uids)),
        )

    @staticmethod
    def _without(uids: Sequence[str], others: Collection[str]) -> list[str]:
        return [uid for uid in uids if uid not in others]


def candidates(
    stored_uid: str, accepted: Collection[str], preferences: Preferences | None = None
) -> tuple[str, ...]:
    """The transfer syntaxes that an instance stored in `stored_uid` may be sent in, best first.

    Only those that are `accepted`; none when there is no way. Pixels that are only stored and sent on still
    have candidates: a Data Set in such a syntax need not have any.
    """
    if stored_uid in accepted:
        return (stored_uid,)
    stored = KNOWN.get(stored_uid)
    if stored is None or not (stored.native or stored.encapsulated):
        return ()
    preferences = preferences or Preferences()
    return tuple(uid for uid in (*preferences.lossless, *preferences.lossy) if uid in accepted)


def targets(preferences: Preferences | None = None) -> tuple[str, ...]:
    """All transfer syntaxes that `candidates` may give: what is worth proposing."""
    preferences = preferences or Preferences()
    return (*preferences.lossless, *preferences.lossy)


def convert_to_first(
    source: Buffer, stored_uid: str, wanted: Sequence[str], options: Options | None = None
) -> Converted:
    """The Data Set in the first of `wanted` that can carry it. Raises as `convert` does."""
    options = options or Options()
    for uid in wanted[:-1]:
        try:
            return convert(source, stored_uid, uid, _options_for(uid, options))
        except CannotCarry:
            continue
    return convert(source, stored_uid, wanted[-1], _options_for(wanted[-1], options))


def _options_for(uid: str, options: Options) -> Options:
    """The quality is for targets that are lossy and nothing else: the others keep every pixel."""
    if uid in LOSSY_ONLY or options.quality is None:
        return options
    return replace(options, quality=None)
