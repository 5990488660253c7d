"""The files that a configuration names, tried before it is put in force: certificates, users, passcodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from fastdicom.config import FILE_LENGTH_MAX, Config, ConfigError
from fastdicom.credentials import Credentials
from fastdicom.errors import UnusableFile, UsageError
from fastdicom.passcodes import Passcodes
from fastdicom.settings import Mistake, dotted
from fastdicom.small_files import read_small
from fastdicom.toml_lines import TomlLines
from fastdicom.users import read_passcode

Place = tuple[str, ...]


def load_with_files(source: Path) -> Config:
    """The configuration in a file whose other files can be used, too.

    Raises ConfigError with every mistake, its key and its line.
    """
    config = Config.load(source)
    faults = [fault for place, attempt in _attempts(config) for fault in _faults(place, attempt)]
    if faults:
        line_of = TomlLines(read_small(source, FILE_LENGTH_MAX).decode("utf-8-sig", "replace")).line_of
        mistakes = (Mistake(dotted(place), line_of(place), why) for place, why in faults)
        raise ConfigError(mistakes, str(source))
    return config


def _attempts(config: Config) -> Iterator[tuple[Place, Callable[[], object]]]:
    if config.tls is not None:
        yield ("tls",), partial(Credentials, config.tls)
    if config.access.passcodes is not None:
        yield ("access", "passcodes"), partial(Passcodes.load, config.access.passcodes)
    for number, peer in enumerate(config.peers, 1):
        if peer.passcode_file is not None:
            yield ("peers", str(number), "passcode_file"), partial(read_passcode, peer.passcode_file)
    if config.audit.transport == "tls":
        from fastdicom.audit.recorder import transport_of

        yield ("audit",), partial(transport_of, config.audit)


def _faults(place: Place, attempt: Callable[[], object]) -> Iterator[tuple[Place, str]]:
    try:
        attempt()
    except UnusableFile as error:
        yield (error.section, error.key), error.why
    except UsageError as error:
        yield place, str(error)
