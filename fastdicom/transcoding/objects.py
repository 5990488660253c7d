"""A whole Data Set from one transfer syntax to another: frame by frame, and the attributes with them.

Memory holds one frame (a few with helpers), its codestream, and what `Options` allows results to take before
they go to an unnamed file; the source is borrowed and may be a mapped file of any size. The native
conversions of Data Sets without a change of pixels are native.py's.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from fastdicom.dataset.part10 import is_deflated
from fastdicom.errors import CodecError, Refused
from fastdicom.kernels.jpeg_lossless import Decoding
from fastdicom.kernels.recode import Recoder
from fastdicom.standard.status import PROCESSING_FAILURE
from fastdicom.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    KNOWN,
    NATIVE,
)
from fastdicom.transcoding import codecs, gate
from fastdicom.transcoding import frames as encapsulated_frames
from fastdicom.transcoding import outline as tags
from fastdicom.transcoding.around import Recoded, after_pixels, before_pixels, image_changes, joined
from fastdicom.transcoding.buffers import FrameBuffers, Lease
from fastdicom.transcoding.codecs import CannotCarry, ColourChoice, Quality
from fastdicom.transcoding.converted import Converted
from fastdicom.transcoding.derived import METHODS, derivation, lossy_flags
from fastdicom.transcoding.frames import (
    basic_offset_table,
    encapsulate,
    extended_offset_table,
)
from fastdicom.transcoding.image import NativeFrames, native_length, native_value, read_image
from fastdicom.transcoding.native import deflated, recode
from fastdicom.transcoding.nested import with_native_icons
from fastdicom.transcoding.outline import UNDEFINED, Coding, Outline, coding_of, element, head
from fastdicom.transcoding.spool import MEMORY_MAX, Buffer, Spool

if TYPE_CHECKING:
    from fastdicom.transcoding.workers import Workers

NATIVE_LENGTH_MAX: Final = 0xFFFFFFFE
"""Native Pixel Data of a stated length, PS3.5 7.1."""
STREAMED_FROM: Final = 64 << 20
"""Bytes of native frames from which on `Options.streamed` has an effect."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to convert.

    colour: what YCbCr in JPEG becomes as native pixels. quality: of lossy targets; None keeps every pixel
    wherever the target can. frame_length_max: bytes of a native frame. depth_max, inflated_length_max: as in
    `native.recode`. folder: for what does not fit into memory_max bytes; min_free: bytes that stay free
    there. workers: processes for the codec libraries. helpers: threads that work on several frames of one
    Data Set at once. streamed: the frames of long results may go out without an offset table, as each is
    ready. buffers: memory for the pixels of a single frame; whoever sets it calls `Converted.release`.
    notes_loss: native pixels of a lossy stream say so, in attributes that an icon does not have.
    begins_early: a single frame may be decoded into `buffers` by another thread before it is asked for.
    """

    colour: ColourChoice = "rgb"
    quality: Quality | None = None
    frame_length_max: int = gate.FRAME_LENGTH_MAX
    depth_max: int = 64
    inflated_length_max: int = 2 << 30
    folder: str | os.PathLike[str] | None = None
    min_free: int = 0
    memory_max: int = MEMORY_MAX
    workers: Workers | None = None
    helpers: Executor | None = None
    helper_count: int = 1
    streamed: bool = False
    buffers: FrameBuffers | None = None
    notes_loss: bool = True
    begins_early: bool = False


def convert(source: Buffer, from_uid: str, to_uid: str, options: Options | None = None) -> Converted:
    """The Data Set `source`, all of it without File Meta Information, in another transfer syntax.

    What is wrong with the Data Set's structure, and whether the target can carry the image at all, shows
    here; what is wrong inside a frame shows here or while iterating, as CodecError that names the frame.
    `source` is borrowed until the last piece is gone.

    Raises Refused for a transfer syntax that is only stored and sent on, MalformedDataset, CannotCarry where
    another target may be able to, CodecError, Unavailable without a codec worker, OSError from the folder.
    """
    options = options or Options()
    if from_uid == to_uid:
        return Converted(to_uid, (source,), len(source), settled=True)
    _check_known(from_uid, to_uid)
    if is_deflated(from_uid):
        if to_uid in NATIVE:
            return _native(source, from_uid, to_uid, options)
        source, from_uid = _as_explicit(source, from_uid, options), EXPLICIT_VR_LITTLE_ENDIAN
    if is_deflated(to_uid):
        if from_uid in NATIVE:
            return _native(source, from_uid, to_uid, options)
        plain = convert(source, from_uid, EXPLICIT_VR_LITTLE_ENDIAN, options)
        return Converted(
            to_uid, deflated(plain), None, plain.sop_instance_uid, changed_pixels=plain.changed_pixels
        )
    outline = Outline(source, from_uid, options.depth_max)
    if outline.has_pixels:
        return _pixels(outline, from_uid, to_uid, options)
    if outline.nested_fragments is not None:
        outline, changes = _with_native_icons(outline, from_uid, options)
        source = joined(outline.rewritten(changes, len(source)), options)
    target = to_uid if to_uid in NATIVE else EXPLICIT_VR_LITTLE_ENDIAN
    coding, target_coding = outline.coding, coding_of(target)
    if coding == target_coding:
        return Converted(to_uid, (source,), len(source), settled=True)
    recoder = Recoder(source, *coding, *target_coding, depth_max=options.depth_max)
    return Converted(to_uid, recoder, recoder.length, settled=True)


def _check_known(*uids: str) -> None:
    for uid in uids:
        syntax = KNOWN.get(uid)
        if syntax is None:
            raise Refused(PROCESSING_FAILURE, f"transfer syntax {uid} is not known and cannot be converted")
        if not (syntax.native or syntax.encapsulated):
            raise Refused(PROCESSING_FAILURE, f"{syntax.name} cannot be converted")


def _native(source: Buffer, from_uid: str, to_uid: str, options: Options) -> Converted:
    pieces = recode(
        source,
        from_uid,
        to_uid,
        inflated_length_max=options.inflated_length_max,
        depth_max=options.depth_max,
        folder=options.folder,
        min_free=options.min_free,
    )
    return Converted(to_uid, pieces, pieces.length, settled=not is_deflated(from_uid))


def _as_explicit(source: Buffer, from_uid: str, options: Options) -> Buffer:
    pieces = _native(source, from_uid, EXPLICIT_VR_LITTLE_ENDIAN, options)
    return joined(pieces, options)


def _pixels(outline: Outline, from_uid: str, to_uid: str, options: Options) -> Converted:
    """A Data Set with pixels, neither side deflated."""
    if from_uid in NATIVE and to_uid in NATIVE:
        return _native(outline.source, from_uid, to_uid, options)
    _check_codecs(from_uid, to_uid)
    if from_uid in NATIVE:
        if outline.nested_fragments is not None:
            raise CannotCarry("fragments in a native transfer syntax", outline.nested_fragments)
        if from_uid == EXPLICIT_VR_BIG_ENDIAN:
            explicit = _as_explicit(outline.source, from_uid, options)
            outline = Outline(explicit, EXPLICIT_VR_LITTLE_ENDIAN, options.depth_max)
        return _Encoding(outline, _Native(outline, options), to_uid, options).converted()
    icons: dict[int, bytes] = {}
    if outline.nested_fragments is not None:
        outline, icons = _with_native_icons(outline, from_uid, options)
    decoding = _Decoding(outline, from_uid, options)
    decoding.changes |= icons
    if to_uid in NATIVE:
        return _to_native(outline, decoding, to_uid, options)
    return _Encoding(outline, decoding, to_uid, options).converted()


def _with_native_icons(outline: Outline, from_uid: str, options: Options) -> tuple[Outline, dict[int, bytes]]:
    """See nested.py."""
    if from_uid in NATIVE:
        raise CannotCarry("fragments in a native transfer syntax", outline.nested_fragments)
    within = replace(options, notes_loss=False, buffers=None)

    def decode(item: memoryview) -> bytes:
        converted = convert(item, from_uid, EXPLICIT_VR_LITTLE_ENDIAN, within)
        if converted.length is None or converted.length > options.memory_max:
            raise CannotCarry(f"an icon of {converted.length} bytes")
        return b"".join(converted)

    return with_native_icons(outline, options.depth_max, decode)


def _check_codecs(from_uid: str, to_uid: str) -> None:
    """Retired hierarchical and arithmetic processes, JPEG 2000 Part 2, MPEG: stored and sent on only."""
    source, target = KNOWN[from_uid], KNOWN[to_uid]
    if not source.decode:
        raise Refused(PROCESSING_FAILURE, f"pixels in {source.name} are kept as they are: no decoder")
    if not target.encode:
        raise Refused(PROCESSING_FAILURE, f"pixels are not coded in {target.name}: no encoder")


# ---- frames
# ------------------------------------------------------------------------------------------------------


class _Native:
    """The native frames of a Data Set that is native."""

    def __init__(self, outline: Outline, options: Options) -> None:
        self.image, self.count = read_image(outline, options.frame_length_max)
        self._frames = NativeFrames(outline.value(tags.PIXEL_DATA), self.image, self.count)
        self.image = self.image._replace(planar_configuration=0)
        self.changes: dict[int, bytes] = {}

    def frame(self, index: int) -> Buffer:
        return self._frames[index]


class _Decoding:
    """The native frames of a Data Set that is encapsulated.

    image: the attributes of the decoded frames. changes: what has to be said about earlier loss.
    """

    def __init__(self, outline: Outline, from_uid: str, options: Options) -> None:
        self._uid = from_uid
        self._options = options
        self._stored, self.count = read_image(outline, options.frame_length_max)
        self._frames = _fragments(outline, self.count)
        self._first = self._inspect(0)
        self.image = codecs.inspected_image(self._first, self._stored, options.colour)
        self._begun: Decoding | None = None
        self.changes: dict[int, bytes] = {}
        if (
            options.notes_loss
            and not self._first.lossless
            and outline.text(tags.LOSSY_IMAGE_COMPRESSION) != "01"
        ):
            self.changes = self._loss(outline, self._first)

    def _inspect(self, index: int) -> gate.Codestream:
        with _naming(index, self.count):
            return gate.inspect(self._uid, self._frames[index], self._stored)

    def _loss(self, outline: Outline, first: gate.Codestream) -> dict[int, bytes]:
        """The source does not say that it is lossy: the native pixels have to."""
        place = outline.places[tags.PIXEL_DATA]
        ratio = native_length(self._stored, self.count) / max(1, place.end - place.value)
        return lossy_flags(outline, max(1.0, ratio), first.coding) if first.coding in METHODS else {}

    def begin(self, out: bytearray) -> Decoding | None:
        """Have the first frame decoded by another thread, if that is worth it."""
        with _naming(0, self.count):
            self._begun = codecs.begin_decoding(self._first, self._frames[0], self._stored, True, out)
        return self._begun

    def frame(self, index: int, out: bytearray | None = None) -> Buffer:
        """One frame, in `out` if that is given and our own kernels decode it."""
        found = self._inspect(index) if index else self._first
        options = self._options
        with _naming(index, self.count):
            if codecs.inspected_image(found, self._stored, options.colour) != self.image:
                raise CodecError("its colours are not those of the first frame")
            return codecs.decode_inspected(
                found,
                self._frames[index],
                self._stored,
                options.colour,
                True,
                options.workers,
                out,
                self._begun if index == 0 else None,
            )


Frames = _Native | _Decoding


def frames_of(source: Buffer, transfer_syntax_uid: str, options: Options | None = None) -> Frames:
    """The native frames of a Data Set in any transfer syntax that we decode. Raises as `convert` does."""
    options = options or Options()
    _check_known(transfer_syntax_uid)
    if is_deflated(transfer_syntax_uid) or transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN:
        source = _as_explicit(source, transfer_syntax_uid, options)
        transfer_syntax_uid = EXPLICIT_VR_LITTLE_ENDIAN
    outline = Outline(source, transfer_syntax_uid, options.depth_max)
    if transfer_syntax_uid in NATIVE:
        return _Native(outline, options)
    _check_codecs(transfer_syntax_uid, EXPLICIT_VR_LITTLE_ENDIAN)
    return _Decoding(outline, transfer_syntax_uid, options)


def _fragments(outline: Outline, count: int) -> encapsulated_frames.Frames:
    place = outline.places[tags.PIXEL_DATA]
    length = bytes(outline.source[place.value - 4 : place.value])
    if length != b"\xff\xff\xff\xff":
        raise CodecError("Pixel Data without fragments in an encapsulated transfer syntax", place.start)
    extended = None
    if tags.EXTENDED_OFFSET_TABLE in outline:
        extended = (
            outline.value(tags.EXTENDED_OFFSET_TABLE),
            outline.value(tags.EXTENDED_OFFSET_TABLE_LENGTHS),
        )
    return encapsulated_frames.Frames(outline.source, place.value, count, extended)


class _naming:
    """Adds to the errors of a codec which frame it was."""

    def __init__(self, index: int, count: int) -> None:
        self._name = f"frame {index + 1} of {count}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, CodecError) and not str(fault).startswith("frame "):
            fault.args = (f"{self._name}: {fault}",)


def _each(make: Callable[[int], Buffer], count: int, options: Options) -> Iterator[Buffer]:
    """make(0) to make(count - 1) in order, some ahead on the helpers' threads."""
    if options.helpers is None or count == 1:
        yield from map(make, range(count))
        return
    waiting: deque[Future[Buffer]] = deque()
    try:
        for index in range(count):
            waiting.append(options.helpers.submit(make, index))
            if len(waiting) > options.helper_count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


# ---- results
# -----------------------------------------------------------------------------------------------------


def _to_native(outline: Outline, decoding: _Decoding, to_uid: str, options: Options) -> Converted:
    image, count = decoding.image, decoding.count
    target = coding_of(to_uid)
    length = native_length(image, count)
    length += length % 2
    if length > NATIVE_LENGTH_MAX:
        raise CannotCarry(f"{count} native frames take {length} bytes, Pixel Data hold {NATIVE_LENGTH_MAX}")
    changes = decoding.changes | image_changes(outline, image)
    before = before_pixels(outline, changes, target, options)
    vr = "OW" if image.bits_allocated > 8 else "OB"
    pixel_head = head(tags.PIXEL_DATA, vr, length, target)
    after = after_pixels(outline, changes, target, options)
    total = before.length + len(pixel_head) + length + after.length
    lease = None
    if options.buffers is not None and count == 1:
        lease = Lease(options.buffers, image.frame_length)
        if options.begins_early:
            lease.begin(decoding.begin)
    frames = _each(decoding.frame, count, options) if lease is None else _only(decoding, lease)
    value = native_value(frames, image, count, target.big_endian)
    pieces = _in_order(before, pixel_head, value, after)
    return Converted(to_uid, pieces, total, changed_pixels=True, lease=lease)


def _only(decoding: _Decoding, lease: Lease) -> Iterator[Buffer]:
    yield decoding.frame(0, lease.take())


def _in_order(
    before: Recoded, pixel_head: bytes, value: Iterator[Buffer], after: Recoded
) -> Iterator[Buffer]:
    first = next(value, b"")  # so that the first frame's fault comes before the first piece
    yield from before
    yield pixel_head
    yield first
    yield from value
    yield from after


class _Encoding:
    """Frames into an encapsulated transfer syntax."""

    def __init__(self, outline: Outline, frames: _Native | _Decoding, to_uid: str, options: Options) -> None:
        self._outline = outline
        self._frames = frames
        self._uid = to_uid
        self._options = options
        self._quality = options.quality
        if self._quality is None and to_uid in codecs.LOSSY_ONLY:
            self._quality = Quality()
        codecs.check_encodable(to_uid, frames.image, self._quality)

    def _frame(self, index: int) -> Buffer:
        frame = self._frames.frame(index)
        with _naming(index, self._frames.count):
            return codecs.encode_frame(
                self._uid, frame, self._frames.image, self._quality, self._options.workers
            )

    def converted(self) -> Converted:
        image, count = self._frames.image, self._frames.count
        lossy = codecs.is_lossy(self._uid, self._quality)
        coded = _each(self._frame, count, self._options)
        if self._options.streamed and not lossy and native_length(image, count) >= STREAMED_FROM:
            first = next(coded)
            return Converted(self._uid, self._stream(chain([first], coded)), changed_pixels=True)
        return self._with_table(coded, lossy)

    def _stream(self, coded: Iterator[Buffer]) -> Iterator[Buffer]:
        """Frames as they are ready, an empty Basic Offset Table before them. PS3.5 A.4."""
        before, after = self._around(self._changes())
        yield from before
        yield head(tags.PIXEL_DATA, "OB", UNDEFINED, EXPLICIT)
        yield from encapsulate(coded)
        yield from after

    def _with_table(self, coded: Iterator[Buffer], lossy: bool) -> Converted:
        """All frames first: their lengths stand in front of them."""
        spool = Spool(self._options.folder, self._options.memory_max, self._options.min_free)
        lengths = []
        for frame in coded:
            lengths.append(len(frame))
            for piece in encapsulate_one(frame):
                spool.write(piece)
        changes = self._changes()
        uid = None
        if lossy:
            assert self._quality is not None
            native = native_length(self._frames.image, self._frames.count)
            ratio = max(1.0, native / max(1, sum(lengths)))
            uid, derived = derivation(self._outline, self._uid, self._quality, ratio)
            changes |= derived
        table = basic_offset_table(lengths)
        if table is None:
            changes |= _extended(lengths, self._outline.coding)
        before, after = self._around(changes)
        middle = (head(tags.PIXEL_DATA, "OB", UNDEFINED, EXPLICIT), *encapsulate((), table or b""))
        pieces = (*before, *middle[:-1], *spool, middle[-1], *after)
        return Converted(self._uid, pieces, sum(map(len, pieces)), uid, settled=True, changed_pixels=True)

    def _changes(self) -> dict[int, bytes]:
        image = codecs.encoded_image(self._uid, self._frames.image, self._quality)
        return self._frames.changes | image_changes(self._outline, image)

    def _around(self, changes: dict[int, bytes]) -> tuple[Recoded, Recoded]:
        before = before_pixels(self._outline, changes, EXPLICIT, self._options)
        return before, after_pixels(self._outline, changes, EXPLICIT, self._options)


EXPLICIT: Final = coding_of(EXPLICIT_VR_LITTLE_ENDIAN)


def encapsulate_one(frame: Buffer) -> Iterator[Buffer]:
    """The item of one frame: head, codestream, padding."""
    pieces = list(encapsulate((frame,)))
    yield from pieces[1:-1]


def _extended(lengths: list[int], coding: Coding) -> dict[int, bytes]:
    offsets, sizes = extended_offset_table(lengths)
    return {
        tags.EXTENDED_OFFSET_TABLE: element(tags.EXTENDED_OFFSET_TABLE, "OV", offsets, coding),
        tags.EXTENDED_OFFSET_TABLE_LENGTHS: element(tags.EXTENDED_OFFSET_TABLE_LENGTHS, "OV", sizes, coding),
    }
