"""One native coding of a Data Set to another. PS3.5 7, 10, Annex A."""

from collections.abc import Collection
from typing import final

from fastdicom.kernels._types import Buffer

@final
class Recoder:
    """The pieces of a Data Set in another coding of VRs and byte order, as an iterator.

    source: the whole Data Set, borrowed as long as the Recoder and the views that it gave live.
    The constructor walks all of it, so that nothing can go wrong once the first piece is out: it raises
    MalformedDataset(offset, tag). A piece is bytes, or a view of `source` for a long value that stays as it
    is; none is empty.

    Group Lengths and superfluous delimiters are left out. Sequences and items keep their kind of length.
    UN of undefined length becomes SQ. Without a VR, the element has that of PS3.6: private ones are UN,
    US or SS follows Pixel Representation, OB or OW the bits allocated, US or OW is OW. A value that is
    too long for the 16-bit length of its VR becomes UN. Numbers are swapped by their VR, not inside UN.

    encapsulated: pixel data in fragments may stand at the top level (it is copied as it is); otherwise this
    is a fault, since no native transfer syntax has it.

    wanted: tags of the top level whose places are noted on the way.
    """

    length: int
    """Bytes of the whole result."""
    nested_fragments: int | None
    """Where the first pixel data in fragments begin that stand inside a sequence (an icon), or None."""
    nested_tags: tuple[int, ...] | None
    """The elements of the top level that have such pixel data somewhere inside; None for more than 8."""
    in_order: bool
    """With `wanted`: every tag of the top level is above the one before it, as PS3.5 7.1 has it."""
    def __init__(
        self,
        source: Buffer,
        explicit_vr: bool,
        big_endian: bool,
        to_explicit_vr: bool,
        to_big_endian: bool,
        *,
        encapsulated: bool = False,
        depth_max: int = 64,
        wanted: Collection[int] = (),
    ) -> None: ...
    def place(self, tag: int) -> tuple[str, int, int, int]:
        """(VR, start, start of the value, end) of a wanted element, as offsets in `source`.

        The first of several elements with the same tag counts. VR is as stated, "UN" where none is; "" if
        there is no such element: then all three are where it belongs. The end of a value of undefined
        length includes its delimiter. Raises KeyError for a tag that was not wanted.
        """
    def __iter__(self) -> Recoder: ...
    def __next__(self) -> bytes | memoryview: ...
