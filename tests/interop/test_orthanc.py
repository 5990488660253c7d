"""Orthanc as sender, receiver, client and C-MOVE destination."""

from __future__ import annotations

import json
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from tests.interop.studies import Instance, by_uid, data_sets_in, make_study, store_raw
from tests.support import peers
from tests.support.cli import fastdicom
from tests.support.node import Node, fastdicom_node, peer_table
from tests.support.part10 import MEDIA_STORAGE_SOP_INSTANCE, split, uid
from tests.support.processes import Peer
from tests.support.rawelements import STUDY_INSTANCE_UID
from tests.support.rawserver import RawServer, Sink
from tests.support.retrieve import Querier


def rest(orthanc: Peer, path: str, body: bytes | Any = None) -> Any:
    """GET, or POST of bytes or of something as JSON; the answer, parsed where it is JSON."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{orthanc.http_port}{path}", data, timeout=60) as answer:
        raw = answer.read()
    return json.loads(raw) if raw[:1] in b"[{" else raw


def put(orthanc: Peer, path: str, body: Any) -> None:
    """PUT as JSON."""
    url = f"http://127.0.0.1:{orthanc.http_port}{path}"
    with urllib.request.urlopen(
        urllib.request.Request(url, json.dumps(body).encode(), method="PUT"), timeout=60
    ):
        pass


def check_holds(orthanc: Peer, study: list[Instance]) -> None:
    """Orthanc holds these Data Sets; a deflated one it deflates again, so there the content counts."""
    held = {}
    for identifier in rest(orthanc, "/instances"):
        meta, data = split(rest(orthanc, f"/instances/{identifier}/file"))
        held[uid(meta, MEDIA_STORAGE_SOP_INSTANCE)] = data
    deflated = {one.sop_instance for one in study if one.name == "deflated"}
    assert _inflated(held, deflated) == _inflated(by_uid(study), deflated)


def _inflated(data_sets: dict[str, bytes], deflated: set[str]) -> dict[str, bytes]:
    return {
        name: zlib.decompressobj(-zlib.MAX_WBITS).decompress(data) if name in deflated else data
        for name, data in data_sets.items()
    }


@dataclass
class Pair:
    """A node and an Orthanc that know each other, and a sink that both know."""

    node: Node
    orthanc: Peer
    sink: Sink
    study: list[Instance]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Both, started."""
    sink = Sink()
    with ExitStack() as stack:
        server = stack.enter_context(RawServer(sink.serve))
        orthanc = stack.enter_context(
            peers.orthanc(tmp_path / "orthanc", destinations=[("SINK", server.port)])
        )
        table = [peer_table("SINK", server.port), peer_table("ORTHANC", orthanc.port)]
        node = stack.enter_context(fastdicom_node(tmp_path / "node", peers=table))
        put(orthanc, "/modalities/node", {"AET": "FASTDICOM", "Host": "127.0.0.1", "Port": node.port})
        yield Pair(node, orthanc, sink, make_study(tmp_path / "files", run=3))


def test_orthanc_echoes(pair: Pair) -> None:
    rest(pair.orthanc, "/modalities/node/echo", {})


def test_orthanc_sends_what_it_holds(pair: Pair) -> None:
    identifiers = [rest(pair.orthanc, "/instances", one.path.read_bytes())["ID"] for one in pair.study]
    rest(pair.orthanc, "/modalities/node/store", identifiers)
    with Querier(pair.node.port) as querier:
        assert querier.move_everything() == len(pair.study)
    kept = pair.sink.by_instance()
    assert set(kept) == set(by_uid(pair.study))
    for one in pair.study:
        assert kept[one.sop_instance].transfer_syntax == one.transfer_syntax, one.name


def test_orthanc_receives_what_we_send(pair: Pair) -> None:
    fastdicom("send", "127.0.0.1", pair.orthanc.port, pair.study[0].path.parent, "--called", "ORTHANC")
    check_holds(pair.orthanc, pair.study)


def test_orthanc_is_a_move_destination(pair: Pair) -> None:
    store_raw(pair.node.port, pair.study)
    with Querier(pair.node.port) as querier:
        final = querier.move("STUDY", {STUDY_INSTANCE_UID: pair.study[0].study}, "ORTHANC")
    assert final.status == 0
    check_holds(pair.orthanc, pair.study)


@pytest.mark.parametrize(("level", "count"), [("Patient", 1), ("Study", 1), ("Series", 2), ("Instance", 8)])
def test_orthanc_queries_us(pair: Pair, level: str, count: int) -> None:
    store_raw(pair.node.port, pair.study)
    first = dcmread(pair.study[0].path)
    keys = {"PatientID": str(first.PatientID)}
    if level in ("Series", "Instance"):
        keys["StudyInstanceUID"] = first.StudyInstanceUID
    if level == "Instance":
        keys["SeriesInstanceUID"] = first.SeriesInstanceUID
    query = rest(pair.orthanc, "/modalities/node/query", {"Level": level, "Query": keys})
    assert len(rest(pair.orthanc, f"/queries/{query['ID']}/answers")) == count


def test_orthanc_retrieves_from_us(pair: Pair) -> None:
    store_raw(pair.node.port, pair.study)
    query = rest(pair.orthanc, "/modalities/node/query", {"Level": "Study", "Query": {"StudyID": "1"}})
    rest(pair.orthanc, f"/queries/{query['ID']}/retrieve", b"ORTHANC")
    deadline = time.monotonic() + 20
    while len(rest(pair.orthanc, "/instances")) < len(pair.study) and time.monotonic() < deadline:
        time.sleep(0.1)
    check_holds(pair.orthanc, pair.study)


def test_we_query_and_move_from_orthanc(pair: Pair) -> None:
    for one in pair.study:
        rest(pair.orthanc, "/instances", one.path.read_bytes())
    called = ["--called", "ORTHANC"]
    told = fastdicom("find", "127.0.0.1", pair.orthanc.port, "-k", "PatientName=Muster*", "--json", *called)
    assert [json.loads(line)["0020000D"]["Value"] for line in told.splitlines()] == [[pair.study[0].study]]
    keys = ["-k", f"StudyInstanceUID={pair.study[0].study}"]
    fastdicom("move", "127.0.0.1", pair.orthanc.port, "--destination", "SINK", *keys, *called)
    assert set(pair.sink.by_instance()) == set(by_uid(pair.study))


def test_we_get_from_orthanc(pair: Pair, tmp_path: Path) -> None:
    native = [one for one in pair.study if one.name in ("explicit_le", "implicit_le", "report")]
    for one in native:
        rest(pair.orthanc, "/instances", one.path.read_bytes())
    keys = ["-k", f"StudyInstanceUID={pair.study[0].study}", "--called", "ORTHANC"]
    fastdicom("get", "127.0.0.1", pair.orthanc.port, tmp_path / "got", *keys)
    assert set(data_sets_in(tmp_path / "got")) == set(by_uid(native))
