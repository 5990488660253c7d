"""The program `fastdicom`: finds the command, runs it, turns errors into one line and an exit status.

Only the module of the chosen command is imported, and that imports what it needs when it runs: `--help`
must not wait for pydicom.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from fastdicom.cli.exits import BROKEN_PIPE, DONE, INTERRUPTED, exit_status
from fastdicom.config import ConfigError
from fastdicom.errors import FastdicomError
from fastdicom.settings import Mistake

# command -> what it does; the module is fastdicom.cli.<command>, with "_" for "-"
COMMANDS = {
    "serve": "run the node in the foreground",
    "echo": "ask a peer whether it answers (C-ECHO)",
    "send": "send files and folders to a peer (C-STORE)",
    "find": "query a peer (C-FIND) or an archive of this machine",
    "move": "have a peer send to another one (C-MOVE)",
    "get": "fetch from a peer into a folder (C-GET)",
    "transcode": "convert files to another transfer syntax",
    "import": "take files into an archive",
    "export": "copy files out of an archive",
    "delete": "delete patients, studies, series or instances from an archive",
    "verify": "check that an archive's index and files agree",
    "rebuild": "make an archive's index anew from its files",
    "retention": "delete studies that the rules of retention no longer keep",
    "protect": "keep patients and studies from retention",
    "status": "show what a node does and what its archive holds",
    "user": "keep the file of users and passcodes",
    "check-config": "name every mistake of a configuration file",
    "install-service": "put the systemd service in place",
    "uninstall-service": "take the systemd service away; archive and configuration stay",
}
MODULES = {"import": "import_files"}  # `import` is no name for a module


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. 0 done, 1 refused, 2 usage or configuration, 3 no association."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = build_parser(given).parse_args(given)
    prepare_output(options.verbose)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit complains
        return BROKEN_PIPE
    except (FastdicomError, OSError) as problem:
        complain(options.command, problem)
        return exit_status(problem)


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the whole program, with the arguments of the command that stands in `arguments`."""
    parser = argparse.ArgumentParser(
        prog="fastdicom",
        description="An embedded DICOM engine for appliances: receives, keeps, finds and sends.",
        epilog="exit status: 0 all done; 1 the peer or an object refused; 2 usage or configuration; "
        "3 no association.\n\nexample:\n  fastdicom serve --archive ./images",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, help="show the version and end")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == chosen:
            module = import_module(f"fastdicom.cli.{MODULES.get(name, name).replace('-', '_')}")
            module.add_arguments(command)
            command.epilog = f"example{'s' if module.EXAMPLE.count(chr(10)) else ''}:\n{module.EXAMPLE}"
            command.add_argument(
                "-v", "--verbose", action="count", default=0, help="log to stderr; -vv for more"
            )
            command.set_defaults(run=module.run)
    return parser


class _Version(argparse.Action):
    """`--version`: reads the version only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, **keywords: object) -> None:
        super().__init__(option_strings, dest, nargs=0, help=str(keywords.get("help")))

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("fastdicom-engine")
        except PackageNotFoundError:
            number = "(not installed)"
        print(f"fastdicom {number}")
        parser.exit(DONE)


def prepare_output(verbose: int) -> None:
    """-v shows what happens to associations, -vv every message, both on stderr; without it only results and
    the one line that says what is wrong are printed, whatever the terminal's encoding."""
    import logging
    import warnings

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if verbose:
        from fastdicom.logs import TextFormatter  # no control characters of a peer's on the terminal

        handler = logging.StreamHandler()
        handler.setFormatter(TextFormatter())
        logging.basicConfig(level=logging.INFO if verbose == 1 else logging.DEBUG, handlers=[handler])
    else:
        logging.basicConfig(handlers=[logging.NullHandler()])
        warnings.simplefilter("ignore")  # pydicom's about values: the answer shows them as they are


def complain(command: str, problem: Exception) -> None:
    """Say on stderr what is wrong: one line, or one for each mistake of a configuration."""
    if isinstance(problem, ConfigError):
        for mistake in problem.mistakes:
            print(f"fastdicom {command}: {configuration_line(problem.source, mistake)}", file=sys.stderr)
        return
    from fastdicom.cli.terminal import printable

    print(f"fastdicom {command}: {printable(describe(problem))}", file=sys.stderr)


def configuration_line(source: str, mistake: Mistake) -> str:
    """A mistake in the form in which compilers name places: `gateway.toml:4: node.port: ...`."""
    place = source if mistake.line is None else f"{source}:{mistake.line}"
    return ": ".join(part for part in (place, mistake.key, mistake.message) if part)


def describe(problem: Exception) -> str:
    """An error in one line; an OSError with the file that it is about."""
    if isinstance(problem, OSError) and problem.filename is not None:
        return f"{problem.filename}: {problem.strerror}"
    status = getattr(problem, "status", None)
    if isinstance(status, int):
        from fastdicom.standard.status import describe as status_text

        code, message = status_text(status), str(problem)
        return message if code in message else f"{code}: {message}"
    return str(problem) or type(problem).__name__
