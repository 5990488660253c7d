"""`fastdicom serve`: the node in the foreground, until SIGTERM or SIGINT; SIGHUP reads its configuration."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fastdicom.cli.arguments import checked, whole_number
from fastdicom.cli.exits import DONE
from fastdicom.cli.main import configuration_line
from fastdicom.cli.terminal import printable
from fastdicom.config import Config
from fastdicom.config_files import load_with_files
from fastdicom.settings import ae_title

EXAMPLE = """\
  fastdicom serve
  fastdicom serve --config /etc/fastdicom/fastdicom.toml --port 104"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--config and what wins over it."""
    parser.add_argument("--config", metavar="FILE", type=Path, help="configuration in TOML; none is needed")
    parser.add_argument("--ae-title", metavar="T", type=checked(ae_title), help="our AE title (FASTDICOM)")
    parser.add_argument(
        "--bind", metavar="ADDR", help="address to listen on (127.0.0.1); 0.0.0.0 or :: for all"
    )
    parser.add_argument(
        "--port",
        metavar="N",
        type=whole_number(0, 65535),
        help="port to listen on (11112); 0 takes a free one",
    )
    parser.add_argument(
        "--archive", metavar="DIR", type=Path, help="folder of the archive (./fastdicom-archive)"
    )


def run(options: argparse.Namespace) -> int:
    """Serve. Raises ConfigError when the configuration is wrong, UsageError when the port is taken."""
    from fastdicom.service import Service

    service = Service(
        lambda: read_config(options),
        configuration_line,
        reloadable=options.config is not None,
        verbose=options.verbose,
    )
    service.run(lambda config, addresses, tls: print(listening_line(config, addresses, tls), flush=True))
    return DONE


def read_config(options: argparse.Namespace) -> Config:
    """The configuration file, if there is one, with the options of the command line over it."""
    config = load_with_files(options.config) if options.config is not None else Config()
    node: dict[str, Any] = {"ae_title": options.ae_title, "bind": options.bind, "port": options.port}
    node = {key: value for key, value in node.items() if value is not None}
    archive = {} if options.archive is None else {"path": options.archive}
    return config.with_changes(node=node, archive=archive)


def listening_line(
    config: Config, addresses: list[tuple[str, int]], tls_addresses: list[tuple[str, int]] | None = None
) -> str:
    """`fastdicom: GATEWAY listens on 127.0.0.1:11112, 127.0.0.1:2762 (TLS), archive ./fastdicom-archive`."""
    places = [
        (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        + (" (TLS)" if (host, port) in (tls_addresses or ()) else "")
        for host, port in addresses
    ]
    path = config.archive.path
    shown = path if path.is_absolute() else f"./{path}"
    return printable(f"fastdicom: {config.node.ae_title} listens on {', '.join(places)}, archive {shown}")
