"""Synthetic instances: any storage SOP class in any transfer syntax, of a given size, encoded by pydicom.

The content of encapsulated frames is noise behind the right first marker: what stores and forwards
never looks at it, and what decodes gets its own test files elsewhere.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

ROOT = "1.2.826.0.1.3680043.10.1561"
UID_LENGTH = 56
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED_LE = "1.2.840.10008.1.2.1.99"
JPIP_REFERENCED = "1.2.840.10008.1.2.4.94"
JPIP_REFERENCED_DEFLATE = "1.2.840.10008.1.2.4.95"
NATIVE = frozenset({IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE})
DEFLATED = frozenset({DEFLATED_LE, JPIP_REFERENCED_DEFLATE})
JPIP = frozenset({JPIP_REFERENCED, JPIP_REFERENCED_DEFLATE})
WITHOUT_PATIENT = frozenset(
    {f"1.2.840.10008.5.1.4.{arc}.1" for arc in (43, 44, 45)}
)  # implant templates: no study either
PIXEL_CLASSES_BY_NAME = frozenset({"Segmentation Storage", "RT Dose Storage", "Enhanced US Volume Storage"})


@dataclass(frozen=True)
class Uids:
    """The unique identifiers and the Patient ID of one instance."""

    patient_id: str
    study: str
    series: str
    instance: str


def numbered_uid(kind: int, run: int, number: int) -> str:
    """A UID of exactly UID_LENGTH characters; no component starts with 0 or is longer than 39 digits."""
    head = f"{ROOT}.{kind}.1{run:09d}.1"
    return head + f"{number:0{UID_LENGTH - len(head)}d}"


def numbered_uids(run: int, instance: int, series: int = 0, study: int = 0) -> Uids:
    """Distinct identifiers of constant length, so that one can be written over the other."""
    return Uids(
        f"P{run:05d}{study:06d}",
        numbered_uid(2, run, study),
        numbered_uid(3, run, series),
        numbered_uid(4, run, instance),
    )


def has_pixels(sop_class: str) -> bool:
    """Whether instances of the class carry Pixel Data (by the name in PS3.6)."""
    name = UID(sop_class).name
    return " Image" in name or name in PIXEL_CLASSES_BY_NAME


def is_encapsulated(transfer_syntax: str) -> bool:
    """Whether Pixel Data of the syntax comes in fragments. PS3.5 A.4."""
    return transfer_syntax not in NATIVE | DEFLATED | JPIP


def header(sop_class: str, uids: Uids) -> Dataset:
    """Patient, study, series and instance level attributes, a sequence and private elements."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, uids.instance
    ds.StudyDate, ds.StudyTime, ds.ContentDate, ds.ContentTime = "20240131", "101112", "20240131", "101113.5"
    ds.AccessionNumber, ds.Modality, ds.Manufacturer = "A" + uids.patient_id[-6:], "OT", "Synthetic"
    ds.StudyDescription, ds.SeriesDescription = "Thorax und Abdomen", "Schicht 1.0 B30f"
    ds.ReferringPhysicianName, ds.StudyID = "Arzt^Anna", "1"
    ds.SeriesNumber, ds.InstanceNumber = 1, 1
    if sop_class not in WITHOUT_PATIENT:
        ds.StudyInstanceUID, ds.SeriesInstanceUID = uids.study, uids.series
        ds.PatientName, ds.PatientID = "Muster^Müller", uids.patient_id
        ds.PatientBirthDate, ds.PatientSex = "19700101", "F"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-D3000", "SRT", "Chest"
    ds.ProcedureCodeSequence = Sequence([code])
    private = ds.private_block(0x0029, "FASTDICOM TEST", create=True)
    private.add_new(0x10, "OB", bytes(range(64)))
    private.add_new(0x11, "LO", "private value")
    return ds


def add_geometry(ds: Dataset, rows: int, columns: int, frames: int = 1) -> None:
    """Image Pixel attributes of 16-bit monochrome frames and the geometry of a slice."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.SliceThickness, ds.PixelSpacing = "1.0", ["0.7", "0.7"]
    ds.ImagePositionPatient, ds.ImageOrientationPatient = ["0", "0", "0"], ["1", "0", "0", "0", "1", "0"]
    ds.FrameOfReferenceUID, ds.RescaleIntercept, ds.RescaleSlope = f"{ROOT}.9", "-1024", "1"
    if frames > 1:
        ds.NumberOfFrames = frames


def add_pixels(ds: Dataset, transfer_syntax: str, frames: int = 1) -> None:
    """Pixel Data of the frames that the geometry asks for: noise, the same for the same instance."""
    noise = random.Random(ds.SOPInstanceUID)
    if transfer_syntax in JPIP:
        ds.PixelDataProviderURL = "http://127.0.0.1/jpip?target=" + ds.SOPInstanceUID
        return
    if is_encapsulated(transfer_syntax):
        starts = b"\xff\x4f" if transfer_syntax.startswith("1.2.840.10008.1.2.4.9") else b"\xff\xd8"
        ds.PixelData = encapsulate([starts + noise.randbytes(500) for _ in range(frames)])
        ds["PixelData"].is_undefined_length = True
        ds["PixelData"].VR = "OB"
        return
    count = ds.Rows * ds.Columns * frames
    pixels = bytearray(noise.randbytes(2 * count))
    pixels[1::2] = bytes(byte & 0x0F for byte in pixels[1::2])  # 12 bits stored
    if transfer_syntax == EXPLICIT_BE:
        pixels[0::2], pixels[1::2] = pixels[1::2], pixels[0::2]
    ds.PixelData = bytes(pixels)
    ds["PixelData"].VR = "OW"


def geometry_for(size: int) -> tuple[int, int]:
    """Rows and columns of a 16-bit frame of `size` bytes (a multiple of 128), not wider than 512."""
    columns = 512 if size >= 1 << 17 else 64
    return size // (2 * columns), columns


def synthetic(sop_class: str, transfer_syntax: str, uids: Uids, size: int = 8192, frames: int = 1) -> bytes:
    """The Data Set's bytes in `transfer_syntax`; `size` bytes of pixels a frame where there are any."""
    ds = header(sop_class, uids)
    if has_pixels(sop_class):
        add_geometry(ds, *geometry_for(size), frames)
        add_pixels(ds, transfer_syntax, frames)
    return encode(ds, transfer_syntax)


def encode(ds: Dataset, transfer_syntax: str) -> bytes:
    """The Data Set as bytes; in an encapsulated syntax that is Explicit VR Little Endian. PS3.5 A.4."""
    memory = BytesIO()
    buffer = DicomIO(memory)
    buffer.is_implicit_VR = transfer_syntax == IMPLICIT_LE
    buffer.is_little_endian = transfer_syntax != EXPLICIT_BE
    write_dataset(buffer, ds)
    raw = memory.getvalue()
    if transfer_syntax not in DEFLATED:
        return raw
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(raw) + packer.flush()
    return packed + b"\0" * (len(packed) % 2)


@dataclass(frozen=True)
class Template:
    """An encoded Data Set whose identifiers are written over in place: no parsing, no encoding."""

    data: bytes
    uids: Uids
    offsets: dict[str, tuple[int, ...]]

    @classmethod
    def make(cls, sop_class: str, transfer_syntax: str, size: int) -> Template:
        """Encode one instance (not deflated) and find its identifiers."""
        uids = numbered_uids(99999, 999_999, 99, 9)
        data = synthetic(sop_class, transfer_syntax, uids, size)
        found = {name: _places(data, value.encode()) for name, value in vars(uids).items()}
        if any(not places for places in found.values()):
            raise ValueError(f"identifiers not found in the encoded Data Set: {found}")
        return cls(data, uids, found)

    def stamped(self, uids: Uids) -> bytes:
        """The Data Set with other identifiers of the same lengths."""
        data = bytearray(self.data)
        for name, places in self.offsets.items():
            value = getattr(uids, name).encode()
            if len(value) != len(getattr(self.uids, name)):
                raise ValueError(f"{name} has another length")
            for place in places:
                data[place : place + len(value)] = value
        return bytes(data)


def _places(data: bytes, value: bytes) -> tuple[int, ...]:
    places = []
    at = data.find(value)
    while at >= 0:
        places.append(at)
        at = data.find(value, at + 1)
    return tuple(places)
