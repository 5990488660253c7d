"""Interleaved rounds: every server once, then every server again, so that a noisy minute hits them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bench.peers.generator import LoadFailed
from bench.peers.measure import Sample, Summary, clear, summarise
from bench.peers.servers import REFERENCE, Server
from bench.peers.work import SINK_TITLE, Bench, Load
from tests.support.processes import Peer, PeerMissing

FAILURES = (LoadFailed, PeerMissing, RuntimeError, OSError)
Tell = Callable[[str], None]


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def _filled(bench: Bench, load: Load, servers: list[Server]) -> Iterator[dict[str, Peer | str]]:
    """The servers that run through all rounds, filled; for one that failed, why."""
    running: dict[str, Peer | str] = {}
    with ExitStack() as stack:
        for server in servers:
            folder = bench.fresh_folder()
            stack.callback(clear, folder)
            try:
                peer = stack.enter_context(server.start(folder, [(SINK_TITLE, bench.sink_port)]))
                if load.prepare:
                    load.prepare(bench, load, peer)
                running[server.name] = peer
            except FAILURES as error:
                running[server.name] = _reason(error)
        yield running


def _round(bench: Bench, load: Load, server: Server, running: Peer | str | None) -> Sample:
    """One round; what went wrong is part of the sample and ends nothing else."""
    if isinstance(running, str):
        return Sample(load.name, server.name, load.unit, error=running)
    try:
        if running is not None:
            return load.measure(bench, load, server, running)
        folder = bench.fresh_folder()
        try:
            with server.start(folder, [(SINK_TITLE, bench.sink_port)]) as peer:
                return load.measure(bench, load, server, peer)
        finally:
            clear(folder)
    except FAILURES as error:
        return Sample(load.name, server.name, load.unit, error=_reason(error))


def run_load(bench: Bench, load: Load, servers: list[Server], rounds: int, tell: Tell) -> list[Summary]:
    """All rounds of a load at all servers."""
    samples: dict[str, list[Sample]] = {server.name: [] for server in servers}
    fitting = [server for server in servers if not load.unfit(server)]
    for server in servers:
        if server not in fitting:
            error = load.unfit(server)
            samples[server.name].append(Sample(load.name, server.name, load.unit, error=error))
    with _filled(bench, load, [] if load.fresh else fitting) as running:
        for number in range(rounds):
            for server in fitting:
                one = _round(bench, load, server, running.get(server.name))
                samples[server.name].append(one)
                outcome = one.error or f"{one.rate:,.0f} {one.unit}"
                tell(f"{load.name} round {number + 1} {server.name}: {outcome}")
    return with_ratios([summarise(samples[server.name]) for server in servers])


def with_ratios(summaries: list[Summary]) -> list[Summary]:
    """Each server's rate is to the reference's as 1 to `ratio`."""
    reference = next((one.rate for one in summaries if one.server == REFERENCE), None)
    for one in summaries:
        if reference and one.rate:
            one.ratio = reference / one.rate
    return summaries
