"""Fills the table of docs/transcoding.md: what happens from each transfer syntax to each other.

    python -m docs.generate_transcoding            writes the file (from the root of a checkout)
    python -m docs.generate_transcoding --check    ends with 1 when it is not up to date

The table comes from the tables that the code itself uses; a test converts an image along its cells.
"""

from __future__ import annotations

import sys
from pathlib import Path

from docs.generated import Blocks, table, write
from fastdicom.standard.transfer_syntaxes import KNOWN, NATIVE
from fastdicom.transcoding.codecs import LOSSY_ONLY
from fastdicom.transcoding.plan import LOSSLESS_ORDER, LOSSY_ORDER

DOCUMENT = Path(__file__).with_name("transcoding.md")
TARGETS = (*LOSSLESS_ORDER, *LOSSY_ORDER)

SAME, CODED, DECODED, ENCODED, RECODED, LOSSY, REFUSED = "=", "c", "D", "E", "T", "L", "–"
MEANINGS = {
    SAME: "byte for byte",
    CODED: "VRs, byte order and deflation change, pixels at most their byte order",
    DECODED: "decoded",
    ENCODED: "encoded, every pixel kept",
    RECODED: "decoded and encoded, every decoded pixel kept",
    LOSSY: "encoded with loss: a new instance; never unless it is asked for or configured",
    REFUSED: "refused; without pixels, the coding of the Data Set changes",
}


def what_happens(from_uid: str, to_uid: str) -> str:
    """The sign for an instance with pixels from one transfer syntax to another."""
    source, target = KNOWN[from_uid], KNOWN[to_uid]
    if from_uid == to_uid:
        return SAME
    if not source.decode or not target.encode:
        return REFUSED
    if to_uid in LOSSY_ONLY:
        return LOSSY
    if from_uid in NATIVE:
        return CODED if to_uid in NATIVE else ENCODED
    return DECODED if to_uid in NATIVE else RECODED


def pairs() -> str:
    """All transfer syntaxes that we know, to all that we write."""
    names = [_short(uid) for uid in TARGETS]
    rows = [
        (f"`{row.keyword}`", *(what_happens(uid, target) for target in TARGETS), _other(uid))
        for uid, row in KNOWN.items()
    ]
    legend = "\n".join(f"- `{sign}` {meaning}" for sign, meaning in MEANINGS.items())
    return f"{legend}\n\n" + table(("from \\ to", *names, "any other"), rows)


def _other(uid: str) -> str:
    return REFUSED if uid in TARGETS else f"{SAME} to itself, else {REFUSED}"


def _short(uid: str) -> str:
    return {
        "1.2.840.10008.1.2": "Implicit",
        "1.2.840.10008.1.2.1": "Explicit",
        "1.2.840.10008.1.2.2": "Big",
        "1.2.840.10008.1.2.1.99": "Deflated",
        "1.2.840.10008.1.2.5": "RLE",
    }.get(uid, "." + uid.rpartition(".")[2])


BLOCKS: Blocks = {"transcoding-pairs": pairs}


if __name__ == "__main__":
    sys.exit(write(DOCUMENT, BLOCKS))
