"""Encapsulated Pixel Data: where the fragments are, and which of them make which frame. PS3.5 A.4.

transcoding/frames.py is the way to use this; here are the scans that its decisions are made from.
"""

from typing_extensions import Buffer

class Fragments:
    """The fragments of one Pixel Data value, and their frames once a rule has assigned them.

    Holds 12 bytes a fragment and no reference to the data. The assign_ methods return whether their rule
    holds; if so the frames are those of this rule, if not there are none. The data given to them are
    those that were walked.
    """

    end: int
    """The offset behind the Sequence Delimitation Item, or the data's end without one."""
    delimited: bool
    """Whether there was a Sequence Delimitation Item."""
    table_offset: int
    table_length: int
    """Where the entries of the Basic Offset Table are; 0 and 0 if it is missing."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> tuple[int, int]:
        """(offset, length) of a fragment's bytes."""

    def assign_one_each(self, frame_count: int) -> bool:
        """Every fragment is a frame."""

    def assign_all(self) -> bool:
        """All fragments are one frame."""

    def assign_offsets(self, data: Buffer, table: Buffer, width: int, frame_count: int) -> bool:
        """A frame starts where each entry points, counted from the first fragment's item.

        width: 4 for the entries of a Basic, 8 for those of an Extended Offset Table. Holds if there is an
        entry for each frame, the first is 0, each points at an item behind the one before, and, where the
        first fragment starts a JPEG, JPEG-LS, JPEG 2000 or RLE codestream, each points at another.
        """

    def assign_codestreams(self, data: Buffer, frame_count: int, ended: bool) -> bool:
        """A frame starts with each fragment that starts a codestream of the first fragment's kind.

        The bytes that tell may be spread over fragments. ended: and only if the codestream before it is
        complete (JPEG and JPEG 2000: its EOI or EOC is right before, zeros after it aside). Holds if that
        gives `frame_count` frames.
        """

    def frame(self, index: int) -> tuple[int, int]:
        """The fragments of a frame: (first, behind the last). IndexError if no rule made such a frame."""

    def join(self, data: Buffer, index: int) -> bytes:
        """The fragments of a frame put together; the GIL is released while they are copied."""

def walk(data: Buffer, start: int = 0, fragments_max: int = 4194304) -> Fragments:
    """Find the fragments of the Pixel Data value that starts at byte `start`, with its first item.

    Only the head of each item is read, and the first bytes of the first. A value without a delimiter is
    accepted if the data end with an item; a first item that starts a codestream is a fragment: the
    Basic Offset Table was left out. Odd lengths are taken as they are.

    Raises MalformedDataset (offset: of the item, in `data`) if anything but an item follows an item, if
    an item goes on past the data or has no length, or if there are more than `fragments_max`.
    """
