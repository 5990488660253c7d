"""pydicom_plugins.py on pydicom's own files: pixels, shapes and types as pydicom's other plugins give."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy
import pydicom
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder, get_encoder
from pydicom.uid import UID, JPEGLossless, JPEGLosslessSV1, RLELossless

from fastdicom import pydicom_plugins
from fastdicom.errors import UsageError
from fastdicom.kernels import rle
from tests.support.shared_data import shared_data

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
RLE_FILES = [*sorted(path.name for path in FILES.glob("*rle*.dcm")), "MR_small_RLE.dcm"]
NATIVE_FILES = ("CT_small.dcm", "MR_small.dcm", "SC_rgb_small_odd.dcm")
SYNTAXES = (RLELossless, JPEGLossless, JPEGLosslessSV1)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    pydicom_plugins.register()
    yield
    pydicom_plugins.unregister()


def read(name: str) -> Dataset:
    return pydicom.dcmread(FILES / name)


def test_one_import_registers() -> None:
    code = (
        "from pydicom.pixels import get_decoder, get_encoder\n"
        "import fastdicom.pydicom_plugins\n"
        "for uid in fastdicom.pydicom_plugins.SYNTAXES:\n"
        "    for coder in get_decoder(uid), get_encoder(uid):\n"
        "        assert next(iter(coder._validate_plugins())) == 'fastdicom'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("uid", SYNTAXES)
def test_our_plugins_are_asked_first_and_registering_twice_does_no_harm(uid: UID) -> None:
    pydicom_plugins.register()
    for coder in (get_decoder(uid), get_encoder(uid)):
        assert next(iter(coder._validate_plugins())) == "fastdicom"
        assert coder.available_plugins.count("fastdicom") == 1


def test_unregistering_leaves_pydicom_as_it_was() -> None:
    pydicom_plugins.unregister()
    pydicom_plugins.unregister()
    for uid in SYNTAXES:
        assert "fastdicom" not in get_decoder(uid).available_plugins
    assert "fastdicom" not in get_encoder(RLELossless).available_plugins
    for uid in (JPEGLossless, JPEGLosslessSV1):
        with pytest.raises(NotImplementedError):
            get_encoder(uid)


def test_an_old_pydicom_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pydicom, "__version__", "2.4.4")
    with pytest.raises(UsageError, match=r"pydicom 2\.4\.4"):
        pydicom_plugins.register()
    monkeypatch.undo()


@pytest.mark.parametrize("name", RLE_FILES)
def test_rle_files_give_what_pydicom_gives(name: str) -> None:
    dataset = read(name)
    decoder = get_decoder(RLELossless)
    ours, described = decoder.as_array(dataset, decoding_plugin="fastdicom")
    theirs, other = decoder.as_array(dataset, decoding_plugin="pydicom")
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert numpy.array_equal(ours, theirs)
    assert {**described, "planar_configuration": 0} == {**other, "planar_configuration": 0}
    assert numpy.array_equal(dataset.pixel_array, theirs)


def test_frames_come_one_by_one_and_as_buffers() -> None:
    dataset = read("SC_rgb_rle_2frame.dcm")
    decoder = get_decoder(RLELossless)
    whole, _ = decoder.as_array(dataset, decoding_plugin="fastdicom")
    for index, (frame, _) in enumerate(decoder.iter_array(dataset, decoding_plugin="fastdicom")):
        assert numpy.array_equal(frame, whole[index])
        assert numpy.array_equal(
            decoder.as_array(dataset, index=index, decoding_plugin="fastdicom")[0], frame
        )
    buffer, described = decoder.as_buffer(dataset, decoding_plugin="fastdicom")
    assert described["planar_configuration"] == 0
    assert bytes(buffer) == whole.tobytes()


@pytest.mark.parametrize("uid", SYNTAXES)
@pytest.mark.parametrize("name", NATIVE_FILES)
def test_compressed_datasets_come_back(name: str, uid: UID) -> None:
    dataset = read(name)
    before = dataset.pixel_array.copy()
    dataset.compress(uid, encoding_plugin="fastdicom")
    assert dataset.file_meta.TransferSyntaxUID == uid
    after = dataset.pixel_array
    assert (after.shape, after.dtype) == (before.shape, before.dtype)
    assert numpy.array_equal(after, before)
    for plugin in set(get_decoder(uid).available_plugins) - {"fastdicom"}:
        theirs, _ = get_decoder(uid).as_array(dataset, decoding_plugin=plugin, raw=True)
        ours, _ = get_decoder(uid).as_array(dataset, decoding_plugin="fastdicom", raw=True)
        assert numpy.array_equal(theirs, ours), plugin


def colour_by_plane() -> Dataset:
    dataset = read("SC_rgb_small_odd.dcm")
    dataset.PixelData = dataset.pixel_array.transpose(2, 0, 1).tobytes() + b"\0"
    dataset.PlanarConfiguration = 1
    return dataset


def test_colour_by_plane_becomes_right_rle() -> None:
    dataset = colour_by_plane()
    before = dataset.pixel_array.copy()
    dataset.compress(RLELossless, encoding_plugin="fastdicom")
    for plugin in ("fastdicom", "pydicom"):
        after, _ = get_decoder(RLELossless).as_array(dataset, decoding_plugin=plugin)
        assert numpy.array_equal(after, before), plugin


@pytest.mark.parametrize("uid", [JPEGLossless, JPEGLosslessSV1])
def test_colour_by_plane_is_refused_where_decoders_would_go_by_it(uid: UID) -> None:
    with pytest.raises(RuntimeError, match="Planar Configuration 1"):
        colour_by_plane().compress(uid)


@pytest.mark.parametrize("uid", SYNTAXES)
def test_an_array_is_compressed_in_place_of_the_pixels(uid: UID) -> None:
    dataset = read("MR_small.dcm")
    other = dataset.pixel_array[::-1].copy()
    dataset.compress(uid, other)
    assert numpy.array_equal(dataset.pixel_array, other)


def eight_in_sixteen_bits(signed: bool) -> Dataset:
    dataset = read("MR_small.dcm")
    values = (numpy.arange(64 * 64, dtype="<i2") % 256 - (128 if signed else 0)).astype("<i2")
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 8, 7
    dataset.PixelRepresentation = int(signed)
    dataset.PixelData = values.tobytes()
    return dataset


@pytest.mark.parametrize("uid", SYNTAXES)
@pytest.mark.parametrize("signed", [False, True])
def test_eight_bits_stored_in_sixteen_keep_their_words(uid: UID, signed: bool) -> None:
    """pydicom hands an encoder only the bytes that Bits Stored needs; the Data Set goes on saying 16."""
    dataset = eight_in_sixteen_bits(signed)
    before = dataset.pixel_array.copy()
    dataset.compress(uid, encoding_plugin="fastdicom")
    if uid == RLELossless:
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
        assert bytes(rle.decode_frame(frame, 64, 64, 1, 16, strict=True)) == before.tobytes()
    assert numpy.array_equal(dataset.pixel_array, before)


def test_a_segment_that_ends_early_is_left_to_the_other_plugins() -> None:
    """Ours would have to invent pixels; what pydicom makes of it is pydicom's business."""
    dataset = read("MR_small_RLE.dcm")
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([frame[: len(frame) - 500]])
    with pytest.raises(RuntimeError, match=r"fastdicom: RLE segment 2 ends \d+ bytes short"):
        _ = dataset.pixel_array


def test_a_segment_that_goes_on_is_decoded_by_the_next_plugin() -> None:
    dataset = read("MR_small_RLE.dcm")
    before = dataset.pixel_array.copy()
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset = read("MR_small_RLE.dcm")
    dataset.PixelData = encapsulate([frame + b"\xff\x01" * 8])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert numpy.array_equal(dataset.pixel_array, before)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"rle_segment_order": "<"}, "least significant byte first"), ({"bits_allocated": 1}, "one-bit pixels")],
)
def test_what_our_kernels_do_not_do_is_refused(options: dict[str, object], reason: str) -> None:
    dataset = read("MR_small_RLE.dcm")
    keep = {"decoding_plugin": "fastdicom", **options}
    if "bits_allocated" in options:
        dataset.BitsAllocated, dataset.BitsStored = 1, 1
        keep.pop("bits_allocated")
    with pytest.raises(RuntimeError, match=reason):
        get_decoder(RLELossless).as_array(dataset, **keep)


def test_big_endian_samples_are_refused() -> None:
    with pytest.raises(RuntimeError, match="big-endian"):
        get_encoder(RLELossless).encode(read("MR_small.dcm"), encoding_plugin="fastdicom", byteorder=">")


def test_jpeg_of_another_process_is_not_ours_to_decode() -> None:
    dataset = read("SC_rgb_jpeg_dcmtk.dcm")
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    with pytest.raises(RuntimeError, match="a jpeg codestream"):
        get_decoder(JPEGLosslessSV1).as_array(dataset, decoding_plugin="fastdicom")


def lossless_jpeg_files() -> Iterator[Dataset]:
    for path in sorted(shared_data().rglob("*")):
        if path.is_file() and path.read_bytes()[128:132] == b"DICM":
            try:
                dataset = pydicom.dcmread(path)
            except OSError:  # cut on purpose
                continue
            syntax = dataset.file_meta.get("TransferSyntaxUID")
            if syntax in (JPEGLossless, JPEGLosslessSV1) and "PixelData" in dataset:
                yield dataset


def test_real_lossless_jpeg_files_decode_as_libjpeg_decodes_them() -> None:
    compared = 0
    for dataset in lossless_jpeg_files():
        count = int(dataset.get("NumberOfFrames", 1))
        frame = get_frame(dataset.PixelData, 0, number_of_frames=count)
        try:
            reference = imagecodecs.jpeg8_decode(frame)
        except (ValueError, RuntimeError):  # broken on purpose, or with a table that only libjpeg refuses
            continue
        if b"\xff\xc3" not in frame:  # not lossless, whatever the file says
            continue
        decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
        ours, _ = decoder.as_array(dataset, index=0, raw=True, decoding_plugin="fastdicom")
        assert ours.astype(reference.dtype).tobytes() == reference.tobytes()
        compared += 1
    assert compared > 5
