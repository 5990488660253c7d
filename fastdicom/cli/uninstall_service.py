"""`fastdicom uninstall-service`: the units away; archive and configuration stay."""

from __future__ import annotations

import argparse

from fastdicom.cli.arguments import add_json
from fastdicom.cli.install_service import add_prefix, show
from fastdicom.installing import uninstall_service

EXAMPLE = "  /opt/fastdicom/bin/fastdicom uninstall-service"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--prefix."""
    add_prefix(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Uninstall, tell what was done and what was kept."""
    return show(uninstall_service(options.prefix), options.json)
