"""Progress, sizes and the log's formats."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from fastdicom import logs
from fastdicom.cli.progress import ProgressPrinter, progress_line
from fastdicom.cli.terminal import human_size, plural, printable
from fastdicom.config import LogConfig
from fastdicom.reports import Progress


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Time that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_terminal_sees_one_line_that_is_redrawn_and_cleared() -> None:
    screen, clock = Screen(), Clock()
    with ProgressPrinter("sent", screen, clock) as progress:
        for done in range(1, 101):
            clock.now += 0.01
            progress(Progress(done, 100))
    shown = [part for part in screen.getvalue().split("\r") if part.strip()]
    assert 5 <= len(shown) <= 10
    assert shown[0].startswith("sent 1")
    assert screen.getvalue().endswith("\r")
    assert "\n" not in screen.getvalue()


def test_elsewhere_there_is_a_plain_line_now_and_then() -> None:
    file, clock = io.StringIO(), Clock()
    with ProgressPrinter("sent", file, clock) as progress:
        for done in range(1, 101):
            clock.now += 0.11
            progress(Progress(done, 100, failed=done // 50))
    lines = file.getvalue().splitlines()
    assert [line.split(" ")[1] for line in lines] == ["46/100", "92/100"]
    assert lines[1].endswith(", 1 failed")
    assert "\r" not in file.getvalue()


def test_a_short_operation_shows_nothing() -> None:
    screen = Screen()
    with ProgressPrinter("sent", screen, Clock()) as progress:
        progress(Progress(1, 1))
    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress(3), "sent 3 1.5/s"),
        (Progress(1, 2, bytes=3 << 20), "sent 1/2 [############            ] 3.0 MiB 0.5/s"),
        (Progress(2, 2, 1, 1), "sent 2/2 [########################] 1.0/s, 1 with warnings, 1 failed"),
        (Progress(0, 0), "sent 0/0 0.0/s"),
    ],
)
def test_a_line_of_progress(progress: Progress, line: str) -> None:
    assert progress_line("sent", progress, 2.0, bar=True) == line


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1 << 30, "1.0 GiB"), (5 << 40, "5.0 TiB")],
)
def test_sizes(count: int, text: str) -> None:
    assert human_size(count) == text


def test_plurals() -> None:
    assert [plural(1, "study", "studies"), plural(2, "study", "studies"), plural(0, "file")] == [
        "1 study",
        "2 studies",
        "0 files",
    ]


def test_text_directions_and_escapes_are_made_harmless() -> None:
    assert printable("a\x1b[31mb\u202ec\x85\ud800") == "a�[31mb�c��"
    assert printable("山田^太郎 Müller") == "山田^太郎 Müller"


@pytest.fixture
def service_log() -> Iterator[io.StringIO]:
    """Where the log goes; the logger is as before afterwards."""
    logger = logging.getLogger(logs.LOGGER)
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield io.StringIO()
    logger.handlers[:], level, logger.propagate = before
    logger.setLevel(level)


def test_the_text_log_cannot_be_forged(service_log: io.StringIO) -> None:
    logs.configure(LogConfig(), stream=service_log)
    logging.getLogger("fastdicom.net").warning("from %s", "X\n2024-01-01 ERROR net: forged")
    line = service_log.getvalue()
    assert line.count("\n") == 1
    assert " WARNING net: from X\\x0a2024" in line


def test_the_json_log_is_one_object_a_line(service_log: io.StringIO) -> None:
    logs.configure(LogConfig(format="json"), stream=service_log)
    logging.getLogger("fastdicom.net").warning("hello\n%d", 1, extra={"association": 7})
    entry = json.loads(service_log.getvalue())
    assert (entry["message"], entry["association"], entry["level"]) == ("hello\n1", 7, "WARNING")


def test_the_level_follows_configuration_and_verbosity(service_log: io.StringIO) -> None:
    logger = logging.getLogger("fastdicom.net")
    for config, verbose, level in [
        (LogConfig(level="ERROR"), 0, logging.ERROR),
        (LogConfig(level="ERROR"), 1, logging.INFO),
        (LogConfig(level="DEBUG"), 1, logging.DEBUG),
        (LogConfig(level="INFO"), 2, logging.DEBUG),
    ]:
        logs.configure(config, verbose, service_log)
        assert logger.getEffectiveLevel() == level
    assert len(logging.getLogger(logs.LOGGER).handlers) == 1
