"""Wanted attributes out of a Data Set that arrives in pieces. PS3.5 7, Annex A."""

from collections.abc import Iterable
from typing import final

from fastdicom.kernels._types import Buffer

EVERY_LEVEL: int
ANY_VR: str

@final
class WantedTable:
    """The attributes to look for at the top level of Data Sets; immutable, shared by all scanners.

    attributes: (tag, VR, level), level 0 patient, 1 study, 2 series, 3 image, EVERY_LEVEL for one that is
    kept at each. VR ANY_VR takes the attribute as it is found. Of two rows with one tag the last counts.
    Raises ValueError for no VR or no level.
    """

    count: int
    def __init__(self, attributes: Iterable[tuple[int, str, int]]) -> None: ...

@final
class Scanner:
    """Reads a Data Set piece by piece, keeps the wanted attributes and checks that all of it parses.

    Sequences are walked (also those that nobody wants, with a stack of depth_max, not by recursion), every
    length is compared with what is left of its parent, the values of unwanted elements are passed over.
    A wanted element whose VR is another, whose length does not fit its VR, or that is above the caps is not
    kept; of two with one tag the first is. Explicit VR UN counts as the wanted VR.

    depth_max: nested sequences. value_length_max: bytes of one kept value or sequence. row_length_max: bytes
    of all that is kept. element_count_max: elements, items and delimiters of the Data Set.
    Not for use by two threads at once.
    """

    offset: int
    """Bytes taken since the Data Set's start."""
    def __init__(
        self,
        wanted: WantedTable,
        explicit_vr: bool,
        big_endian: bool,
        *,
        depth_max: int = 64,
        value_length_max: int = 65536,
        row_length_max: int = 1048576,
        element_count_max: int = 10_000_000,
    ) -> None: ...
    def reset(self, explicit_vr: bool, big_endian: bool) -> None:
        """Forget everything and expect the start of a Data Set in this encoding; limits stay."""

    def feed(self, piece: Buffer) -> bool:
        """Take the next piece; True once elements behind the last wanted one have come.

        `piece` is borrowed for the call and may be cut anywhere, even inside an element's head. Feed goes on
        to be called until the end (or skip), since all of the Data Set has to parse. Raises
        MalformedDataset(offset, tag), and again at every further call.
        """

    def skippable(self) -> int:
        """How many bytes that follow are inside a value that nobody wants: they may be skipped."""

    def skip(self, count: int) -> None:
        """Pass over `count` bytes without looking. Raises ValueError above skippable()."""

    def finish(self) -> None:
        """Check that the Data Set is at its end. Raises MalformedDataset naming what is cut or open."""

    def levels(self) -> tuple[bytes, bytes, bytes, bytes]:
        """The patient, study, series and image rows.

        Each is a Data Set in Explicit VR Little Endian, tags ascending, values as received but of even
        length, sequences with explicit lengths. Where the source states no VR, nested elements have that of
        PS3.6 (US for US or SS, OW for OB or OW), UN where it has none.
        """

    def value(self, tag: int) -> bytes | None:
        """The kept value of a wanted attribute, little endian and padded; None when it is not there."""

    def uid(self, tag: int) -> str | None:
        """The value of a wanted attribute as a UID without its padding; None when absent or empty.

        Raises ValueError, with the rest of the sentence, when it is not 1 to 64 digits and dots. PS3.5 9.1.
        """

    def supply(self, tag: int, value: bytes) -> None:
        """Keep `value` for a wanted attribute as if it stood in the (finished) Data Set, little endian."""

    @property
    def skipped(self) -> tuple[int, ...]:
        """Tags of wanted attributes that were there but above value_length_max or row_length_max."""
