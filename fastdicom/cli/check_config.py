"""`fastdicom check-config`: every mistake of a configuration file, with its key and line."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from fastdicom.cli.arguments import add_json
from fastdicom.cli.exits import DONE, USAGE
from fastdicom.cli.main import configuration_line
from fastdicom.cli.terminal import plural, print_json, printable, say
from fastdicom.config import ConfigError
from fastdicom.config_files import load_with_files

EXAMPLE = "  fastdicom check-config /etc/fastdicom.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE."""
    parser.add_argument("file", metavar="FILE", help="a configuration in TOML")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Read the file; exit status 2 when anything is wrong."""
    try:
        config = load_with_files(Path(options.file))
    except ConfigError as error:
        if options.json:
            print_json({"file": options.file, "mistakes": [asdict(mistake) for mistake in error.mistakes]})
        else:
            for mistake in error.mistakes:
                print(printable(configuration_line(error.source, mistake)))
            say(plural(len(error.mistakes), "mistake"))
        return USAGE
    if options.json:
        print_json({"file": options.file, "mistakes": []})
    else:
        peers = plural(len(config.peers), "peer")
        print(printable(f"{options.file}: no mistakes ({config.node.ae_title}, {peers})"))
    return DONE
