"""The gate: no decoder sees a codestream before its claims have been compared with the Data Set.

The kernel (`fastdicom.kernels.codestream`) judges the syntax; here it is decided whether size, components,
precision and sampling fit the Image Pixel attributes, whether the data are long enough to be whole, and what
they are: which process, which colours, signed or not. Nothing is decoded here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from fastdicom.errors import CodecError
from fastdicom.kernels import codestream

if TYPE_CHECKING:
    from typing_extensions import Buffer

FRAME_LENGTH_MAX: Final = 512 << 20
SCANS_MAX: Final = 100
TILES_MAX: Final = 4096
RLE_EXPANSION_MAX: Final = 64
"""A PackBits run makes at most 128 bytes of two. PS3.5 G.3.1."""

BASELINE, EXTENDED, PROGRESSIVE, LOSSLESS, JPEG_LS = 0xC0, 0xC1, 0xC2, 0xC3, 0xF7
"""The frame headers (SOFn) of the processes that we decode. T.81 Table B.1, T.87 C.1.1."""

JPEG_SYNTAXES: Final = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55, 57, 70))
JPEG_LS_SYNTAXES: Final = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (80, 81))
JPEG_2000_SYNTAXES: Final = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 201, 202, 203))
RLE_LOSSLESS: Final = "1.2.840.10008.1.2.5"
DECODABLE: Final = JPEG_SYNTAXES | JPEG_LS_SYNTAXES | JPEG_2000_SYNTAXES | {RLE_LOSSLESS}

Coding = Literal["jpeg", "jpeg-lossless", "jpeg-ls", "jpeg-2000", "htj2k", "rle"]
Colour = Literal["as-described", "rgb", "ybr"]


class ImageAttributes(NamedTuple):
    """What a Data Set says about each of its frames: the Image Pixel module, PS3.3 C.7.6.3."""

    rows: int
    columns: int
    samples_per_pixel: int = 1
    bits_allocated: int = 8
    bits_stored: int = 8
    pixel_representation: int = 0
    photometric_interpretation: str = "MONOCHROME2"
    planar_configuration: int = 0

    @property
    def sample_count(self) -> int:
        """Samples of one frame."""
        return self.rows * self.columns * self.samples_per_pixel

    @property
    def frame_length(self) -> int:
        """Bytes of one native frame; PS3.5 8.1.1. Pixels of a single bit have a byte each here."""
        return self.sample_count * max(1, self.bits_allocated // 8)


class Codestream(NamedTuple):
    """What a codestream that passed the gate is.

    colour: how a decoder has to take three components ("as-described": as the Photometric Interpretation
    says). start, end: bytes of the codestream proper; a JP2 file has boxes before it. whole: the end marker
    was there. process: SOFn of JPEG and JPEG-LS, else 0. near: the largest error that JPEG-LS allows itself.
    """

    coding: Coding
    rows: int
    columns: int
    samples: int
    precision: int
    signed: bool
    lossless: bool
    colour: Colour
    start: int
    end: int
    whole: bool
    process: int = 0
    predictor: int = 0
    near: int = 0
    tiles: int = 1


def inspect(transfer_syntax_uid: str, data: Buffer, image: ImageAttributes) -> Codestream:
    """What `data`, one frame in an encapsulated transfer syntax, is; raises CodecError if it must not be
    decoded.

    The frame has the size, components and precision that `image` says, its segments and tiles lie inside the
    data and are all there, and no claim in it makes a decoder allocate or loop beyond what the frame itself
    takes.
    """
    check_image(image)
    if transfer_syntax_uid in JPEG_SYNTAXES or transfer_syntax_uid in JPEG_LS_SYNTAXES:
        found = _jpeg(data, image, jpeg_ls=transfer_syntax_uid in JPEG_LS_SYNTAXES)
    elif transfer_syntax_uid in JPEG_2000_SYNTAXES:
        found = _jpeg_2000(data, image)
    elif transfer_syntax_uid == RLE_LOSSLESS:
        found = _rle(data, image)
    else:
        raise CodecError(f"no codec for transfer syntax {transfer_syntax_uid}")
    _compare(found, image)
    return found


def check_image(image: ImageAttributes) -> None:
    """Raise CodecError for an image that no codec has to carry, or that is larger than FRAME_LENGTH_MAX."""
    if not (0 < image.rows <= 65535 and 0 < image.columns <= 65535):
        raise CodecError(f"an image of {image.rows} rows and {image.columns} columns")
    if image.samples_per_pixel not in (1, 3, 4):
        raise CodecError(f"{image.samples_per_pixel} samples per pixel")
    if image.bits_allocated not in (1, 8, 16, 32, 64):
        raise CodecError(f"{image.bits_allocated} bits allocated")
    if not 0 < image.bits_stored <= image.bits_allocated:
        raise CodecError(f"{image.bits_stored} bits stored in {image.bits_allocated} bits allocated")
    if image.frame_length > FRAME_LENGTH_MAX:
        raise CodecError(f"a frame of {image.frame_length} bytes: the ceiling is {FRAME_LENGTH_MAX}")


def _compare(found: Codestream, image: ImageAttributes) -> None:
    if (found.rows, found.columns) != (image.rows, image.columns):
        raise CodecError(
            f"the codestream has {found.rows} rows of {found.columns} columns,"
            f" the Data Set {image.rows} of {image.columns}"
        )
    if found.samples != image.samples_per_pixel:
        raise CodecError(f"{found.samples} components for {image.samples_per_pixel} samples per pixel")
    if found.precision > max(image.bits_allocated, 8):
        raise CodecError(f"{found.precision} bits precision for {image.bits_allocated} bits allocated")


# ---- JPEG and JPEG-LS
# ---------------------------------------------------------------------------------------------


_JPEG_CODINGS: Final[dict[int, Coding]] = {LOSSLESS: "jpeg-lossless", JPEG_LS: "jpeg-ls"}
"""By process; the others are "jpeg"."""


class _Jpeg(NamedTuple):
    """codestream.read_jpeg's result."""

    process: int
    precision: int
    lines: int
    columns: int
    component_ids: bytes
    sampling: tuple[tuple[int, int], ...]
    scans: int
    jfif: bool
    adobe_transform: int
    restart_interval: int
    selection: int
    interleave: int
    point_transform: int
    entropy_length: int
    end: int
    complete: bool


def _jpeg(data: Buffer, image: ImageAttributes, jpeg_ls: bool) -> Codestream:
    header = _Jpeg(*codestream.read_jpeg(data, SCANS_MAX))
    if (header.process == JPEG_LS) != jpeg_ls:
        raise CodecError(
            f"SOF{header.process - 0xC0} in a {'JPEG-LS' if jpeg_ls else 'JPEG'} transfer syntax"
        )
    if header.process not in (BASELINE, EXTENDED, PROGRESSIVE, LOSSLESS, JPEG_LS):
        raise CodecError(f"SOF{header.process - 0xC0}: a hierarchical or arithmetic process is kept as it is")
    _check_sampling(header)
    _check_length(header, image)
    coding = _JPEG_CODINGS.get(header.process, "jpeg")
    near = header.selection if jpeg_ls else 0
    return Codestream(
        coding=coding,
        rows=header.lines or image.rows,
        columns=header.columns,
        samples=len(header.component_ids),
        precision=header.precision,
        signed=False,
        lossless=header.point_transform == 0 and (header.process == LOSSLESS or (jpeg_ls and near == 0)),
        colour=_jpeg_colour(header, image) if coding == "jpeg" else "as-described",
        start=0,
        end=header.end,
        whole=header.complete,
        process=header.process,
        predictor=header.selection if header.process == LOSSLESS else 0,
        near=near,
    )


def _check_sampling(header: _Jpeg) -> None:
    """Only chroma may be subsampled, by one or two each way; PS3.5 8.2.1 has 4:2:2, others occur."""
    if len(header.sampling) == 1:
        return
    coded_as_is = header.process in (LOSSLESS, JPEG_LS)
    first, *others = header.sampling
    if any(other != (1, 1) for other in others) or max(first) > (1 if coded_as_is else 2):
        raise CodecError(f"components sampled {header.sampling}")
    if len(header.sampling) == 4 and not coded_as_is:
        raise CodecError("four components in a DCT process: DICOM has no colours for them")


def _check_length(header: _Jpeg, image: ImageAttributes) -> None:
    """An end that is missing, or so few bytes that no image of this size can be in them.

    Only lossless JPEG may lack its EOI: our own decoder proves that every sample was there.
    """
    if not header.complete and header.process != LOSSLESS:
        raise CodecError("the end of the codestream is missing", header.end)
    if header.lines == 0 and header.process != LOSSLESS:
        raise CodecError("the number of lines is missing")
    least = 0
    if header.process == LOSSLESS:
        least = header.lines * header.columns * len(header.sampling) // 8  # a bit for each sample
    elif header.process == JPEG_LS:
        least = header.lines // 8  # a run may take a whole line with one bit
    elif header.process in (BASELINE, EXTENDED):
        least = image.rows * header.columns // 256  # two bits for each block of 8 x 8
    if header.entropy_length < least:
        raise CodecError(
            f"{header.entropy_length} bytes of image data where {least} are the least", header.end
        )


def _jpeg_colour(header: _Jpeg, image: ImageAttributes) -> Colour:
    """Whether the components of a DCT process are YCbCr or RGB. PS3.5 8.2.1.

    Adobe's marker says it, then the component identifiers R, G, B, then the Photometric Interpretation. JFIF
    and subsampled chroma, which mean YCbCr elsewhere, do not overrule it: so do DCMTK, GDCM and pydicom.
    """
    if len(header.component_ids) != 3:
        return "as-described"
    if header.adobe_transform >= 0:
        return "ybr" if header.adobe_transform == 1 else "rgb"
    if header.component_ids == b"RGB":
        return "rgb"
    return "rgb" if image.photometric_interpretation == "RGB" else "ybr"


# ---- JPEG 2000 and RLE
# --------------------------------------------------------------------------------------------


class _Jpeg2000(NamedTuple):
    """codestream.read_jpeg2000's result."""

    start: int
    end: int
    rows: int
    columns: int
    components: int
    precision: int
    signed: bool
    tiles: int
    levels: int
    layers: int
    progression: int
    component_transform: int
    reversible: bool
    high_throughput: bool
    colour_space: int
    complete: bool


def _jpeg_2000(data: Buffer, image: ImageAttributes) -> Codestream:
    header = _Jpeg2000(*codestream.read_jpeg2000(data, TILES_MAX))
    if header.component_transform and header.components != 3:
        raise CodecError(f"a colour transform of {header.components} components")
    return Codestream(
        coding="htj2k" if header.high_throughput else "jpeg-2000",
        rows=header.rows,
        columns=header.columns,
        samples=header.components,
        precision=header.precision,
        signed=header.signed,
        lossless=header.reversible,
        colour="rgb" if header.component_transform else "as-described",
        start=header.start,
        end=header.end,
        whole=header.complete,
        tiles=header.tiles,
    )


def _rle(data: Buffer, image: ImageAttributes) -> Codestream:
    offsets = codestream.read_rle(data)
    planes = image.samples_per_pixel * max(1, image.bits_allocated // 8)
    if len(offsets) != planes:
        raise CodecError(f"{len(offsets)} RLE segments where {planes} are due", 0)
    length = len(memoryview(data).cast("B"))
    packed = (image.sample_count * image.bits_allocated + 7) // 8
    if packed > RLE_EXPANSION_MAX * length:
        raise CodecError(f"{length} bytes of RLE cannot hold a frame of {packed}")
    return Codestream(
        coding="rle",
        rows=image.rows,
        columns=image.columns,
        samples=image.samples_per_pixel,
        precision=image.bits_allocated,
        signed=bool(image.pixel_representation),
        lossless=True,
        colour="as-described",
        start=0,
        end=length,
        whole=True,
    )
