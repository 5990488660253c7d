"""Fuzzes what reads Data Sets: each entry returns or raises a FastdicomError, and agrees with itself.

The mutations know what Data Sets are made of, so they are not those of driver.py.

python -m tests.fuzz scan recode part10 inflate; see docs/fuzzing.md.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

from fastdicom.dataset.inflate import Inflater
from fastdicom.dataset.part10 import encode_file_meta, read_file_meta
from fastdicom.dataset.scanned import record_from, wanted_table
from fastdicom.errors import FastdicomError
from fastdicom.kernels.recode import Recoder
from fastdicom.kernels.scan import Scanner
from fastdicom.transcoding.codecs import JPEG_LOSSLESS_SV1
from fastdicom.transcoding.nested import with_native_icons
from fastdicom.transcoding.outline import WANTED, Outline
from tests.fuzz.mutations import mutated
from tests.support.elements import BIG, CODINGS, EXPLICIT, Coding, Element, Item, encode
from tests.support.real_files import shipped

TABLE = wanted_table()
CORPUS_LENGTH_MAX = 4000
Target = Callable[[bytes, Coding, random.Random], None]


def corpus() -> list[tuple[bytes, Coding]]:
    """Small real Data Sets and one of every construct, in each coding."""
    code = Item((Element(0x00080100, "SH", b"CODE"), Element(0x00091001, "OB", b"\1\2")), undefined=True)
    constructs = (
        Element(0x00080005, "CS", b"ISO_IR 100"),
        Element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
        Element(0x00080018, "UI", b"1.2.3\0"),
        Element(0x00081032, "SQ", items=(code, Item((Element(0x00081032, "SQ", items=(code,)),)))),
        Element(0x0020000D, "UI", b"1.2.4\0"),
        Element(0x0020000E, "UI", b"1.2.5\0"),
        Element(0x00280100, "US", b"\x08\0"),
        Element(0x00280103, "US", b"\1\0"),
        Element(0x00280106, "US", b"\1\0"),
        Element(0x54000100, "SQ", items=(Item((Element(0x54001010, "OW", bytes(8)),)),)),
        Element(0x7FE00010, "OW", bytes(64)),
    )
    pixels = Element(0x7FE00010, "OB", fragments=(b"", b"\xff\xd8\xff\xd9"))
    icon = Element(0x00880200, "SQ", items=(Item((pixels,), undefined=True), code), undefined=True)
    deeper = Element(
        0x0040A730, "SQ", items=(Item((icon,)), Item((Element(0x00880200, "SQ", items=(code,)),)))
    )
    made = [(encode(constructs, coding), coding) for coding in CODINGS]
    made += [(encode((*constructs[:3], *more, pixels), EXPLICIT), EXPLICIT) for more in ((), (deeper, icon))]
    real = [(one.data, one.coding) for one in shipped() if len(one.data) <= CORPUS_LENGTH_MAX]
    return made * 4 + real


CORPUS = corpus()


def scan(data: bytes, coding: Coding, edges: list[int]) -> tuple[object, FastdicomError | None]:
    """What a scanner with low ceilings says of `data` cut at `edges`."""
    scanner = Scanner(
        TABLE, coding.explicit_vr, coding.big_endian, depth_max=8, value_length_max=256, row_length_max=2048
    )
    try:
        at = 0
        for edge in [*edges, len(data)]:
            scanner.feed(data[at:edge])
            at = edge
        scanner.finish()
        record_from(scanner, None, None)
    except FastdicomError as error:
        return str(error), error
    return (scanner.levels(), scanner.skipped), None


def fuzz_scan(data: bytes, coding: Coding, rng: random.Random) -> None:
    """Whole and in pieces, the outcome is the same; what parses can be converted; rows are Data Sets."""
    edges = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(6)))
    whole, error = scan(data, coding, [])
    pieces, _ = scan(data, coding, edges)
    assert whole == pieces
    if error is not None:
        raise error
    Recoder(data, coding.explicit_vr, coding.big_endian, True, True, encapsulated=True)
    for row in whole[0]:  # type: ignore[index]
        Recoder(row, True, False, True, False)


def fuzz_recode(data: bytes, coding: Coding, rng: random.Random) -> None:
    """The result is as long as announced, and recodes to itself; places lie inside, icons are found."""
    target = rng.choice(CODINGS)
    recoder = Recoder(
        data,
        coding.explicit_vr,
        coding.big_endian,
        target.explicit_vr,
        target.big_endian,
        encapsulated=True,
        wanted=WANTED,
    )
    result = b"".join(recoder)
    assert len(result) == recoder.length
    for tag in WANTED:
        vr, start, value, end = recoder.place(tag)
        assert 0 <= start <= value <= end <= len(data) and (vr or start == end)
    assert (recoder.nested_fragments is None) == (recoder.nested_tags == ())
    if recoder.nested_tags != () and coding == EXPLICIT:
        outline, changes = with_native_icons(Outline(data, JPEG_LOSSLESS_SV1), 64, lambda item: b"")
        b"".join(outline.rewritten(changes, len(data)))
    if target == BIG:
        again = Recoder(result, True, True, True, True, encapsulated=True)
        assert b"".join(again) == result


def fuzz_part10(data: bytes, coding: Coding, rng: random.Random) -> None:
    """Damaged File Meta Information in front of a damaged Data Set."""
    head = encode_file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1", "A", "B")
    file = mutated(head, rng) + data
    assert 0 <= read_file_meta(file).dataset_offset <= len(file)


def fuzz_inflate(data: bytes, coding: Coding, rng: random.Random) -> None:
    """A damaged deflate stream, in pieces."""
    deflater = zlib.compressobj(wbits=-15)
    stream = mutated(deflater.compress(data) + deflater.flush(), rng)
    inflater = Inflater(inflated_length_max=2500, ratio_max=2, ratio_free=1000)
    step = rng.randrange(1, len(stream) + 2)
    for at in range(0, len(stream), step):
        for piece in inflater.feed(stream[at : at + step]):
            assert piece
    inflater.finish()


TARGETS: dict[str, Target] = {
    "scan": fuzz_scan,
    "recode": fuzz_recode,
    "part10": fuzz_part10,
    "inflate": fuzz_inflate,
}


FOUND: dict[str, tuple[int, ...]] = {
    # the short way through plain elements took two zero bytes for a VR, the general one did not
    "scan": (13194139535438,),
}
"""Seeds of what was found once; see docs/fuzzing.md."""


def run(target: Target, seed: int) -> bool:
    """One execution; True when the input was taken."""
    rng = random.Random(seed)
    data, coding = rng.choice(CORPUS)
    try:
        target(mutated(data, rng), coding if rng.randrange(8) else rng.choice(CODINGS), rng)
    except FastdicomError:
        return False
    except BaseException:
        print(f"finding: {target.__name__}, seed {seed}")
        raise
    return True
