"""`fastdicom user`: the file that `[access] passcodes` names."""

from __future__ import annotations

import argparse
import sys
from getpass import getpass
from pathlib import Path

from fastdicom.cli.arguments import add_json
from fastdicom.cli.exits import DONE
from fastdicom.cli.terminal import plural, print_json, printable, say
from fastdicom.errors import UsageError
from fastdicom.passcodes import remove_user, set_passcode, users_of
from fastdicom.users import passcode_from

EXAMPLE = """\
  fastdicom user /etc/fastdicom/passcodes             lists the users
  fastdicom user /etc/fastdicom/passcodes ct1         asks for the passcode of ct1
  fastdicom user /etc/fastdicom/passcodes ct1 --remove"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE [NAME] and what to do with it."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the file; it is made when it is missing")
    parser.add_argument("name", metavar="NAME", nargs="?", help="the user to add or to change")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--remove", action="store_true", help="take the user away")
    how.add_argument("--no-passcode", action="store_true", help="the user only has to be named")
    how.add_argument(
        "--passcode-file",
        metavar="PATH",
        type=Path,
        help="read the passcode from here; else from FASTDICOM_PASSCODE, a terminal, or standard input",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """List, add, change or remove. A running node takes the file over at its next reload."""
    if options.name is None:
        if options.remove or options.no_passcode or options.passcode_file:
            raise UsageError("which user? NAME is missing")
        return show(options)
    if options.remove:
        remove_user(options.file, options.name)
        say(f"removed {options.name}")
        return DONE
    set_passcode(options.file, options.name, None if options.no_passcode else passcode(options))
    say(f"{options.file}: {options.name} is set; a running node needs a reload (SIGHUP)")
    return DONE


def show(options: argparse.Namespace) -> int:
    """The users and whether they have a passcode."""
    users = users_of(options.file)
    for name, has_passcode in users:
        if options.json:
            print_json({"user": name, "passcode": has_passcode})
        else:
            print(printable(f"{name}{'' if has_passcode else ' (no passcode)'}"))
    say(plural(len(users), "user"))
    return DONE


def passcode(options: argparse.Namespace) -> str:
    """The new passcode; typed twice on a terminal."""
    found = passcode_from(options.passcode_file)
    if found is not None:
        return found
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass(f"passcode of {options.name}: ")
    if getpass("again: ") != first:
        raise UsageError("these are two different passcodes")
    return first
