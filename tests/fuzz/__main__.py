"""Fuzzes the kernels and what stands on them.

    python -m tests.fuzz [--sanitize] [--runs N] [--seed S] [--first N] [--collect] [NAME...]

--sanitize builds the kernels with AddressSanitizer and UBSan into a folder of its own (kept for the next run
with --build-folder) and runs each harness in a process that has their libraries loaded first. A finding
prints the number of its execution and the input; `--first NUMBER --runs 1` with the same seed repeats it.
--collect keeps the shortest input for each refusal that was not heard before in tests/fuzz/corpus/NAME.
NAME is one or several of the harnesses, all without. See docs/fuzzing.md.
"""

from __future__ import annotations

import argparse
import mmap
import sys
import tempfile
import time
from pathlib import Path

from fastdicom.kernels import rle
from tests.fuzz import collect, sanitized
from tests.fuzz.harnesses import NAMES, harness

LINE = 20  # bytes of the progress file


def fuzz(name: str, runs: int, first: int, seed: int, progress: Path | None) -> None:
    """Run one harness here. progress: a file that survives this process and names the execution at hand."""
    execute = harness(name)
    begin, cpu = time.monotonic(), time.process_time()
    if progress is None:
        for number in range(first, first + runs):
            execute(number, seed)
    else:
        progress.write_bytes(bytes(LINE))
        with progress.open("r+b") as file, mmap.mmap(file.fileno(), LINE) as line:
            for number in range(first, first + runs):
                line[:] = f"{number:<{LINE}}".encode()
                execute(number, seed)
    print(
        f"{name}: {runs} executions, seed {seed}, {time.monotonic() - begin:.0f} s "
        f"({time.process_time() - cpu:.0f} s of CPU), no finding",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--runs", type=int, default=10_000, help="executions of each")
    parser.add_argument("--first", type=int, default=0, help="number of the first execution")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--build-folder", type=Path, help="of the sanitized kernels; a temporary one without")
    parser.add_argument("--collect", action="store_true")
    parser.add_argument("--progress", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kernels-in", type=Path, help=argparse.SUPPRESS)  # what has to be under test
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"no harness {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if arguments.kernels_in and not Path(rle.__file__).is_relative_to(arguments.kernels_in):
        parser.error(f"the kernels are those of {rle.__file__}")
    names = arguments.names or NAMES
    if arguments.collect:
        for name in names:
            collect.collect(name, arguments.runs, arguments.seed)
        return 0
    if not arguments.sanitize:
        for name in names:
            fuzz(name, arguments.runs, arguments.first, arguments.seed, arguments.progress)
        return 0
    with tempfile.TemporaryDirectory(prefix="fastdicom-fuzz-") as folder:
        build = sanitized.build(arguments.build_folder or Path(folder))
        options = [f"--runs={arguments.runs}", f"--first={arguments.first}", f"--seed={arguments.seed}"]
        return max(sanitized.run(build, name, options, Path(folder) / "progress") for name in names)


if __name__ == "__main__":
    sys.exit(main())
