"""What a codestream claims about itself, read before any decoder sees it; see `fastdicom.transcoding.gate`.

Syntax is judged here: segments in order and inside the data, tables that are possible, parameters that the
process has. Nothing is decoded, nothing allocated from a length field, and the time is linear in the length
of the data. Each function raises CodecError(offset: bytes into `data`) and holds the GIL only to make its
result.
"""

from typing_extensions import Buffer

def read_jpeg(
    data: Buffer, scans_max: int = 100
) -> tuple[
    int, int, int, int, bytes, tuple[tuple[int, int], ...], int, bool, int, int, int, int, int, int, int, bool
]:
    """All markers of a JPEG or JPEG-LS codestream, every scan included. T.81 Annex B, T.87 Annex C.

    Returns (process: the SOF marker's second byte, precision, lines or 0 for an absent DNL, columns,
    component identifiers, (H, V) of each, scans, JFIF seen, Adobe's transform or -1, restart interval, Ss of
    the first scan (predictor of lossless JPEG, NEAR of JPEG-LS), Se of it (ILV of JPEG-LS), Al of it, bytes
    of entropy-coded data, offset behind the codestream, EOI seen).

    Refuses hierarchical processes, more than four components or `scans_max` scans, components that are
    scanned twice or never, restart markers out of order, markers that stand alone (TEM), and JPEG-LS mapping
    tables.
    """

def read_jpeg2000(
    data: Buffer, tiles_max: int = 4096, components_max: int = 4
) -> tuple[int, int, int, int, int, int, bool, int, int, int, int, int, bool, bool, int, bool]:
    """Main header and all tile-parts of a JPEG 2000 or HTJ2K codestream, or of the one in a JP2 file.

    Returns (offset of SOC, offset behind the codestream, rows, columns, components, precision, signed, tiles,
    decomposition levels, layers, progression order, component transform, reversible, high throughput, EnumCS
    of JP2 or 0, EOC seen). T.800 Annexes A, B and I, T.814.

    Refuses Part 2, subsampled components and components of different precision, palettes, tiles that are
    missing or out of order, and whatever makes a decoder allocate beyond reason: more than 2^20 code-blocks,
    more packets than bytes (65,536 are free), images larger than 65,535 a side.
    """

def read_rle(data: Buffer) -> tuple[int, ...]:
    """The segment offsets of an RLE frame: 1-15 of them, ascending and inside the data. PS3.5 G.5."""
