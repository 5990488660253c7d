"""pynetdicom as SCU and as SCP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.interop.studies import SYNTAXES, Instance, by_uid, data_sets_in, make_study, store_raw
from tests.support import peers
from tests.support.cli import fastdicom
from tests.support.node import Node, fastdicom_node, peer_table
from tests.support.rawdicom import (
    PATIENT_ROOT_FIND,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
)
from tests.support.rawelements import STUDY_INSTANCE_UID
from tests.support.rawserver import RawServer, Sink
from tests.support.retrieve import Querier

pynetdicom = pytest.importorskip("pynetdicom")
NATIVE_NAMES = ("implicit_le", "explicit_le", "report")


@pytest.fixture
def study(tmp_path: Path) -> list[Instance]:
    """The files to send."""
    return make_study(tmp_path / "files", run=4)


@contextmanager
def associated(node: Node, *contexts: tuple[str, list[str]], **options: Any) -> Iterator[Any]:
    """An established association of pynetdicom's with the node; released at the end."""
    ae = pynetdicom.AE(ae_title="PYNETSCU")
    for abstract_syntax, transfer_syntaxes in contexts:
        ae.add_requested_context(abstract_syntax, transfer_syntaxes)
    association = ae.associate("127.0.0.1", node.port, ae_title="FASTDICOM", **options)
    assert association.is_established
    try:
        yield association
    finally:
        association.release()
        ae.shutdown()


def query(level: str, **keys: str) -> Dataset:
    """An identifier."""
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


def test_echo(node: Node) -> None:
    with associated(node, (VERIFICATION, list(SYNTAXES.values()))) as association:
        assert association.send_c_echo().Status == 0


@pytest.mark.parametrize("name", SYNTAXES)
def test_store_in_every_syntax_and_forward_unchanged(
    node: Node, sink: Sink, study: list[Instance], name: str
) -> None:
    one = next(entry for entry in study if entry.name == name)
    with associated(node, (one.sop_class, [one.transfer_syntax])) as association:
        assert association.send_c_store(dcmread(one.path)).Status == 0
    with Querier(node.port) as querier:
        assert querier.move_everything() == 1
    kept = sink.by_instance()[one.sop_instance]
    assert kept.transfer_syntax == one.transfer_syntax
    assert len(kept.data) == len(one.data) or name == "deflated"


def test_find_in_both_models(node: Node, study: list[Instance]) -> None:
    store_raw(node.port, study)
    cases = [
        (
            STUDY_ROOT_FIND,
            query("STUDY", PatientName="Muster*", StudyInstanceUID="", ModalitiesInStudy=""),
            1,
        ),
        (STUDY_ROOT_FIND, query("SERIES", StudyInstanceUID=study[0].study, SeriesInstanceUID=""), 2),
        (PATIENT_ROOT_FIND, query("PATIENT", PatientID="", PatientName=""), 1),
        (STUDY_ROOT_FIND, query("STUDY", PatientID="NOBODY", StudyInstanceUID=""), 0),
    ]
    contexts = [(STUDY_ROOT_FIND, [SYNTAXES["explicit_le"]]), (PATIENT_ROOT_FIND, [SYNTAXES["implicit_le"]])]
    with associated(node, *contexts) as association:
        for model, keys, count in cases:
            answers = list(association.send_c_find(keys, model))
            assert [status.Status for status, _ in answers] == [0xFF00] * count + [0]


def test_move_reports_true_counters(node: Node, sink: Sink, study: list[Instance]) -> None:
    store_raw(node.port, study)
    with associated(node, (STUDY_ROOT_MOVE, [SYNTAXES["implicit_le"]])) as association:
        keys = query("STUDY", StudyInstanceUID=study[0].study)
        answers = [status for status, _ in association.send_c_move(keys, "SINK", STUDY_ROOT_MOVE)]
    final = answers[-1]
    assert final.Status == 0
    assert final.NumberOfCompletedSuboperations == len(study)
    assert (final.NumberOfFailedSuboperations, final.NumberOfWarningSuboperations) == (0, 0)
    assert {uid: one.data for uid, one in sink.by_instance().items()} == by_uid(study)


def test_get(node: Node, study: list[Instance]) -> None:
    native = [one for one in study if one.name in NATIVE_NAMES]
    store_raw(node.port, native)
    got: dict[str, Dataset] = {}

    def keep(event: Any) -> int:
        got[event.request.AffectedSOPInstanceUID] = event.dataset
        return 0

    classes = sorted({one.sop_class for one in native})
    contexts = [
        (STUDY_ROOT_GET, [SYNTAXES["implicit_le"]]),
        *((uid, [SYNTAXES["explicit_le"]]) for uid in classes),
    ]
    roles = [pynetdicom.build_role(uid, scp_role=True) for uid in classes]
    handlers = [(pynetdicom.evt.EVT_C_STORE, keep)]
    with associated(node, *contexts, ext_neg=roles, evt_handlers=handlers) as association:
        keys = query("STUDY", StudyInstanceUID=study[0].study)
        assert [status.Status for status, _ in association.send_c_get(keys, STUDY_ROOT_GET)][-1] == 0
    assert set(got) == set(by_uid(native))
    for one in native:
        assert got[one.sop_instance].SOPClassUID == one.sop_class


def test_we_send_to_its_storescp(tmp_path: Path, study: list[Instance]) -> None:
    with peers.pynetdicom_storescp(tmp_path / "scp") as scp:
        fastdicom("send", "127.0.0.1", scp.port, study[0].path.parent, "--called", scp.ae_title)
        assert set(data_sets_in(scp.folder / "received")) == set(by_uid(study))


def test_its_storescp_is_a_move_destination(tmp_path: Path, study: list[Instance]) -> None:
    with peers.pynetdicom_storescp(tmp_path / "scp") as scp:
        with fastdicom_node(tmp_path / "node", peers=[peer_table(scp.ae_title, scp.port)]) as node:
            store_raw(node.port, study)
            with Querier(node.port) as querier:
                final = querier.move("STUDY", {STUDY_INSTANCE_UID: study[0].study}, scp.ae_title)
        assert final.status == 0
        assert set(data_sets_in(scp.folder / "received")) == set(by_uid(study))


def test_we_query_and_retrieve_from_its_qrscp(tmp_path: Path, study: list[Instance]) -> None:
    native, sink = [one for one in study if one.name in NATIVE_NAMES], Sink()
    with (
        RawServer(sink.serve) as server,
        peers.pynetdicom_qrscp(tmp_path / "scp", destinations=[("SINK", server.port)]) as scp,
    ):
        store_raw(scp.port, native, scp.ae_title)
        key = ["-k", f"StudyInstanceUID={study[0].study}"]
        told = fastdicom("find", "127.0.0.1", scp.port, *key, "--json", "--called", scp.ae_title)
        assert {json.loads(line)["0020000D"]["Value"][0] for line in told.splitlines()} == {study[0].study}
        fastdicom("move", "127.0.0.1", scp.port, "--destination", "SINK", *key, "--called", scp.ae_title)
        assert set(sink.by_instance()) == set(by_uid(native))
        fastdicom("get", "127.0.0.1", scp.port, tmp_path / "got", *key, "--called", scp.ae_title)
        assert set(data_sets_in(tmp_path / "got")) == set(by_uid(native))


def test_extended_negotiation_of_queries(tmp_path: Path, study: list[Instance]) -> None:
    from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

    item = SOPClassExtendedNegotiation()
    item.sop_class_uid = STUDY_ROOT_FIND
    item.service_class_application_information = b"\1\1\1\1\1"
    series = query("SERIES", SeriesInstanceUID="", PatientName="Mustre^Müler")
    series.SpecificCharacterSet = "ISO_IR 100"
    contexts = ((STUDY_ROOT_FIND, [SYNTAXES["explicit_le"]]),)
    with fastdicom_node(tmp_path / "node", {"query": {"relational": True, "fuzzy": True}}) as node:
        store_raw(node.port, study)
        with associated(node, *contexts, ext_neg=[item]) as association:
            granted = association.acceptor.sop_class_extended
            assert granted == {STUDY_ROOT_FIND: b"\1\0\1\0"}
            answers = [status.Status for status, _ in association.send_c_find(series, STUDY_ROOT_FIND)]
            assert answers == [0xFF00, 0xFF00, 0]
        with associated(node, *contexts) as association:
            assert association.acceptor.sop_class_extended == {}
            answers = [status.Status for status, _ in association.send_c_find(series, STUDY_ROOT_FIND)]
            assert answers == [0xA900]


def test_attributes_that_only_the_files_have(node: Node, study: list[Instance]) -> None:
    store_raw(node.port, study)
    keys = query("IMAGE", SOPInstanceUID="", StudyInstanceUID=study[0].study, SliceThickness="")
    keys.SeriesInstanceUID = str(dcmread(study[0].path).SeriesInstanceUID)
    keys.private_block(0x0029, "FASTDICOM TEST", create=True).add_new(0x11, "LO", "")
    with associated(node, (STUDY_ROOT_FIND, [SYNTAXES["explicit_le"]])) as association:
        answers = [one for _, one in association.send_c_find(keys, STUDY_ROOT_FIND) if one is not None]
    assert len(answers) == len(SYNTAXES)
    for answer in answers:
        assert answer.SliceThickness == 1
        assert answer.private_block(0x0029, "FASTDICOM TEST")[0x11].value == "private value"
