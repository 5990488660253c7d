"""What the codec libraries do that made us choose among them, each shown by doing it.

A test that fails here means that a library has changed for the better: then libraries.py may use it again.
How we keep clear of each trap is tested in test_codecs.py and test_workers.py.
"""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import imagecodecs
import numpy
import pytest

from fastdicom.errors import CodecError
from fastdicom.kernels import codestream
from fastdicom.transcoding import codecs
from fastdicom.transcoding.workers import Budget, Job, Workers
from tests.support.images import IMAGES, picture

PREDICTOR = 10  # in what codestream.read_jpeg gives
PANIC = bytes.fromhex("af26f0a24a5de7ef118b8070a3166bfbe9246b0b2abbfd0d6f43228a2505c345430d")


@pytest.fixture(scope="module")
def cut_jpeg_ls() -> bytes:
    """A JPEG-LS frame of 700 x 700 samples without its last tenth. (With an end marker it fails at once.)"""
    whole = imagecodecs.jpegls_encode(picture(700, 700, 0, 4095, "<u2"))
    return whole[: len(whole) * 9 // 10]


def longest_silence(work: Callable[[], object]) -> tuple[float, float]:
    """(the longest time that another thread could not run, how long the work took), in seconds."""
    gaps, done = [0.0], threading.Event()

    def watch() -> None:
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(0.0005)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    thread = threading.Thread(target=watch)
    thread.start()
    time.sleep(0.01)
    begin = time.perf_counter()
    work()
    spent = time.perf_counter() - begin
    done.set()
    thread.join()
    return max(gaps), spent


def test_the_ljpeg_encoder_writes_predictor_6() -> None:
    """.70 asks for predictor 1."""
    pixels, _ = IMAGES["12 of 16 bits"]
    coded = imagecodecs.ljpeg_encode(pixels, bitspersample=12)
    assert codestream.read_jpeg(coded)[PREDICTOR] == 6


@pytest.mark.slow
def test_the_ljpeg_decoder_crashes_on_damaged_input() -> None:
    code = (
        "import imagecodecs, numpy, random\n"
        "pixels = numpy.arange(4200, dtype='<u2').reshape(70, 60)\n"
        "coded = imagecodecs.ljpeg_encode(pixels, bitspersample=13)\n"
        "rng = random.Random(1)\n"
        "for _ in range(20000):\n"
        "    data = bytearray(coded)\n"
        "    for _ in range(4):\n"
        "        data[rng.randrange(len(data))] = rng.choice((0, 1, 127, 128, 255))\n"
        "    try:\n"
        "        imagecodecs.ljpeg_decode(bytes(data))\n"
        "    except Exception:\n"
        "        pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert done.returncode in (-signal.SIGSEGV, -signal.SIGABRT), done.stderr[-300:]


def test_jpeg8_refuses_signed_samples() -> None:
    with pytest.raises(ValueError, match="dtype"):
        imagecodecs.jpeg8_encode(IMAGES["12 of 16 bits signed"][0], level=90, bitspersample=12)


def test_the_panic_of_pylibjpeg_rle_is_no_exception() -> None:
    """`except Exception` lets it through, to the end of the thread."""
    module = pytest.importorskip("rle.rle")
    frame = struct.pack("<16I", 2, 64, 72, *[0] * 13) + PANIC
    with pytest.raises(BaseException, match="") as caught:
        module.decode_frame(frame, 20, 16, "<")
    assert type(caught.value).__name__ == "PanicException"
    assert not isinstance(caught.value, Exception)


@pytest.mark.parametrize("library", ["pyjpegls", "pylibjpeg-openjpeg", "pylibjpeg-rle"])
def test_these_libraries_hold_the_interpreter(library: str) -> None:
    pixels = picture(900, 900, 0, 4095, "<u2")
    if library == "pyjpegls":
        module = pytest.importorskip("jpeg_ls")
        silence, spent = longest_silence(lambda: module.encode_array(pixels))
    elif library == "pylibjpeg-openjpeg":
        module = pytest.importorskip("openjpeg.utils")
        silence, spent = longest_silence(lambda: module.encode_array(pixels, codec_format=0, bits_stored=12))
    else:
        module = pytest.importorskip("rle.rle")
        frame = pixels.tobytes()
        silence, spent = longest_silence(lambda: module.encode_frame(frame, 900, 900, 1, 16, "<"))
    assert spent > 0.01, "too short to tell"
    assert silence > 0.8 * spent, "it lets others run now"


@pytest.mark.slow
def test_our_kernels_and_imagecodecs_let_others_run() -> None:
    from fastdicom.kernels import jpeg_lossless, rle

    pixels = picture(900, 900, 0, 4095, "<u2")
    data = numpy.tile(pixels, (4, 4)).tobytes()
    for work in (
        lambda: [rle.encode_frame(data, 3600, 3600, 1, 16) for _ in range(4)],
        lambda: [jpeg_lossless.encode_frame(data, 3600, 3600, 1, 16, 12) for _ in range(2)],
        lambda: imagecodecs.jpegls_encode(pixels),
    ):
        tries = [longest_silence(work) for _ in range(3)]
        assert min(silence / spent for silence, spent in tries) < 0.5


@pytest.mark.parametrize("operation", ["decode-jpeg-ls", "decode-jpeg-ls-second"])
def test_charls_works_on_for_seconds_when_the_data_end_early(cut_jpeg_ls: bytes, operation: str) -> None:
    """Ten times what the whole frame takes, and not yet done: its time budget ends the worker."""
    pixels, image = IMAGES["12 of 16 bits"]
    job = Job(operation, 700, 700, 1, 16, False, 16)
    with Workers(count=1) as workers:
        coded = codecs.encode_frame(codecs.JPEG_LS_LOSSLESS, pixels.tobytes(), image, workers=workers)
        begin = time.monotonic()  # the worker runs already: starting it has a budget of its own
        with pytest.raises(CodecError, match="not done after"):
            workers.run(job, cut_jpeg_ls, 700 * 700 * 2, Budget(0.5, 1 << 30))
        assert time.monotonic() - begin < 2
        decoded = codecs.decode_frame(codecs.JPEG_LS_LOSSLESS, coded, image, workers=workers)
    assert decoded == pixels.tobytes()
