"""`fastdicom get`: C-GET into a folder."""

from __future__ import annotations

import argparse

from fastdicom.cli.arguments import add_peer, folder, peer_of
from fastdicom.cli.progress import ProgressPrinter
from fastdicom.cli.retrieval import add_retrieval, retrieval_keys, tell
from fastdicom.identifiers import build_identifier

EXAMPLE = "  fastdicom get 10.0.0.5 104 images/ --called PACS -k StudyInstanceUID=1.2.3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """HOST PORT OUT."""
    add_peer(parser)
    parser.add_argument(
        "out", metavar="OUT", type=folder, help="folder for the files; it is made when it is missing"
    )
    add_retrieval(parser)


def run(options: argparse.Namespace) -> int:
    """Fetch; the counts while it comes."""
    keys = retrieval_keys(options)
    options.out.mkdir(parents=True, exist_ok=True)
    with peer_of(options) as peer, ProgressPrinter("fetched") as progress:
        report = peer.get(
            options.out,
            level=options.level,
            model=options.model.upper(),
            identifier=build_identifier(options.level, keys),
            progress=progress,
        )
    return tell(report, "fetched", options.json)
