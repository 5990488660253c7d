"""Our node beside storescp, dcmqrscp, Orthanc and pynetdicom, in one run.

    python -m bench [--small] [--peers a,b] [--loads 'ingest-16k-*,echo-1'] [--rounds N] [--folder DIR]

All servers are started once, in fresh folders. A round puts every load on every server in turn, in an
order that rotates, with written data flushed before each turn; the first round warms up and is dropped.
Nothing is deleted before the end: ext4 creates files slowly for a while after many were deleted.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from bench.generator import Generator, LoadFailed, build
from bench.loads import LIMIT, LOADS, Context, Load, Sample, Sizes, fill
from bench.plot import throughput
from bench.report import Results, Row, as_json, machine, table
from bench.servers import ARCHIVE, ENTRIES, Server, start_all

RESULTS = Path(__file__).parent / "results"
SMALL_LOADS = (
    "ingest-512k-1", "ingest-16k-1", "ingest-16k-4", "ingest-16k-8-chatty", "huge-1g-10", "find-*", "move-*",
    "echo-1", "assoc-1", "idle", "start", "import", "loopback",
)  # fmt: skip


def chosen_loads(patterns: Sequence[str]) -> list[Load]:
    """The loads whose names fit one of the patterns; without any, the usual ones."""
    if not patterns:
        return [load for load in LOADS.values() if load.usual]
    return [load for load in LOADS.values() if any(fnmatch(load.name, pattern) for pattern in patterns)]


def say(text: str) -> None:
    """Progress, to stderr."""
    print(text, file=sys.stderr, flush=True)


@dataclass
class Run:
    """Rounds of loads on servers, and what came out."""

    context: Context
    loads: list[Load]
    servers: list[Server]
    results: Results = field(default_factory=dict)

    def fill_archives(self) -> None:
        """Give find and move what they ask for; who cannot take it sits them out."""
        for server in self.servers:
            if ARCHIVE in server.roles and any(load.role == ARCHIVE for load in self.loads):
                try:
                    fill(self.context, server)
                except LoadFailed as reason:
                    server.failed.update(
                        {load.name: str(reason) for load in self.loads if load.role == ARCHIVE}
                    )

    def round(self, number: int, *, warm_up: bool) -> None:
        """Every load on every server once."""
        for load in self.loads:
            takers: list[Server | None] = [s for s in self.servers if load.role in s.roles]
            takers += [None] if load.limit else []
            at = number % len(takers) if takers else 0
            for server in takers[at:] + takers[:at]:
                self.turn(load, server, keep=not warm_up or load.best)

    def turn(self, load: Load, server: Server | None, *, keep: bool) -> None:
        """One measurement; a failure is noted, and two end the server's part in the load."""
        name = server.name if server else LIMIT
        row = self.results.setdefault(load.name, {}).setdefault(name, Row(name))
        if server and load.name in server.failed:
            row.note = server.failed[load.name]
            return
        os.sync()
        try:
            sample = self.measure(load, server)
        except LoadFailed as reason:
            say(f"  {load.name}, {name}: {reason}")
            if server and row.note:
                server.failed[load.name] = row.note  # the second time
            row.note = f"failed: {reason}"
            return
        row.note = sample.note or row.note
        if keep:
            row.samples.append(sample)

    def measure(self, load: Load, server: Server | None) -> Sample:
        """One sample of a server or of the bare system."""
        if server:
            return load.put(self.context, server)
        assert load.limit is not None
        return load.limit(self.context)


def in_order(results: Results, names: Sequence[str]) -> Results:
    """Rows in the order of `names` instead of the order in which they were measured."""
    return {
        load: {name: rows[name] for name in [*names, LIMIT] if name in rows} for load, rows in results.items()
    }


def rounds(run: Run, wanted: int, *, warm_up: bool) -> None:
    """The rounds, and one more in front to warm up; Ctrl-C ends them with what there is."""
    try:
        for number in range(wanted + warm_up):
            start = time.monotonic()
            run.round(number, warm_up=warm_up and number == 0)
            say(f"round {number}: {time.monotonic() - start:.0f} s")
    except KeyboardInterrupt:
        say("interrupted: the table has the rounds so far")


def measure(options: argparse.Namespace, folder: Path, stack: ExitStack) -> tuple[str, str, str]:
    """The table, the JSON and the drawing of a whole run."""
    generator = Generator(build(folder))
    sizes = Sizes.tiny() if options.small else Sizes()
    sink = stack.enter_context(generator.held("sink")).answer()["port"]
    servers, missing = start_all(options.peers, folder, sink, stack)
    for reason in missing:
        say(f"left out: {reason}")
    run = Run(Context(generator, folder, sizes), chosen_loads(options.loads), servers)
    where = machine(folder)
    run.fill_archives()
    rounds(run, options.rounds, warm_up=not options.small)
    results = in_order(run.results, options.peers)
    return table(run.loads, results), as_json(run.loads, results, where, missing), throughput(results)


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    commas: Callable[[str], list[str]] = lambda text: text.split(",")  # noqa: E731
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="a few objects of each: does everything run?")
    parser.add_argument("--peers", type=commas, default=list(ENTRIES), help=",".join(ENTRIES))
    parser.add_argument("--loads", type=commas, default=[], help="names or patterns: " + ", ".join(LOADS))
    parser.add_argument("--rounds", type=int, help="measured rounds (5; with --small 1)")
    parser.add_argument("--folder", type=Path, help="where archives go while it runs (the temporary folder)")
    parser.add_argument("--output", type=Path, help="the JSON (bench/results/TIME.json)")
    options = parser.parse_args(argv)
    unknown = [name for name in options.peers if name not in ENTRIES]
    if unknown:
        parser.error(f"unknown peers: {', '.join(unknown)}")
    if options.small and not options.loads:
        options.loads = list(SMALL_LOADS)
    options.rounds = options.rounds or (1 if options.small else 5)
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print the table, write the JSON and the drawing."""
    options = parsed(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the servers too, like Ctrl-C
    output = options.output or RESULTS / time.strftime("%Y%m%d-%H%M%S.json")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as folder, ExitStack() as stack:
        text, data, drawing = measure(options, Path(folder), stack)
        print(text, flush=True)  # before the archives are deleted, which takes its time
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(data)
        if drawing:
            output.with_suffix(".svg").write_text(drawing)
        say(f"written to {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
