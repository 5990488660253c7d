"""Where the service's log goes: standard error, as text or as one JSON object a line, for journald.

Only the service calls this. An embedded engine logs to `logging` and leaves the rest to its host.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TextIO

from fastdicom.config import LogConfig

LOGGER = "fastdicom"
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def configure(log: LogConfig, verbose: int = 0, stream: TextIO | None = None) -> None:
    """Log as `log` says; again after a reload. verbose: 2 and more override the level with DEBUG."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log.format == "json" else TextFormatter())
    logger = logging.getLogger(LOGGER)
    for old in logger.handlers[:]:
        logger.removeHandler(old)
    logger.addHandler(handler)
    logger.propagate = False
    level = logging.getLevelName(log.level)
    quieter = {0: level, 1: min(level, logging.INFO)}
    logger.setLevel(quieter.get(verbose, logging.DEBUG))


class TextFormatter(logging.Formatter):
    """`2024-01-31 12:00:00,123 WARNING net: association 7: ...`; control characters made visible."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(room)s: %(message)s")
        self._second = (-1, "")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback's lines below it."""
        record.room = record.name.removeprefix(f"{LOGGER}.")
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The message without line breaks: what a peer sends must not forge a line."""
        if not record.message.isprintable():
            record.message = "".join(
                sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in record.message
            )
        return super().formatMessage(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Local time with milliseconds; the part that all lines of a second share is made once."""
        second, text = self._second
        if second != int(record.created):
            second = int(record.created)
            text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
            self._second = second, text  # one assignment: several threads log
        return f"{text},{int(record.msecs):03d}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line; what a call gave as `extra` stands in it by its name."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as an object."""
        entry: dict[str, object] = {
            "time": record.created,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {key: value for key, value in vars(record).items() if key not in _ORDINARY}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)
