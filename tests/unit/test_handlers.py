"""What a host's `on_stored` handlers may do, and what they may not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fastdicom import Config, Engine, UsageError, connect
from fastdicom.stored_instance import StoredInstance
from tests.support.datasets import numbered_uids, synthetic
from tests.support.part10 import join

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(Config(port=0, archive=tmp_path / "archive"))


def stored(engine: Engine, folder: Path) -> int:
    """Send an instance; how many were answered with Success."""
    uids = numbered_uids(8, 1)
    path = folder / "1.dcm"
    path.write_bytes(join(synthetic(CT, EXPLICIT, uids, size=2048), CT, uids.instance, EXPLICIT))
    with connect(*engine.addresses[0]) as peer:
        return peer.store([path]).sent


def _fails(instance: StoredInstance) -> None:
    raise ValueError("of the host")


def _exits(instance: StoredInstance) -> None:
    sys.exit(3)


@pytest.mark.parametrize("handler", [_fails, _exits])
def test_whatever_a_handler_raises_the_peer_gets_its_response(
    engine: Engine,
    tmp_path: Path,
    handler: Callable[[StoredInstance], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[StoredInstance] = []
    engine.on_stored(handler)
    engine.on_stored(heard.append)
    with engine:
        assert stored(engine, tmp_path) == 1
    assert len(heard) == 1
    assert "an on_stored handler failed" in caplog.text


def test_a_handler_that_stops_its_engine_is_told_that_it_cannot(engine: Engine, tmp_path: Path) -> None:
    told: list[str] = []

    @engine.on_stored
    def stop(instance: StoredInstance) -> None:
        try:
            engine.stop()
        except UsageError as error:
            told.append(str(error))

    with engine:
        assert stored(engine, tmp_path) == 1
        assert told == ["a handler cannot stop its engine: have another thread do it"]
        assert engine.status()["counts"]["instances"] == 1


def test_what_would_only_make_a_coroutine_is_no_handler(engine: Engine) -> None:
    async def forward(instance: StoredInstance) -> None: ...

    class Forwarder:
        async def __call__(self, instance: StoredInstance) -> None: ...

    for handler in (forward, Forwarder()):
        with pytest.raises(UsageError, match="without an event loop"):
            engine.on_stored(handler)


def test_what_cannot_be_called_is_no_handler(engine: Engine) -> None:
    with pytest.raises(UsageError, match="is a function, not None"):
        engine.on_stored(None)  # type: ignore[arg-type]
