"""The transfer syntaxes that we know: how the Data Set is coded, and what we can do with the pixels.

CONFORMANCE rows: the 33 of the conformance statement. FURTHER rows: what PS3.6 Table A-1 has added
since (UID dictionary of pydicom 3.0; the JPEG XL and deflated frame rows from PS3.6 2024). All of them
are stored and sent on byte for byte; `decode` and `encode` say whether pixels can also be converted.
PS3.5 section 10 and Annex A.
"""

from __future__ import annotations

from typing import NamedTuple


class TransferSyntax(NamedTuple):
    """One way to encode a Data Set. PS3.5 10.

    explicit_vr, big_endian, deflated: how the Data Set itself is coded. encapsulated: its Pixel Data comes in
    fragments (PS3.5 A.4). decode, encode: whether `transcode` can turn its pixels into native ones and back.
    lossless: coding pixels in it keeps them (None: it may or may not).
    """

    uid: str
    keyword: str
    name: str
    retired: bool = False
    explicit_vr: bool = True
    big_endian: bool = False
    deflated: bool = False
    encapsulated: bool = False
    decode: bool = False
    encode: bool = False
    lossless: bool | None = None

    @property
    def native(self) -> bool:
        """True when the pixels stand in the Data Set as plain numbers."""
        return not self.encapsulated and self.decode


CONFORMANCE: tuple[TransferSyntax, ...] = (
    TransferSyntax(
        "1.2.840.10008.1.2.1",
        "ExplicitVRLittleEndian",
        "Explicit VR Little Endian",
        decode=True,
        encode=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.2",
        "ExplicitVRBigEndian",
        "Explicit VR Big Endian (Retired)",
        retired=True,
        big_endian=True,
        decode=True,
        encode=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2",
        "ImplicitVRLittleEndian",
        "Implicit VR Little Endian",
        explicit_vr=False,
        decode=True,
        encode=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.1.99",
        "DeflatedExplicitVRLittleEndian",
        "Deflated Explicit VR Little Endian",
        deflated=True,
        decode=True,
        encode=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.50",
        "JPEGBaseline8Bit",
        "JPEG Baseline (Process 1)",
        encapsulated=True,
        decode=True,
        encode=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.51",
        "JPEGExtended12Bit",
        "JPEG Extended (Process 2 and 4)",
        encapsulated=True,
        decode=True,
        encode=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.52",
        "JPEGExtended35",
        "JPEG Extended (Process 3 and 5) (Retired)",
        retired=True,
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.53",
        "JPEGSpectralSelectionNonHierarchical68",
        "JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8) (Retired)",
        retired=True,
        encapsulated=True,
        decode=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.54",
        "JPEGSpectralSelectionNonHierarchical79",
        "JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9) (Retired)",
        retired=True,
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.55",
        "JPEGFullProgressionNonHierarchical1012",
        "JPEG Full Progression, Non-Hierarchical (Process 10 and 12) (Retired)",
        retired=True,
        encapsulated=True,
        decode=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.56",
        "JPEGFullProgressionNonHierarchical1113",
        "JPEG Full Progression, Non-Hierarchical (Process 11 and 13) (Retired)",
        retired=True,
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.57",
        "JPEGLossless",
        "JPEG Lossless, Non-Hierarchical (Process 14)",
        encapsulated=True,
        decode=True,
        encode=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.58",
        "JPEGLosslessNonHierarchical15",
        "JPEG Lossless, Non-Hierarchical (Process 15) (Retired)",
        retired=True,
        encapsulated=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.59",
        "JPEGExtendedHierarchical1618",
        "JPEG Extended, Hierarchical (Process 16 and 18) (Retired)",
        retired=True,
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.60",
        "JPEGExtendedHierarchical1719",
        "JPEG Extended, Hierarchical (Process 17 and 19) (Retired)",
        retired=True,
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.61",
        "JPEGSpectralSelectionHierarchical2022",
        "JPEG Spectral Selection, Hierarchical (Process 20 and 22) (Retired)",
        retired=True,
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.62",
        "JPEGSpectralSelectionHierarchical2123",
        "JPEG Spectral Selection, Hierarchical (Process 21 and 23) (Retired)",
        retired=True,
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.63",
        "JPEGFullProgressionHierarchical2426",
        "JPEG Full Progression, Hierarchical (Process 24 and 26) (Retired)",
        retired=True,
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.64",
        "JPEGFullProgressionHierarchical2527",
        "JPEG Full Progression, Hierarchical (Process 25 and 27) (Retired)",
        retired=True,
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.65",
        "JPEGLosslessHierarchical28",
        "JPEG Lossless, Hierarchical (Process 28) (Retired)",
        retired=True,
        encapsulated=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.66",
        "JPEGLosslessHierarchical29",
        "JPEG Lossless, Hierarchical (Process 29) (Retired)",
        retired=True,
        encapsulated=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.70",
        "JPEGLosslessSV1",
        "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
        encapsulated=True,
        decode=True,
        encode=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.80",
        "JPEGLSLossless",
        "JPEG-LS Lossless Image Compression",
        encapsulated=True,
        decode=True,
        encode=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.81",
        "JPEGLSNearLossless",
        "JPEG-LS Lossy (Near-Lossless) Image Compression",
        encapsulated=True,
        decode=True,
        encode=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.90",
        "JPEG2000Lossless",
        "JPEG 2000 Image Compression (Lossless Only)",
        encapsulated=True,
        decode=True,
        encode=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.91",
        "JPEG2000",
        "JPEG 2000 Image Compression",
        encapsulated=True,
        decode=True,
        encode=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.92",
        "JPEG2000MCLossless",
        "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)",
        encapsulated=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.93",
        "JPEG2000MC",
        "JPEG 2000 Part 2 Multi-component Image Compression",
        encapsulated=True,
    ),
    TransferSyntax("1.2.840.10008.1.2.4.94", "JPIPReferenced", "JPIP Referenced"),
    TransferSyntax(
        "1.2.840.10008.1.2.4.95",
        "JPIPReferencedDeflate",
        "JPIP Referenced Deflate",
        deflated=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.100",
        "MPEG2MPML",
        "MPEG2 Main Profile / Main Level",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.101",
        "MPEG2MPHL",
        "MPEG2 Main Profile / High Level",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.5",
        "RLELossless",
        "RLE Lossless",
        encapsulated=True,
        decode=True,
        encode=True,
        lossless=True,
    ),
)

FURTHER: tuple[TransferSyntax, ...] = (
    TransferSyntax(
        "1.2.840.10008.1.2.1.98",
        "EncapsulatedUncompressedExplicitVRLittleEndian",
        "Encapsulated Uncompressed Explicit VR Little Endian",
        encapsulated=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.100.1",
        "MPEG2MPMLF",
        "Fragmentable MPEG2 Main Profile / Main Level",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.101.1",
        "MPEG2MPHLF",
        "Fragmentable MPEG2 Main Profile / High Level",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.102",
        "MPEG4HP41",
        "MPEG-4 AVC/H.264 High Profile / Level 4.1",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.102.1",
        "MPEG4HP41F",
        "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.103",
        "MPEG4HP41BD",
        "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.103.1",
        "MPEG4HP41BDF",
        "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.104",
        "MPEG4HP422D",
        "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.104.1",
        "MPEG4HP422DF",
        "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.105",
        "MPEG4HP423D",
        "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.105.1",
        "MPEG4HP423DF",
        "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.106",
        "MPEG4HP42STEREO",
        "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.106.1",
        "MPEG4HP42STEREOF",
        "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.107",
        "HEVCMP51",
        "HEVC/H.265 Main Profile / Level 5.1",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.108",
        "HEVCM10P51",
        "HEVC/H.265 Main 10 Profile / Level 5.1",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.110",
        "JPEGXLLossless",
        "JPEG XL Lossless",
        encapsulated=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.111",
        "JPEGXLJPEGRecompression",
        "JPEG XL JPEG Recompression",
        encapsulated=True,
    ),
    TransferSyntax("1.2.840.10008.1.2.4.112", "JPEGXL", "JPEG XL", encapsulated=True),
    TransferSyntax(
        "1.2.840.10008.1.2.4.201",
        "HTJ2KLossless",
        "High-Throughput JPEG 2000 Image Compression (Lossless Only)",
        encapsulated=True,
        decode=True,
        encode=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.202",
        "HTJ2KLosslessRPCL",
        "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)",
        encapsulated=True,
        decode=True,
        encode=True,
        lossless=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.203",
        "HTJ2K",
        "High-Throughput JPEG 2000 Image Compression",
        encapsulated=True,
        decode=True,
        encode=True,
    ),
    TransferSyntax("1.2.840.10008.1.2.4.204", "JPIPHTJ2KReferenced", "JPIP HTJ2K Referenced"),
    TransferSyntax(
        "1.2.840.10008.1.2.4.205",
        "JPIPHTJ2KReferencedDeflate",
        "JPIP HTJ2K Referenced Deflate",
        deflated=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.8.1",
        "DeflatedImageFrameCompression",
        "Deflated Image Frame Compression",
        encapsulated=True,
        lossless=True,
    ),
)

KNOWN: dict[str, TransferSyntax] = {row.uid: row for row in CONFORMANCE + FURTHER}
BY_KEYWORD: dict[str, TransferSyntax] = {row.keyword: row for row in CONFORMANCE + FURTHER}

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE: frozenset[str] = frozenset(row.uid for row in KNOWN.values() if row.native)
