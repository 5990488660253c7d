"""Grows the corpus: the shortest input for each refusal that no kept one leads to.

What a refusal says, without its numbers, stands for the branch that it came from. A coverage tool for
compiled Cython would tell more, and needs another build.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastdicom import errors
from tests.fuzz.driver import mutate
from tests.fuzz.harnesses import CORPUS, DATASETS, corpus, module

VALUE = re.compile(r"'.*'|\(?\b[0-9A-F]{4}\b,?\)?|\d+")
"""What differs between refusals that come from one place: quoted text, tags, numbers."""
LENGTH_MAX = 4096
CLASSES = (errors.CodecError, errors.PeerError, errors.Refused)


@contextmanager
def listening() -> Iterator[set[str]]:
    """While open, the set collects what every new error of ours says."""
    heard: set[str] = set()
    originals = {found: found.__init__ for found in CLASSES}

    def listener(original: Callable[..., None]) -> Callable[..., None]:
        def init(self: Exception, *arguments: object, **options: object) -> None:
            original(self, *arguments, **options)
            text = next((str(one) for one in arguments if isinstance(one, str)), "")
            heard.add(f"{type(self).__name__}: {VALUE.sub('#', text)}")

        return init

    for found, original in originals.items():
        found.__init__ = listener(original)  # type: ignore[method-assign]
    try:
        yield heard
    finally:
        for found, original in originals.items():
            found.__init__ = original  # type: ignore[method-assign]


def refusals(name: str, data: bytes) -> frozenset[str]:
    """What the harness's kernels say to one input."""
    with listening() as heard:
        module(name).one_input(data)
    return frozenset(heard)


def collect(name: str, runs: int, seed: int) -> None:
    """Mutate for `runs` executions and write the new finds to the corpus."""
    if name in DATASETS:
        print(f"{name}: its inputs are made from numbers, nothing to collect")
        return
    base = [*module(name).seeds(), *corpus(name)]
    known = set().union(*(refusals(name, data) for data in base))
    shortest: dict[str, bytes] = {}
    one_input = module(name).one_input
    rng = random.Random(seed)
    with listening() as heard:
        for _ in range(runs):
            data = mutate([*base, *shortest.values()], rng)
            if len(data) > LENGTH_MAX:
                continue
            heard.clear()
            one_input(data)
            for refusal in heard - known:
                if refusal not in shortest or len(data) < len(shortest[refusal]):
                    shortest[refusal] = data
    (CORPUS / name).mkdir(parents=True, exist_ok=True)
    for data in set(shortest.values()):
        (CORPUS / name / f"{hashlib.sha256(data).hexdigest()[:16]}.bin").write_bytes(data)
    print(f"{name}: {len(known)} refusals known, {len(shortest)} new")
