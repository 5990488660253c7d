"""How fast queries are answered, and how that changes from 10,000 to 200,000 studies (1,000,000 instances).

    python -m bench.find [--studies N...] [--rivals N...] [--folder DIR] [--small]

Archives are made straight in the index: 5 instances a study. With --folder they are kept and used again.
"inside" is one thread of this process, from `Index.find` to the last encoded identifier; "node" a node in a
process of its own, asked over one association by a client in C. The same questions go to Orthanc and
dcmqrscp, which have to be sent the studies (--rivals). Orders of magnitude come from p50; the machine's load
stands beside them. Everything goes into a JSON file too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.querying import archives, inside, node, rivals
from bench.querying.generator import build
from bench.report import machine

WIDTHS = {"key": 18}
RESULTS = Path(__file__).parent / "results" / "find.json"


def measure(options: argparse.Namespace, folder: Path, scratch: Path) -> dict[str, Any]:
    """Everything that was asked for. folder: of the archives. scratch: of everything else."""
    generator = build(scratch)
    result: dict[str, Any] = {"machine": machine(folder), "sizes": [], "rivals": []}
    for studies in options.studies:
        archive = archives.made(folder, studies)
        size: dict[str, Any] = {"studies": studies}
        size["inside"] = inside.report(archive, studies, options.repetitions)
        show(f"{studies:,} studies, inside", size["inside"]["rows"])
        size["node"] = node.report(generator, scratch, archive, studies, options.seconds)
        show(f"{studies:,} studies, node", size["node"]["rows"])
        copied = shutil.copytree(archive, scratch / f"copy-{studies}")  # it grows; the kept one stays
        size["busy"] = node.busy(generator, scratch, copied, studies, options.seconds)
        costs = inside.growth(scratch, copied, studies)
        size["ingest_empty_cpu_us"], size["ingest_cpu_us"] = costs
        show_rest(size)
        result["sizes"].append(size)
    for studies in options.rivals:
        found = rivals.report(generator, folder, scratch, studies, options.seconds, list(rivals.RIVALS))
        for name, one in found.items():
            if isinstance(one, dict):
                show(f"{studies:,} studies, {name}", one["rows"])
        result["rivals"].append(found)
    result["machine"]["load_average_after"] = machine(folder)["load_average"]
    return result


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """A table: one question a line."""
    names = list(rows[0])[1:]
    widths = [WIDTHS.get(name, max(len(name), 10)) for name in names]
    print(
        f"\n{title:30}" + "".join(f"{name:>{width + 2}}" for name, width in zip(names, widths, strict=True))
    )
    for row in rows:
        cells = (f"{cell(row[name]):>{width + 2}}" for name, width in zip(names, widths, strict=True))
        print(f"{row['query']:30}{''.join(cells)}")
    sys.stdout.flush()


def cell(value: object) -> str:
    """A figure as people read it."""
    if isinstance(value, float):
        return f"{value:,.3f}" if value < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def show_rest(size: dict[str, Any]) -> None:
    """What stands beside the questions."""
    within, served = size["inside"], size["node"]
    busy, memory, cancel = size["busy"]["while_storing"], served["memory_mib"], served["cancel"]
    lines = [
        f"C-CANCEL after {cancel['answers']:,} answers: FE00H {cancel['ms']:.1f} ms later",
        f"index of {within['index_mib']:.0f} MiB, opened in {within['open_ms']:.1f} ms",
        f"the node listened after {served['start_s']:.2f} s",
        f"ingest, {archives.BATCH} a transaction: {size['ingest_empty_cpu_us']:.1f} us CPU an instance "
        f"while empty, {size['ingest_cpu_us']:.1f} us at this size",
        *(
            f"{node.WRITERS} associations store 16 KiB, archive {name}: "
            f"{row['stored_per_s']:,.0f} objects/s, "
            f"{row['cpu_us_per_object']:.0f} us CPU each"
            for name, row in size["busy"]["ingest"].items()
        ),
        f"{busy['query']} while they store ({busy['stored_per_s']:,.0f} objects/s): "
        f"p50 {busy['p50_ms']:.2f} ms, p99 {busy['p99_ms']:.2f} ms",
        f"memory of the node's own before and after the questions: {memory[0]:.0f} and {memory[1]:.0f} MiB",
    ]
    print("\n".join(lines), flush=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--studies", type=int, nargs="*", default=[10_000, 200_000])
    made.add_argument(
        "--rivals", type=int, nargs="*", default=[400, 2_000, 10_000], help="sizes beside others"
    )
    made.add_argument("--folder", type=Path, help="keep the archives here and use those that are here")
    made.add_argument("--repetitions", type=int, default=200, help="of a point query inside")
    made.add_argument("--seconds", type=float, default=3.0, help="of each question over the network")
    made.add_argument("--out", type=Path, default=RESULTS, help="the JSON file")
    made.add_argument("--small", action="store_true", help="a size for the test suite, without others")
    return made


def main() -> None:
    """Measure, print, write."""
    options = parser().parse_args()
    if options.small:
        options.studies, options.rivals, options.repetitions, options.seconds = [50], [], 3, 0.03
    with tempfile.TemporaryDirectory(prefix="fastdicom-bench-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        result = measure(options, folder, Path(temporary))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
