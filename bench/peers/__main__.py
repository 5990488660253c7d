"""python -m bench.peers: the same loads at every server, interleaved; one table and one JSON file."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench.peers import loads, machine, plot, report, rounds, servers
from bench.peers.generator import build
from bench.peers.measure import Summary, summarise
from bench.peers.work import Bench, limits

RESULTS = Path(__file__).parents[1] / "results"
EXAMPLE = """\
examples:
  python -m bench.peers --small
  python -m bench.peers --peers fastdicom,orthanc --loads ingest-16k-8,find-all --rounds 5
  python -m bench.peers --loads huge-4g-1,huge-1g-10 --peers fastdicom,storescp --rounds 1"""


def names(text: str) -> list[str]:
    """A comma-separated list."""
    return [part for part in text.split(",") if part]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m bench.peers",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    made.add_argument(
        "--small", action="store_true", help="one short round of a few loads: does it all still run?"
    )
    made.add_argument("--peers", type=names, metavar="A,B", help=f"among {', '.join(servers.SERVERS)}")
    made.add_argument("--loads", type=names, metavar="A,B", help=f"among {', '.join(loads.LOADS)}")
    made.add_argument("--rounds", type=int, help="rounds of each load (5; 1 with --small)")
    made.add_argument("--seconds", type=float, help="of a round (3; 0.4 with --small)")
    made.add_argument(
        "--folder", type=Path, help="where archives are written: on the disk that is to be measured"
    )
    made.add_argument("--out", type=Path, default=RESULTS, help="folder for the JSON file")
    made.add_argument(
        "--no-limits", action="store_true", help="leave out the bare file, cache and loopback limits"
    )
    made.add_argument("--plot", type=Path, metavar="SVG", help="draw throughput against associations")
    return made


def measure(options: argparse.Namespace, folder: Path) -> list[Summary]:
    """Run everything that was asked for."""
    chosen_loads = [loads.LOADS[name] for name in options.loads]
    chosen_servers = [servers.SERVERS[name] for name in options.peers]
    generator = build(folder)
    summaries: list[Summary] = []
    with generator.started("sink") as sink:
        bench = Bench(generator, folder, options.seconds, sink, sink.line()["port"])
        if not options.no_limits:
            summaries += [summarise([one]) for one in limits(bench)]
        for load in chosen_loads:
            summaries += rounds.run_load(bench, load, chosen_servers, options.rounds, tell)
    return summaries


def tell(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def complete(options: argparse.Namespace) -> str:
    """Fill in the defaults; a complaint, or ""."""
    options.rounds = options.rounds or (1 if options.small else 5)
    options.seconds = options.seconds or (0.4 if options.small else 3.0)
    options.peers = options.peers or list(servers.DEFAULT)
    options.loads = options.loads or list(loads.SMALL if options.small else loads.DEFAULT)
    unknown = [name for name in options.peers if name not in servers.SERVERS]
    unknown += [name for name in options.loads if name not in loads.LOADS]
    return f"unknown: {', '.join(unknown)}" if unknown else ""


def main() -> int:
    """Run, print the table, write the JSON file. Exit status 1 when a load failed at our own node."""
    options = parser().parse_args()
    if complaint := complete(options):
        parser().error(complaint)
    with tempfile.TemporaryDirectory(prefix="fastdicom-bench-", dir=options.folder) as folder:
        about = machine.describe(Path(folder))
        if about["file_system"] == "tmpfs":
            tell("the folder is on a tmpfs: nothing here says anything about durable files")
        summaries = measure(options, Path(folder))
    print(report.table(summaries))
    path = options.out / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    settings = {"rounds": options.rounds, "seconds": options.seconds, "loads": options.loads}
    report.write_json(path, about, settings, summaries)
    tell(f"written {path}")
    if options.plot:
        options.plot.write_text(plot.throughput(summaries))
    return int(any(one.error for one in summaries if one.server == servers.REFERENCE))


if __name__ == "__main__":
    sys.exit(main())
