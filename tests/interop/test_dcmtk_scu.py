"""DCMTK's clients against our node."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from tests.interop.studies import SYNTAXES, Instance, by_uid, data_sets_in, make_study, store_raw
from tests.support import peers
from tests.support.cli import dcmtk
from tests.support.node import Node, fastdicom_node, peer_table
from tests.support.rawelements import STUDY_INSTANCE_UID
from tests.support.rawserver import Sink
from tests.support.retrieve import Querier

CALLED = ("-aec", "FASTDICOM")
PROPOSE = {
    "implicit_le": "-xi",
    "explicit_le": "-xe",
    "explicit_be": "-xb",
    "deflated": "-xd",
    "jpeg_lossless": "-xs",
    "jpeg_ls": "-xt",
    "jpeg_2000": "-xv",
    "rle": "-xr",
}


@pytest.fixture
def study(tmp_path: Path) -> list[Instance]:
    """The files to send."""
    return make_study(tmp_path / "files", run=1)


def test_echoscu(node: Node) -> None:
    dcmtk("echoscu", *CALLED, "127.0.0.1", node.port)
    dcmtk("echoscu", *CALLED, "--repeat", "50", "-pts", "30", "-ppc", "64", "127.0.0.1", node.port)


@pytest.mark.parametrize("name", SYNTAXES)
def test_storescu_stores_in_every_syntax_it_has_an_option_for(
    node: Node, sink: Sink, study: list[Instance], name: str
) -> None:
    one = next(entry for entry in study if entry.name == name)
    dcmtk("storescu", *CALLED, PROPOSE[name], "127.0.0.1", node.port, one.path)
    with Querier(node.port) as querier:
        assert querier.move_everything() == 1
    kept = sink.by_instance()[one.sop_instance]
    assert kept.sop_class == one.sop_class
    if name in ("explicit_le", "jpeg_lossless", "jpeg_ls", "jpeg_2000", "rle"):  # sent as it is in the file
        assert kept.transfer_syntax == one.transfer_syntax
        assert kept.data == one.data


def test_storescu_sends_the_same_instances_twice(node: Node, study: list[Instance]) -> None:
    native = [one.path for one in study if one.name in ("explicit_le", "report")]
    for _ in range(2):
        dcmtk("storescu", *CALLED, "127.0.0.1", node.port, *native)
    with Querier(node.port) as querier:
        assert len(querier.find("STUDY", {STUDY_INSTANCE_UID: ""})) == 1


def test_findscu_at_every_level(node: Node, study: list[Instance], tmp_path: Path) -> None:
    store_raw(node.port, study)
    keys = {"STUDY": ["-k", "StudyInstanceUID"], "SERIES": ["-k", f"StudyInstanceUID={study[0].study}"]}
    keys["SERIES"] += ["-k", "SeriesInstanceUID"]
    for level, wanted, count in (("STUDY", keys["STUDY"], 1), ("SERIES", keys["SERIES"], 2)):
        out = tmp_path / level
        out.mkdir()
        find = ["findscu", "-S", "-X", *CALLED, "-k", f"QueryRetrieveLevel={level}", *wanted]
        dcmtk(find[0], *find[1:], "127.0.0.1", node.port, cwd=out)
        found = [dcmread(path, force=True) for path in sorted(out.glob("rsp*.dcm"))]
        assert len(found) == count
        assert {ds.StudyInstanceUID for ds in found} == {study[0].study}


def test_findscu_by_patient_name_and_in_the_patient_root(
    node: Node, study: list[Instance], tmp_path: Path
) -> None:
    store_raw(node.port, study)
    for model, level in (("-S", "STUDY"), ("-P", "PATIENT")):
        for name, count in (("Muster*", 1), ("Nobody*", 0)):
            out = tmp_path / f"{level}{count}"
            out.mkdir()
            keys = ["-k", f"QueryRetrieveLevel={level}", "-k", f"PatientName={name}", "-k", "PatientID"]
            dcmtk("findscu", model, "-X", *CALLED, *keys, "127.0.0.1", node.port, cwd=out)
            assert len(list(out.glob("rsp*.dcm"))) == count


def test_movescu_to_storescp(tmp_path: Path, study: list[Instance]) -> None:
    with peers.storescp(tmp_path / "scp", "+B", "+xa") as destination:
        table = [peer_table(destination.ae_title, destination.port)]
        with fastdicom_node(tmp_path / "node", peers=table) as node:
            store_raw(node.port, study)
            keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study[0].study}"]
            dcmtk("movescu", "-S", *CALLED, "-aem", destination.ae_title, *keys, "127.0.0.1", node.port)
        assert data_sets_in(destination.folder / "received") == by_uid(study)


@pytest.mark.parametrize("level", ["SERIES", "IMAGE"])
def test_movescu_below_the_study(tmp_path: Path, study: list[Instance], level: str) -> None:
    with peers.storescp(tmp_path / "scp", "+B", "+xa") as destination:
        table = [peer_table(destination.ae_title, destination.port)]
        with fastdicom_node(tmp_path / "node", peers=table) as node:
            store_raw(node.port, study)
            report = next(one for one in study if one.name == "report")
            series = str(dcmread(report.path).SeriesInstanceUID)
            keys = ["-k", f"QueryRetrieveLevel={level}", "-k", f"StudyInstanceUID={report.study}"]
            keys += ["-k", f"SeriesInstanceUID={series}"]
            keys += ["-k", f"SOPInstanceUID={report.sop_instance}"] if level == "IMAGE" else []
            dcmtk("movescu", "-S", *CALLED, "-aem", destination.ae_title, *keys, "127.0.0.1", node.port)
        assert data_sets_in(destination.folder / "received") == by_uid([report])


def test_getscu_fetches_the_native_instances(node: Node, study: list[Instance], tmp_path: Path) -> None:
    native = [one for one in study if one.name in ("explicit_le", "report")]
    store_raw(node.port, native)
    out = tmp_path / "got"
    out.mkdir()
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study[0].study}"]
    dcmtk("getscu", "-S", "+B", *CALLED, "-od", out, *keys, "127.0.0.1", node.port)
    got = {ds.SOPInstanceUID: ds for ds in map(dcmread, out.iterdir())}
    assert set(got) == set(by_uid(native))
    for one in native:  # it proposes Implicit VR beside Explicit VR, and gets that: the values are the same
        sent = dcmread(one.path)
        assert [e for e in got[one.sop_instance] if not e.tag.is_private] == [
            e for e in sent if not e.tag.is_private
        ]
