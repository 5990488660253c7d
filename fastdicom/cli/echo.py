"""`fastdicom echo`: C-ECHO."""

from __future__ import annotations

import argparse

from fastdicom.cli.arguments import add_json, add_peer, peer_of
from fastdicom.cli.exits import DONE
from fastdicom.cli.terminal import print_json

EXAMPLE = "  fastdicom echo 10.0.0.5 104 --called PACS"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """HOST PORT."""
    add_peer(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Ask once; the time from request to answer."""
    with peer_of(options) as peer:
        elapsed_s = peer.echo()
    if options.json:
        print_json(
            {"host": options.host, "port": options.port, "called": options.called, "seconds": elapsed_s}
        )
    else:
        print(f"{options.called} at {options.host}:{options.port} answered in {elapsed_s * 1000:.1f} ms")
    return DONE
