"""Small questions about index rows and the Data Sets in them. Layout: ext/row.pxd."""

from typing_extensions import Buffer

def text_is_plain(dataset: Buffer) -> bool:
    """True when every text value, in sequences too, is ASCII without escape sequences.

    False as well when the bytes are no Data Set in Explicit VR Little Endian with explicit lengths.
    """

def value_of(dataset: Buffer, tag: int) -> bytes | None:
    """The value of a top level element, with its padding; None when it is absent."""

def elements(dataset: Buffer) -> list[tuple[int, str, bytes]]:
    """(tag, VR, value) of each top level element. Raises ValueError when the bytes end inside one."""

def items(sequence: Buffer) -> list[bytes]:
    """The items of a sequence's value, each a Data Set. Raises ValueError."""

def parts(row: Buffer) -> tuple[bytes, bytes, bytes, bytes]:
    """(head, upper, own, folded) of a row. Raises ValueError when it is damaged."""

def packed(block: Buffer, slot: int) -> bytes:
    """The row in a slot of a block of rows, b"" when there is none. Raises ValueError."""

def vr_of(tag: int) -> str:
    """The VR of a tag by PS3.6, UN when it has none; US for those that are US or SS."""

def packed_tally(
    studies: int,
    series: int,
    instances: int,
    length: int,
    modalities: dict[bytes, int],
    sop_classes: dict[bytes, int],
) -> bytes:
    """A value of the database `tallies`: fixed part, the values of both joined by backslashes, their counts.

    Little endian; 32 bits a number, 64 for the length. Raises OverflowError.
    """
