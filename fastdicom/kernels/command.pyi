from fastdicom.kernels._types import Buffer

Field = int | str | tuple[int, ...]

def decode(data: Buffer) -> dict[int, Field]:
    """The fields of a Command Set by element number of group 0000. PS3.7 6.3.1, E.1.

    US as int, UI, AE and LO as str without padding, AT as a tuple of tags; elements that PS3.7 does not
    know and the group length are left out, and so are empty US. Raises PeerError when an element does not
    fit or is of another group.
    """

def encode(fields: list[tuple[int, Field]]) -> bytes:
    """A Command Set with its group length from (element number, value) pairs in ascending order."""
