"""Transcoding before other programs: real files moved to peers that take one transfer syntax only, the
results read by DCMTK, GDCM, pydicom and dciodvfy, and what we encode decoded by all of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy
import pydicom
import pytest
from pydicom.encaps import encapsulate

from fastdicom.dataset.part10 import encode_file_meta, read_file_meta
from fastdicom.errors import FastdicomError
from fastdicom.standard.transfer_syntaxes import CONFORMANCE, KNOWN
from fastdicom.transcoding import codecs
from fastdicom.transcoding.objects import Options, convert
from fastdicom.transcoding.proof import pixel_checksum
from fastdicom.transcoding.workers import Workers
from tests.interop.waves import Sendable, sendable, store_all
from tests.support.image_objects import EXPLICIT_LE, IMPLICIT_LE, from_bytes, icon, image_object, to_bytes
from tests.support.images import picture
from tests.support.node import fastdicom_node, peer_table
from tests.support.peers import storescp
from tests.support.processes import PeerMissing
from tests.support.rawserver import RawServer, Received, Sink, only_syntaxes
from tests.support.retrieve import Querier
from tests.support.shared_data import manifest

SV1, RLE = codecs.JPEG_LOSSLESS_SV1, codecs.RLE_LOSSLESS
JPEG_LS, JPEG_2000 = codecs.JPEG_LS_LOSSLESS, codecs.JPEG_2000_LOSSLESS
DECODERS = {SV1: "dcmdjpeg", JPEG_LS: "dcmdjpls", RLE: "dcmdrle"}
FOLDERS = ("transfer_syntaxes/", "odd/")


@pytest.fixture(scope="module")
def options() -> Iterator[Options]:
    with Workers(count=2) as workers:
        yield Options(workers=workers)


# ---- what we encode, decoded by others ---------------------------------------------------------------------


def real_images() -> list[Sendable]:
    """Every file of the two folders that says what it is."""
    files = []
    for row in manifest():
        if row.name.startswith(FOLDERS):
            data = row.path.read_bytes()
            try:
                meta = read_file_meta(data)
            except FastdicomError:
                continue
            files.append(
                Sendable(row.name, "", "1.2.3", meta.transfer_syntax_uid, data[meta.dataset_offset :])
            )
    return files


def run(*command: str | Path) -> bool:
    """Whether a program did it; skips when there is none."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=60, check=False)
    return done.returncode == 0


def others(coded: bytes, syntax: str, folder: Path) -> list[bytes]:
    """The pixels that DCMTK and GDCM decode, interleaved."""
    source, target = folder / "coded.dcm", folder / "native.dcm"
    source.write_bytes(encode_file_meta("1.2.840.10008.5.1.4.1.1.7", "1.2.3", syntax) + coded)
    found = []
    for command in ([DECODERS[syntax]] if syntax in DECODERS else []), ["gdcmconv", "--raw"]:
        target.unlink(missing_ok=True)
        if command and run(*command, source, target) and target.exists():
            found.append(interleaved(pydicom.dcmread(target, force=True)))
    return found


def interleaved(ds: pydicom.Dataset) -> bytes:
    """Native pixels without padding, Planar Configuration 0."""
    frames = int(ds.get("NumberOfFrames", 1) or 1)
    bits = frames * ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated
    data = bytes(ds.PixelData[: (bits + 7) // 8])
    if ds.SamplesPerPixel == 1 or ds.get("PlanarConfiguration", 0) == 0:
        return data
    samples = numpy.frombuffer(data, f"<u{ds.BitsAllocated // 8}")
    planes = samples.reshape(frames, ds.SamplesPerPixel, ds.Rows * ds.Columns)
    return planes.transpose(0, 2, 1).tobytes()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(400)
@pytest.mark.parametrize("syntax", [SV1, RLE, JPEG_LS, JPEG_2000], ids=lambda uid: KNOWN[uid].keyword)
def test_others_decode_what_we_encode_from_every_real_file(
    options: Options, syntax: str, tmp_path: Path
) -> None:
    """GDCM is wrong about some RGB of 16 and 32 bits and signed samples: one of two has to agree, and both
    if they agree with each other."""
    compared = 0
    for one in real_images():
        try:
            coded = b"".join(convert(one.data, one.transfer_syntax, syntax, options))
            native = b"".join(convert(one.data, one.transfer_syntax, EXPLICIT_LE, options))
        except FastdicomError as refusal:
            assert str(refusal), one.name
            continue
        ds = from_bytes(native, EXPLICIT_LE)
        if "PixelData" not in ds or ds.BitsAllocated == 1 or one.transfer_syntax == syntax:
            continue
        ours = interleaved(ds)
        assert pixel_checksum(coded, syntax, options) == pixel_checksum(native, EXPLICIT_LE, options)
        theirs = others(coded, syntax, tmp_path)
        assert not theirs or ours in theirs, one.name
        if len(theirs) == 2 and theirs[0] == theirs[1]:
            assert theirs[0] == ours, one.name
        compared += bool(theirs)
    assert compared >= 60


# ---- end to end --------------------------------------------------------------------------------------------


def made_up() -> list[Sendable]:
    """An object in each of the 33 transfer syntaxes: real codestreams where we can write them, else bytes."""
    ds = image_object(picture(40, 30, 0, 255, "u1"))
    made = []
    for number, row in enumerate(CONFORMANCE, 1):
        ds.SOPInstanceUID = f"1.2.826.0.1.{number}"
        plain = to_bytes(ds)
        if row.encode and row.lossless is not False:
            data = b"".join(convert(plain, EXPLICIT_LE, row.uid))
        elif row.encapsulated:
            opaque = image_object(picture(40, 30, 0, 255, "u1"), SOPInstanceUID=ds.SOPInstanceUID)
            opaque.PixelData = encapsulate([b"\xff\xd8 no codestream at all"])
            opaque["PixelData"].VR = "OB"
            opaque["PixelData"].is_undefined_length = True
            data = to_bytes(opaque, row.uid)
        else:
            data = zlib_of(plain) if row.deflated else plain
        made.append(Sendable(row.keyword, ds.SOPClassUID, ds.SOPInstanceUID, row.uid, data))
    return made


def zlib_of(data: bytes) -> bytes:
    import zlib

    deflater = zlib.compressobj(wbits=-15)
    out = deflater.compress(data) + deflater.flush()
    return out + b"\0" * (len(out) % 2)


def real_ones() -> list[Sendable]:
    found: dict[str, Sendable] = {}
    for row in manifest():
        if row.name.startswith(FOLDERS):
            one = sendable(row)
            if one.sop_class and one.sop_instance:
                found.setdefault(one.sop_instance, one)
    return list(found.values())


@dataclass
class Moved:
    """What arrived at a peer, what was stored, and what the node said."""

    stored: dict[str, Sendable]
    received: dict[str, Received]
    failed: set[str]


def move(folder: Path, files: list[Sendable], *accepted: str) -> Moved:
    """Everything that could be stored, moved to a peer that accepts these transfer syntaxes only."""
    sink = Sink(only_syntaxes(*accepted))
    with RawServer(sink.serve, timeout_s=120) as server:
        peers = [peer_table("SINK", server.port)]
        with fastdicom_node(folder, peers=peers) as node, Querier(node.port, timeout_s=300) as querier:
            refused = store_all(node.port, files)
            stored = {one.sop_instance: one for one in files if not refused[one.name]}
            failed = set()
            for study in querier.uids("STUDY", 0x0020000D):
                answer = querier.move("STUDY", {0x0020000D: study})
                failed |= set(re.findall(rb"[0-9.]{5,64}", (answer.data or b"")[8:]))
    received = sink.by_instance()
    return Moved(stored, received, {uid.decode() for uid in failed})


TARGETS = [IMPLICIT_LE, EXPLICIT_LE, SV1, JPEG_2000, RLE, JPEG_LS]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(400)
@pytest.mark.parametrize("accepted", TARGETS, ids=lambda uid: KNOWN[uid].keyword)
def test_real_files_reach_a_peer_that_takes_one_transfer_syntax(
    options: Options, accepted: str, tmp_path: Path
) -> None:
    moved = move(tmp_path / "node", real_ones(), accepted)
    assert set(moved.received) | moved.failed == set(moved.stored)
    assert not set(moved.received) & moved.failed
    assert len(moved.received) >= 55
    worse = []
    for uid, got in moved.received.items():
        one = moved.stored[uid]
        assert got.transfer_syntax == accepted
        assert got.data == b"".join(convert(one.data, one.transfer_syntax, accepted, options)), one.name
        worse += [f"{one.name}: {text}" for text in new_complaints(one, got, tmp_path)]
    assert worse == []
    for uid in moved.failed:
        one = moved.stored[uid]
        with pytest.raises(FastdicomError):
            b"".join(convert(one.data, one.transfer_syntax, accepted, options))


IGNORED = re.compile(r"Warning|Photometric|Image Type|Transfer Syntax|Lossy")


def new_complaints(one: Sendable, got: Received, folder: Path) -> set[str]:
    """What dcmdump and dciodvfy say about the result that they do not say about what was stored."""
    data, syntax = one.data, one.transfer_syntax
    if KNOWN[syntax].deflated:  # dciodvfy does not inflate
        data, syntax = b"".join(convert(data, syntax, EXPLICIT_LE)), EXPLICIT_LE
    before = complaints(data, syntax, one, folder / "before.dcm")
    return complaints(got.data, got.transfer_syntax, one, folder / "after.dcm") - before


def complaints(data: bytes, syntax: str, one: Sendable, path: Path) -> set[str]:
    path.write_bytes(encode_file_meta(one.sop_class, one.sop_instance, syntax) + data)
    said = []
    for command in (["dcmdump", "-q"], ["dciodvfy"]):
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
        done = subprocess.run([*command, str(path)], capture_output=True, timeout=60, check=False)
        said += done.stderr.decode("latin-1").splitlines()
    lines = {re.sub(r"0x[0-9a-f]+|\d+|path.*", "#", line) for line in said if "Error" in line}
    return {line for line in lines if not IGNORED.search(line)}


@pytest.mark.parametrize("to_uid", [EXPLICIT_LE, SV1, RLE], ids=lambda uid: KNOWN[uid].keyword)
def test_others_read_the_icons_that_were_decoded(to_uid: str, tmp_path: Path) -> None:
    pixels = picture(32, 40, 0, 250, "u1")
    native = to_bytes(image_object(pixels))
    from_uid = RLE if to_uid == SV1 else SV1
    ds = from_bytes(b"".join(convert(native, EXPLICIT_LE, from_uid)), from_uid)
    ds.IconImageSequence = [icon(pixels, from_uid)]
    one = Sendable("icon", ds.SOPClassUID, ds.SOPInstanceUID, from_uid, to_bytes(ds, from_uid))
    data = b"".join(convert(one.data, from_uid, to_uid))
    before = complaints(one.data, from_uid, one, tmp_path / "before.dcm")
    assert complaints(data, to_uid, one, tmp_path / "after.dcm") <= before
    dump = ["dcmdump", "+P", "7fe0,0010", "+L", str(tmp_path / "after.dcm")]
    shown = subprocess.run(dump, capture_output=True, check=True).stdout.decode()
    assert shown.startswith("(7fe0,0010) OB " + pixels.tobytes().hex("\\"))


@pytest.mark.timeout(300)
def test_all_33_are_stored_and_sent_on_byte_for_byte(tmp_path: Path) -> None:
    files = made_up()
    moved = move(tmp_path / "node", files, *KNOWN)
    assert len(moved.stored) == len(moved.received) == 33
    assert all(moved.received[one.sop_instance].data == one.data for one in files)
    assert all(moved.received[one.sop_instance].transfer_syntax == one.transfer_syntax for one in files)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("accepted", TARGETS, ids=lambda uid: KNOWN[uid].keyword)
def test_of_all_33_only_what_we_cannot_decode_fails(options: Options, accepted: str, tmp_path: Path) -> None:
    files = made_up()
    moved = move(tmp_path / "node", files, accepted)
    readable = {
        one.sop_instance
        for one in files
        if one.transfer_syntax == accepted
        or (KNOWN[one.transfer_syntax].encode and KNOWN[one.transfer_syntax].lossless is not False)
    }
    assert set(moved.received) == readable
    assert moved.failed == set(moved.stored) - readable
    for uid in readable:
        got, one = moved.received[uid], moved.stored[uid]
        before = pixel_checksum(one.data, one.transfer_syntax, options)
        assert pixel_checksum(got.data, got.transfer_syntax, options) == before


@pytest.mark.timeout(120)
def test_storescp_that_takes_implicit_only_gets_everything_that_can_be_decoded(tmp_path: Path) -> None:
    files = [one for one in made_up() if KNOWN[one.transfer_syntax].encode]
    files = [one for one in files if KNOWN[one.transfer_syntax].lossless is not False]
    try:
        with storescp(tmp_path / "scp", "+xi") as peer:
            peers = [peer_table("STORESCP", peer.port)]
            with fastdicom_node(tmp_path / "node", peers=peers) as node, Querier(node.port) as querier:
                assert not any(store_all(node.port, files).values())
                answer = querier.move("STUDY", {0x0020000D: "1.2.3"}, "STORESCP")
                assert answer.status == 0
            got = [pydicom.dcmread(path) for path in (tmp_path / "scp" / "received").iterdir()]
    except PeerMissing as reason:
        pytest.skip(str(reason))
    assert len(got) == len(files)
    assert {ds.file_meta.TransferSyntaxUID for ds in got} == {IMPLICIT_LE}
    assert {ds.PixelData for ds in got} == {picture(40, 30, 0, 255, "u1").tobytes()}
