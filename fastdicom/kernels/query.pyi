"""Matches index rows against an identifier's keys and encodes the answers. PS3.4 C.2.2.2, C.4.1.1.3.2."""

from collections.abc import Iterable
from typing import final

from typing_extensions import Buffer

PATIENT: int
STUDY: int
SERIES: int
IMAGE: int
COMPUTED: int

UNIVERSAL: int
"""Matches always, also an absent attribute. Operand: None."""
ANY_OF: int
"""One of the data's values is one of the operand's: a tuple of bytes. Case counts, padding does not."""
LIKE: int
"""As ANY_OF with wild cards."""
NAME: int
"""As LIKE for VR PN; operand: a tuple of folded patterns (index/folding.py)."""
DATE: int
"""Operand: (from, to, from, to, ...) of 8 digits each, both included; b"" leaves an end open."""
TIME: int
"""As DATE with 12 digits each: HHMMSSFFFFFF."""
MEMBER: int
"""As ANY_OF; operand: a frozenset of bytes, for long lists."""
CALL: int
"""Operand: a callable that is given the value's bytes, None when absent, and tells whether it matches."""

SlotSpecification = tuple[int, str, int, bool, int, object]
"""(tag, VR, level, returned, kind of matching, operand)"""

@final
class Selector:
    """One identifier, ready to be matched against rows and to be answered.

    specification: the keys in ascending order of their tags, at most 512. A key of level COMPUTED gets its
    value by `set`. plain_charset, other_charset: Specific Character Set of answers whose text is ASCII and
    of others (those are UTF-8). Used by one thread at a time. Raises ValueError for a bad specification,
    and everywhere for a damaged row.
    """

    non_ascii: bool
    """Whether the last answer of `encode` has text that is not ASCII."""
    def __init__(
        self,
        specification: Iterable[SlotSpecification],
        *,
        explicit_vr: bool = True,
        big_endian: bool = False,
        plain_charset: bytes = b"ISO_IR 100",
        other_charset: bytes = b"ISO_IR 192",
    ) -> None: ...
    @property
    def visited(self) -> tuple[int, int, int, int]:
        """Rows looked at so far: of patients, studies, series, instances."""

    def take(self, level: int, row: Buffer) -> bool:
        """Look at a row of one level: True when it matches the keys of that level.

        A study's row holds its patient's attributes too. The row is borrowed until the next one of its
        level, or `release`.
        """

    def take_packed(self, level: int, block: Buffer, first: int) -> int:
        """Look at the rows of a block from slot `first` on: the slot of the next that matches, or -1."""

    def head(self, block: Buffer, slot: int) -> bytes:
        """The head of the row in a slot."""

    def detach(self) -> None:
        """Copy what was borrowed: the values stay good when the rows' memory goes."""

    def held(self, level: int) -> Buffer:
        """The row or block that a level's values point into, after `detach` the copy. Raises ValueError."""

    def release(self) -> None:
        """Let go of all rows."""

    def set(self, index: int, value: bytes | None, vr: str | None = None) -> None:
        """Give slot `index` a value, None for absent, until the next row of its level; and another VR."""

    def counts(self, index: int, level: int, counted: int) -> None:
        """Slot `index` holds a field of the tallies of a level: 1 studies, 2 series, 3 instances,
        4 Modalities in Study, 5 SOP Classes in Study."""

    def count(self, level: int, tally: Buffer) -> bool:
        """Fill in the slots that hold fields of this tally; True when they match."""

    def value(self, index: int) -> bytes | None:
        """What slot `index` holds now; None when it is absent."""

    def matches(self, index: int) -> bool:
        """True when what slot `index` holds matches its key."""

    def name_matches(self, index: int, folded: bytes) -> bool:
        """One folded name against the patterns of slot `index`, which is of kind NAME."""

    def encode(self) -> bytes:
        """The answer: every returned key in order, empty where the rows have nothing."""

    def texts(self) -> list[tuple[int, str, bytes]]:
        """(slot, VR, value) of the returned values whose text is not ASCII, in UTF-8."""

    def encode_with(self, charset: bytes, replaced: dict[int, bytes]) -> bytes:
        """As `encode`, with this Specific Character Set and other values in some slots."""

def matches_like(pattern: bytes, value: bytes) -> bool:
    """One value against one pattern with `*` and `?`. PS3.4 C.2.2.2.4."""
