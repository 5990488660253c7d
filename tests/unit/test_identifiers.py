"""Query keys as people write them become identifiers that pydicom can encode."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from fastdicom.errors import UsageError
from fastdicom.identifiers import build_identifier, deepest_level, key_name, level_name
from fastdicom.queries import encode


def encoded_and_read(identifier: Dataset) -> Dataset:
    """The identifier after a trip through bytes."""
    buffer = BytesIO()
    identifier.save_as(buffer, implicit_vr=False, little_endian=True)
    return dcmread(BytesIO(buffer.getvalue()), force=True)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("PatientName", "PatientName"),
        ("0010,0010", "PatientName"),
        ("(0010,0010)", "PatientName"),
        ("00100010", "PatientName"),
        (" StudyDate ", "StudyDate"),
        ("0009,10aB", "0009,10AB"),
        ("0040,0275.0040,0009", "RequestAttributesSequence.ScheduledProcedureStepID"),
    ],
)
def test_a_key_has_one_form(written: str, name: str) -> None:
    assert key_name(written) == name


@pytest.mark.parametrize("written", ["PatientNam", "", "0010", "PatientName.", "10,10"])
def test_what_is_no_key_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match="no attribute"):
        key_name(written)


@pytest.mark.parametrize(
    ("keys", "keyword", "value"),
    [
        ({"PatientName": "DOE*"}, "PatientName", "DOE*"),
        ({"StudyDate": "20240101-"}, "StudyDate", "20240101-"),
        ({"AcquisitionDateTime": "2020-2021"}, "AcquisitionDateTime", "2020-2021"),
        ({"StudyInstanceUID": "1.2\\1.3"}, "StudyInstanceUID", ["1.2", "1.3"]),
        ({"StudyInstanceUID": ["1.2", "1.3"]}, "StudyInstanceUID", ["1.2", "1.3"]),
        ({"PatientAge": "0?0Y"}, "PatientAge", "0?0Y"),
        ({"Rows": "512"}, "Rows", 512),
        ({"Rows": 512}, "Rows", 512),
        ({"InstanceNumber": "7"}, "InstanceNumber", 7),
        ({"StudyComments": "a\\b"}, "StudyComments", "a\\b"),
    ],
)
def test_values_survive_the_encoding(keys: dict[str, object], keyword: str, value: object) -> None:
    identifier = encoded_and_read(build_identifier("STUDY", keys))
    assert identifier[keyword].value == value
    assert identifier.QueryRetrieveLevel == "STUDY"


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_value_asks_for_the_attribute(empty: object) -> None:
    identifier = encoded_and_read(
        build_identifier("STUDY", {"PatientName": empty, "ProcedureCodeSequence": empty})
    )
    assert identifier["PatientName"].value in ("", None)
    assert len(identifier.ProcedureCodeSequence) == 0


def test_paths_fill_one_item() -> None:
    identifier = encoded_and_read(
        build_identifier(
            "SERIES",
            {
                "RequestAttributesSequence.ScheduledProcedureStepID": "A1",
                "RequestAttributesSequence.0040,1001": "",
            },
        )
    )
    (item,) = identifier.RequestAttributesSequence
    assert item.ScheduledProcedureStepID == "A1"
    assert "RequestedProcedureID" in item


def test_other_letters_bring_their_character_set() -> None:
    assert "SpecificCharacterSet" not in build_identifier("STUDY", {"PatientName": "DOE"})
    identifier = encoded_and_read(build_identifier("STUDY", {"PatientName": "MÜLLER"}))
    assert identifier.SpecificCharacterSet == "ISO_IR 192"
    assert identifier.PatientName == "MÜLLER"


def test_a_character_set_that_was_given_stays() -> None:
    identifier = build_identifier("STUDY", {"PatientName": "MÜLLER", "SpecificCharacterSet": "ISO_IR 100"})
    assert identifier.SpecificCharacterSet == "ISO_IR 100"


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"Rows": "many"}, r"Rows \(US\) cannot be 'many'"),
        ({"SliceLocation": "1*"}, r"SliceLocation \(DS\) cannot be '1\*'"),
        ({"ProcedureCodeSequence": "x"}, "is a sequence"),
        ({"PatientName.PatientID": "x"}, "PatientName is no sequence"),
        ({"Patient": "x"}, "'Patient' is no attribute"),
    ],
)
def test_what_cannot_be_is_named(keys: dict[str, object], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        build_identifier("STUDY", keys)


def test_levels_have_aliases() -> None:
    assert [level_name(text) for text in ("study", "Instance", "IMAGES")] == ["STUDY", "IMAGE", "IMAGE"]
    with pytest.raises(UsageError, match="'PLANET' is no level"):
        level_name("PLANET")


def test_the_deepest_key_names_the_level() -> None:
    assert deepest_level({"PatientID": "1"}) == "PATIENT"
    assert deepest_level({"PatientID": "1", "SeriesInstanceUID": "1.2"}) == "SERIES"
    assert deepest_level({"0009,1001": "x"}) == "IMAGE"
    assert deepest_level({}) == "STUDY"


@pytest.mark.parametrize(
    ("keys", "keyword", "value"),
    [
        ({"PatientID": 12345}, "PatientID", "12345"),
        ({"PatientName": 5}, "PatientName", "5"),
        ({"StudyDate": 20200131}, "StudyDate", "20200131"),
        ({"ModalitiesInStudy": ["CT", 1]}, "ModalitiesInStudy", ["CT", "1"]),
    ],
)
def test_a_number_where_text_belongs_is_its_digits(
    keys: dict[str, object], keyword: str, value: object
) -> None:
    assert build_identifier("STUDY", keys)[keyword].value == value


@pytest.mark.parametrize(
    "keys", [{"PatientID": object()}, {"PatientID": {"a": 1}}, {"Rows": -1}, {"PixelData": "x"}]
)
def test_what_has_no_encoding_is_named_by_its_tag(keys: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"\(\w{4},\w{4}\)") as caught:
        encode(build_identifier("STUDY", keys), "1.2.840.10008.1.2")
    assert "\n" not in str(caught.value)
