"""Lossless JPEG written by a few lines of Python after T.81 Annex H: streams that no common encoder makes."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Plane = Sequence[Sequence[int]]
"""One component, without point transform: rows of samples."""


class Table(NamedTuple):
    """A Huffman table: how many codes of each length 1-16, and their symbols in order. T.81 B.2.4.2."""

    counts: tuple[int, ...]
    symbols: tuple[int, ...]

    def codes(self) -> dict[int, str]:
        """Each symbol's code as a string of bits. T.81 Annex C."""
        codes, code, symbols = {}, 0, iter(self.symbols)
        for length, count in enumerate(self.counts, 1):
            for _ in range(count):
                codes[next(symbols)] = format(code, f"0{length}b")
                code += 1
            code <<= 1
        return codes


def table(lengths: dict[int, int], symbols: Iterable[int]) -> Table:
    return Table(tuple(lengths.get(length, 0) for length in range(1, 17)), tuple(symbols))


FLAT = table({5: 17}, range(17))
LONG = table({length: 1 for length in range(1, 16)} | {16: 2}, range(17))
"""One code of every length, the last of them all ones: 16 times 1 for SSSS 16."""
ALL_ONES = table(
    {2: 3, 6: 14, 8: 8}, [0, 3, 5, *(n for n in range(17) if n not in (0, 3, 5)), *range(100, 108)]
)
"""Symbols that no difference has, the last of them coded as ones only; libjpeg-turbo refuses such a table."""
TABLES = {"flat": FLAT, "long": LONG, "unused symbols": ALL_ONES}


class Options(NamedTuple):
    """How to write; see `encode`."""

    precision: int
    predictor: int = 1
    shift: int = 0
    restart_lines: int = 0
    interleaved: bool = True
    tables: Sequence[Table] = (FLAT,)
    line_count: str = "header"  # or "dnl", or "nowhere"
    end: bool = True
    fill: bool = False  # fill bytes before markers, and a comment


def predict(selection: int, left: int, above: int, corner: int) -> int:
    """T.81 Table H.1."""
    return {
        1: left,
        2: above,
        3: corner,
        4: left + above - corner,
        5: left + ((above - corner) >> 1),
        6: above + ((left - corner) >> 1),
        7: (left + above) >> 1,
    }[selection]


def differences(plane: Plane, options: Options) -> list[list[int]]:
    """Of one component, modulo 2^16. T.81 H.1.2.1."""
    restart = options.restart_lines or len(plane)
    out = []
    for y, row in enumerate(plane):
        first = y % restart == 0
        line = []
        for x, sample in enumerate(row):
            if first and x == 0:
                predicted = 1 << (options.precision - options.shift - 1)
            elif first:
                predicted = row[x - 1]
            elif x == 0:
                predicted = plane[y - 1][0]
            else:
                predicted = predict(options.predictor, row[x - 1], plane[y - 1][x], plane[y - 1][x - 1])
            line.append((sample - predicted) & 0xFFFF)
        out.append(line)
    return out


def bits_of(difference: int, codes: dict[int, str]) -> str:
    """Code and additional bits. T.81 F.1.2.1, H.1.2.2."""
    if difference == 32768:
        return codes[16]
    value = difference - 65536 if difference > 32768 else difference
    ssss = abs(value).bit_length()
    return codes[ssss] + (
        format(value if value > 0 else value + (1 << ssss) - 1, f"0{ssss}b") if ssss else ""
    )


def stuffed(bits: str) -> bytes:
    """Whole bytes, ones at the end, a zero after each FFH. T.81 F.1.2.3."""
    bits += "1" * (-len(bits) % 8)
    return int(bits or "0", 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def entropy(planes: Sequence[list[list[int]]], codes: Sequence[dict[int, str]], options: Options) -> bytes:
    """One scan of interleaved components, restart markers between its intervals."""
    rows = len(planes[0])
    step = options.restart_lines or rows
    out = b""
    for number, start in enumerate(range(0, rows, step)):
        if start:
            out += bytes([0xFF, 0xD0 + (number - 1) % 8])
        out += stuffed(
            "".join(
                bits_of(plane[y][x], code)
                for y in range(start, min(start + step, rows))
                for x in range(len(planes[0][0]))
                for plane, code in zip(planes, codes, strict=True)
            )
        )
    return out


def segment(marker: int, content: bytes, fill: bool = False) -> bytes:
    return (b"\xff\xff" if fill else b"") + struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def huffman_segment(identifier: int, huffman: Table) -> bytes:
    return bytes([identifier, *huffman.counts, *huffman.symbols])


def scan_header(components: Sequence[int], options: Options) -> bytes:
    tables = len(options.tables)
    content = bytes([len(components)]) + bytes(byte for c in components for byte in (c + 1, c % tables << 4))
    return segment(0xDA, content + bytes([options.predictor, 0, options.shift]), options.fill)


def encode(planes: Sequence[Plane], options: Options) -> bytes:
    """A codestream of these components; component c uses table c modulo the number of tables."""
    rows, columns = len(planes[0]), len(planes[0][0])
    codes = [options.tables[c % len(options.tables)].codes() for c in range(len(planes))]
    lines = rows if options.line_count == "header" else 0
    components = b"".join(bytes([c + 1, 0x11, 0]) for c in range(len(planes)))
    out = b"\xff\xd8"
    if options.fill:
        out += segment(0xFE, b"a comment", True)
    out += segment(0xC3, struct.pack(">BHHB", options.precision, lines, columns, len(planes)) + components)
    for identifier, huffman in enumerate(options.tables):
        out += segment(0xC4, huffman_segment(identifier, huffman), options.fill)
    if options.restart_lines:
        out += segment(0xDD, struct.pack(">H", options.restart_lines * columns))
    scans = [list(range(len(planes)))] if options.interleaved else [[c] for c in range(len(planes))]
    for number, scan in enumerate(scans):
        coded = [differences(planes[c], options) for c in scan]
        out += scan_header(scan, options) + entropy(coded, [codes[c] for c in scan], options)
        if number == 0 and options.line_count == "dnl":
            out += segment(0xDC, struct.pack(">H", rows))
    return out + (b"\xff\xd9" if options.end else b"")


def noise(rows: int, columns: int, samples: int, bits: int, seed: int = 1) -> list[list[list[int]]]:
    """Components with smooth parts, noise and jumps over the whole range."""
    rng = random.Random(seed)
    top = (1 << bits) - 1
    planes = []
    for _ in range(samples):
        value, plane = rng.randint(0, top), []
        for _ in range(rows):
            line = []
            for _ in range(columns):
                kind = rng.random()
                if kind < 0.1:
                    value = rng.randint(0, top)
                elif kind < 0.15:
                    value = rng.choice((0, top, (top + 1) // 2))
                elif kind < 0.7:
                    value = min(top, max(0, value + rng.randint(-9, 9)))
                line.append(value)
            plane.append(line)
        planes.append(plane)
    return planes


def native(planes: Sequence[Plane], bits_allocated: int, shift: int = 0, planar: bool = False) -> bytes:
    """The components as a native frame, little-endian."""
    width = bits_allocated // 8
    rows, columns = range(len(planes[0])), range(len(planes[0][0]))
    if planar:
        order = [plane[y][x] for plane in planes for y in rows for x in columns]
    else:
        order = [plane[y][x] for y in rows for x in columns for plane in planes]
    return b"".join((value << shift).to_bytes(width, "little") for value in order)
