"""Whole image objects with generated pixels, as pydicom Data Sets and as bytes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from fastdicom.dataset.part10 import encode_file_meta, read_file_meta
from fastdicom.transcoding import codecs
from fastdicom.transcoding.gate import ImageAttributes
from fastdicom.transcoding.objects import Options

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT_LE, IMPLICIT_LE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
EXPLICIT_BE, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"

Pixels = NDArray[Any]


def image_object(pixels: Pixels, **attributes: Any) -> Dataset:
    """An instance whose Pixel Data are `pixels`: (frames,) rows, columns(, samples).

    attributes: by keyword, over what is derived from the array.
    """
    samples = attributes.get("SamplesPerPixel", 1)
    frames = pixels.ndim == (4 if samples > 1 else 3)
    rows, columns = pixels.shape[1:3] if frames else pixels.shape[:2]
    bits = 8 * pixels.dtype.itemsize
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.SOPClassUID = SECONDARY_CAPTURE
    ds.SOPInstanceUID = "1.2.3.4.5"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    ds.PatientName, ds.PatientID, ds.Modality = "Müller^Transcoder", "4711", "OT"
    if frames:
        ds.NumberOfFrames = pixels.shape[0]
    ds.SamplesPerPixel = samples
    ds.PhotometricInterpretation = "RGB" if samples == 3 else "MONOCHROME2"
    if samples > 1:
        ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated = ds.BitsStored = bits
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.SmallestImagePixelValue = 0
    ds["SmallestImagePixelValue"].VR = "SS" if ds.PixelRepresentation else "US"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.HighBit = attributes.get("HighBit", ds.BitsStored - 1)
    data = pixels.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OW" if bits > 8 else "OB"
    return ds


def to_bytes(ds: Dataset, transfer_syntax_uid: str = EXPLICIT_LE) -> bytes:
    """The Data Set without File Meta Information."""
    file = BytesIO()
    whole = FileDataset(file, ds)
    whole.file_meta = FileMetaDataset()
    whole.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    whole.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    whole.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    if transfer_syntax_uid == EXPLICIT_BE and ds.BitsAllocated > 8 and "PixelData" in ds:
        native = numpy.frombuffer(ds.PixelData, dtype="<u2").astype(">u2")
        whole.PixelData = native.tobytes()
    whole.save_as(file, enforce_file_format=True)
    data = file.getvalue()
    return data[read_file_meta(data).dataset_offset :]


def from_bytes(data: bytes, transfer_syntax_uid: str) -> FileDataset:
    """The Data Set as pydicom reads it."""
    return dcmread(BytesIO(encode_file_meta(SECONDARY_CAPTURE, "1.2.3.4.5", transfer_syntax_uid) + data))


def icon(pixels: Pixels, uid: str, options: Options | None = None, **attributes: Any) -> Dataset:
    """An item of Icon Image Sequence with pixels in fragments, coded as `uid` says."""
    ds = Dataset()
    ds.SamplesPerPixel = samples = attributes.get("SamplesPerPixel", 1)
    ds.PhotometricInterpretation = attributes.get("PhotometricInterpretation", "MONOCHROME2")
    if samples > 1:
        ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.BitsAllocated = ds.BitsStored = bits = 8 * pixels.dtype.itemsize
    ds.HighBit, ds.PixelRepresentation = bits - 1, 0
    image = ImageAttributes(
        *pixels.shape[:2],
        samples,
        bits,
        bits,
        photometric_interpretation="RGB" if samples == 3 else "MONOCHROME2",
    )
    coded = codecs.encode_frame(uid, pixels.tobytes(), image, workers=options and options.workers)
    ds.PixelData = encapsulate([coded])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return ds
