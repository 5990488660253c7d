"""`fastdicom move`: C-MOVE."""

from __future__ import annotations

import argparse

from fastdicom.cli.arguments import add_peer, checked, peer_of
from fastdicom.cli.progress import ProgressPrinter
from fastdicom.cli.retrieval import add_retrieval, retrieval_keys, tell
from fastdicom.identifiers import build_identifier
from fastdicom.settings import ae_title

EXAMPLE = "  fastdicom move 10.0.0.5 104 --called PACS --destination GATEWAY -k StudyInstanceUID=1.2.3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """HOST PORT --destination T."""
    add_peer(parser)
    parser.add_argument(
        "--destination",
        metavar="T",
        type=checked(ae_title),
        required=True,
        help="AE title that the peer sends to; the peer must know its address",
    )
    add_retrieval(parser)


def run(options: argparse.Namespace) -> int:
    """Have it sent; the peer's counts while it does."""
    keys = retrieval_keys(options)
    with peer_of(options) as peer, ProgressPrinter("moved") as progress:
        report = peer.move(
            destination=options.destination,
            level=options.level,
            model=options.model.upper(),
            identifier=build_identifier(options.level, keys),
            progress=progress,
        )
    return tell(report, "moved", options.json)
