"""Where the service's log goes: the journal, or standard error as text or as one JSON object a line.

Only the service calls this. An embedded engine logs to `logging` and leaves the rest to its host. Each line
carries the association that it is about; instances are named by a hash of their UID unless [log]
patient_data is on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sys
import time
from typing import TextIO

from fastdicom import log_context
from fastdicom.config import LogConfig
from fastdicom.journal import Journal, is_journal

LOGGER = "fastdicom"
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_UID = re.compile(r"(?<![\w.])[0-2](?:\.\d+){2,}(?!\w)")
_STANDARD_ROOT = "1.2.840.10008."
_ADDRESS_LENGTH_MAX = len("255.255.255.255")
_DIGITS = 16  # of a hash: enough to tell the instances of a hospital apart
_PRIORITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}  # syslog(3)


def configure(log: LogConfig, verbose: int = 0, stream: TextIO | None = None) -> None:
    """Log as `log` says; again after a reload. verbose: 2 and more override the level with DEBUG.

    stream: instead of standard error. The journal is spoken to natively when standard error leads there.
    """
    logging.logProcesses = logging.logMultiprocessing = False  # no line tells them, every line would ask
    handler = (_journal_handler(log) if stream is None else None) or _stream_handler(log, stream)
    if isinstance(handler, LineHandler):
        logging.logThreads = False
        logging._srcfile = None  # no place in the code: see "Optimization" in the manual of logging
    logger = logging.getLogger(LOGGER)
    for old in logger.handlers[:]:
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)
    logger.propagate = False
    level = logging.getLevelName(log.level)
    quieter = {0: level, 1: min(level, logging.INFO)}
    logger.setLevel(quieter.get(verbose, logging.DEBUG))


def _stream_handler(log: LogConfig, stream: TextIO | None) -> logging.Handler:
    ours = stream is None and sys.stderr is not None and sys.stderr is sys.__stderr__
    handler = LineHandler() if ours else logging.StreamHandler(stream or sys.stderr)
    formatter = JsonFormatter if log.format == "json" else TextFormatter
    handler.setFormatter(formatter(patient_data=log.patient_data))
    return handler


def _journal_handler(log: LogConfig) -> logging.Handler | None:
    """A handler for the journal, when standard error leads there and it listens."""
    if not is_journal(2, os.environ.get("JOURNAL_STREAM", "")):
        return None
    try:
        journal = Journal()
    except OSError:
        return None  # the stream on standard error still leads there
    handler = JournalHandler(journal)
    formatter = JsonFormatter if log.format == "json" else MessageFormatter
    handler.setFormatter(formatter(patient_data=log.patient_data))
    return handler


def hashed(uid: str) -> str:
    """What stands for a UID: the first 16 hexadecimal digits of its SHA-256.

    Who knows the UID finds its lines: `printf %s 1.2.3 | sha256sum | cut -c-16`.
    """
    return hashlib.sha256(uid.encode()).hexdigest()[:_DIGITS]


def without_uids(text: str) -> str:
    """`text` with a hash in the place of every UID that is not the standard's own (SOP classes, syntaxes)."""
    return _UID.sub(_hash_found, text)


def _hash_found(found: re.Match[str]) -> str:
    uid = found[0]
    if uid.startswith(_STANDARD_ROOT) or len(uid) <= _ADDRESS_LENGTH_MAX:
        return uid
    return f"#{hashed(uid)}"


class _Formatter(logging.Formatter):
    """What the formatters share. patient_data: UIDs of instances are shown."""

    def __init__(self, line: str, *, patient_data: bool = False) -> None:
        super().__init__(line)
        self.patient_data = patient_data

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The message without line breaks: what a peer sends must not forge a line."""
        record.message = self.message_of(record)
        return super().formatMessage(record)

    def message_of(self, record: logging.LogRecord) -> str:
        """The message with control characters made visible, and UIDs hashed unless they are allowed."""
        return _harmless(self.shown(record.getMessage()))

    def shown(self, text: str) -> str:
        """`text` as far as it may be shown."""
        return text if self.patient_data else without_uids(text)

    def formatException(self, exc_info: object) -> str:
        """The traceback, indented: what an exception says can name instances, or have line breaks."""
        text = self.shown(super().formatException(exc_info))  # type: ignore[arg-type]
        return "\n".join("    " + _harmless(line) for line in text.splitlines())

    def more(self, record: logging.LogRecord) -> dict[str, object]:
        """What a call gave as `extra`, as far as it may be shown."""
        extra = {key: value for key, value in vars(record).items() if key not in _ORDINARY}
        return {key: self._shown_extra(key, value) for key, value in extra.items()}

    def _shown_extra(self, key: str, value: object) -> object:
        if not isinstance(value, str) or self.patient_data:
            return value
        return hashed(value) if key.endswith("instance_uid") else without_uids(value)


class TextFormatter(_Formatter):
    """`2024-01-31 12:00:00,123 WARNING net.server: association 7: ... [7 CT1>GATEWAY]`."""

    def __init__(self, *, patient_data: bool = False) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(room)s: %(message)s%(subject)s", patient_data=patient_data
        )
        self._second: tuple[int, str] = (-1, "")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback's lines below it."""
        room = record.name.removeprefix(f"{LOGGER}.")
        subject = _bracketed(log_context.subject())
        if not record.exc_info and not record.exc_text and not record.stack_info:  # without the detours
            when = self.formatTime(record)
            return f"{when} {record.levelname} {room}: {self.message_of(record)}{subject}"
        record.room, record.subject = room, subject
        return super().format(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Local time with milliseconds; the part that all lines of a second share is made once."""
        second, text = self._second
        if second != int(record.created):
            second = int(record.created)
            text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
            self._second = second, text  # one assignment: several threads log
        return f"{text},{int(record.msecs):03d}"


class MessageFormatter(_Formatter):
    """The message alone: for the journal, which has fields for the rest."""

    def __init__(self, *, patient_data: bool = False) -> None:
        super().__init__("%(message)s", patient_data=patient_data)


class JsonFormatter(_Formatter):
    """One JSON object a line; what a call gave as `extra` stands in it by its name."""

    def __init__(self, *, patient_data: bool = False) -> None:
        super().__init__("%(message)s", patient_data=patient_data)

    def format(self, record: logging.LogRecord) -> str:
        """The record as an object."""
        entry: dict[str, object] = {
            "time": record.created,
            "level": record.levelname,
            "logger": record.name,
            "message": self.shown(record.getMessage()),
        }
        subject = log_context.subject()
        if subject is not None:
            entry |= subject._asdict()
        entry |= self.more(record)
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class LineHandler(logging.Handler):
    """Writes to standard error, a line a system call, and without the lock of `logging`.

    Who held it while writing had given the interpreter away, and the next association waited for both.
    """

    def handle(self, record: logging.LogRecord) -> bool:
        """Write it, unless a filter is against that; what `logging` does, without the lock."""
        passed: object = self.filter(record)  # a record from Python 3.12 on
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, or what it takes for a traceback."""
        try:
            left = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            while left:
                left = left[os.write(2, left) :]
        except Exception:  # a wrong argument, too, must not cost more than its line
            self.handleError(record)


class JournalHandler(logging.Handler):
    """Writes to the journal, with a field for everything that somebody may want to select by.

    FASTDICOM_ASSOCIATION, _CALLING_AE, _CALLED_AE, _PEER (its address), and one for each `extra` of the call,
    such as FASTDICOM_SOP_INSTANCE_UID.
    """

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        """Write one entry; to standard error when the journal has gone."""
        try:
            self._journal.send(self._fields(record))
        except OSError as error:
            print(f"{self.format(record)} (the journal: {error})", file=sys.stderr)

    def close(self) -> None:
        """Give the descriptor back."""
        self._journal.close()
        super().close()

    def _fields(self, record: logging.LogRecord) -> dict[str, str]:
        fields = {
            "MESSAGE": self.format(record),
            "PRIORITY": str(_PRIORITIES.get(record.levelname, 6)),
            "SYSLOG_IDENTIFIER": LOGGER,
            "LOGGER": record.name,
            "CODE_FILE": record.pathname,
            "CODE_LINE": str(record.lineno),
            "CODE_FUNC": record.funcName or "",
            "THREAD_NAME": record.threadName or "",
        }
        subject = log_context.subject()
        if subject is not None:
            fields |= _subject_fields(subject)
        assert isinstance(self.formatter, _Formatter)
        for key, value in self.formatter.more(record).items():
            fields[f"FASTDICOM_{key.upper()}"] = str(value)
        if self._journal.lost:
            fields["FASTDICOM_LOST"] = str(self._journal.lost)
        return fields


def _subject_fields(subject: log_context.Subject) -> dict[str, str]:
    named = {
        "FASTDICOM_ASSOCIATION": str(subject.association),
        "FASTDICOM_PEER": subject.address,
        "FASTDICOM_CALLING_AE": subject.calling_ae_title,
        "FASTDICOM_CALLED_AE": subject.called_ae_title,
    }
    return {name: value for name, value in named.items() if value}


def _bracketed(subject: log_context.Subject | None) -> str:
    if subject is None:
        return ""
    titles = f" {subject.calling_ae_title}>{subject.called_ae_title}" if subject.calling_ae_title else ""
    return _harmless(f" [{subject.association}{titles}]")


def _harmless(text: str) -> str:
    """`text` with its control characters made visible."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)
