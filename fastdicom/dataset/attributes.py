"""The attributes that the index keeps of every instance: level, VR, and kind of key in PS3.4.

Required, unique and optional keys follow PS3.4 Tables C.6-1 to C.6-5; beyond these stand what
Orthanc and dcm4chee answer by default, and what viewers and routers ask at IMAGE level. Tags and VRs
are those of PS3.6 Table 6-1 (from the dictionary of pydicom 3.0). `[index] extra` adds rows.
"""

from __future__ import annotations

from typing import NamedTuple

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
SPECIFIC_CHARACTER_SET = 0x00080005  # kept at every level: it says how the level's text reads


class Attribute(NamedTuple):
    """One indexed attribute. kind: "U"nique, "R"equired or "O"ptional key."""

    tag: int
    vr: str
    keyword: str
    level: str
    kind: str = "O"


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute(0x00100010, "PN", "PatientName", "PATIENT", "R"),
    Attribute(0x00100020, "LO", "PatientID", "PATIENT", "U"),
    Attribute(0x00100021, "LO", "IssuerOfPatientID", "PATIENT"),
    Attribute(0x00100030, "DA", "PatientBirthDate", "PATIENT"),
    Attribute(0x00100032, "TM", "PatientBirthTime", "PATIENT"),
    Attribute(0x00100040, "CS", "PatientSex", "PATIENT"),
    Attribute(0x00101000, "LO", "OtherPatientIDs", "PATIENT"),
    Attribute(0x00101001, "PN", "OtherPatientNames", "PATIENT"),
    Attribute(0x00101002, "SQ", "OtherPatientIDsSequence", "PATIENT"),
    Attribute(0x00102160, "SH", "EthnicGroup", "PATIENT"),
    Attribute(0x00102201, "LO", "PatientSpeciesDescription", "PATIENT"),
    Attribute(0x00104000, "LT", "PatientComments", "PATIENT"),
    Attribute(0x00100200, "CS", "QualityControlSubject", "PATIENT"),
    Attribute(0x00081120, "SQ", "ReferencedPatientSequence", "PATIENT"),
    Attribute(0x00101005, "PN", "PatientBirthName", "PATIENT"),
    Attribute(0x00101060, "PN", "PatientMotherBirthName", "PATIENT"),
    Attribute(0x00102297, "PN", "ResponsiblePerson", "PATIENT"),
    Attribute(0x00080020, "DA", "StudyDate", "STUDY", "R"),
    Attribute(0x00080030, "TM", "StudyTime", "STUDY", "R"),
    Attribute(0x00080050, "SH", "AccessionNumber", "STUDY", "R"),
    Attribute(0x00080051, "SQ", "IssuerOfAccessionNumberSequence", "STUDY"),
    Attribute(0x00200010, "SH", "StudyID", "STUDY", "R"),
    Attribute(0x0020000D, "UI", "StudyInstanceUID", "STUDY", "U"),
    Attribute(0x00080090, "PN", "ReferringPhysicianName", "STUDY"),
    Attribute(0x00081030, "LO", "StudyDescription", "STUDY"),
    Attribute(0x00081032, "SQ", "ProcedureCodeSequence", "STUDY"),
    Attribute(0x00081048, "PN", "PhysiciansOfRecord", "STUDY"),
    Attribute(0x00081060, "PN", "NameOfPhysiciansReadingStudy", "STUDY"),
    Attribute(0x00321032, "PN", "RequestingPhysician", "STUDY"),
    Attribute(0x00081080, "LO", "AdmittingDiagnosesDescription", "STUDY"),
    Attribute(0x00081084, "SQ", "AdmittingDiagnosesCodeSequence", "STUDY"),
    Attribute(0x00081110, "SQ", "ReferencedStudySequence", "STUDY"),
    Attribute(0x00101010, "AS", "PatientAge", "STUDY"),
    Attribute(0x00101020, "DS", "PatientSize", "STUDY"),
    Attribute(0x00101030, "DS", "PatientWeight", "STUDY"),
    Attribute(0x001021C0, "US", "PregnancyStatus", "STUDY"),
    Attribute(0x00102000, "LO", "MedicalAlerts", "STUDY"),
    Attribute(0x00102110, "LO", "Allergies", "STUDY"),
    Attribute(0x00102180, "SH", "Occupation", "STUDY"),
    Attribute(0x001021B0, "LT", "AdditionalPatientHistory", "STUDY"),
    Attribute(0x00380010, "LO", "AdmissionID", "STUDY"),
    Attribute(0x00201070, "IS", "OtherStudyNumbers", "STUDY"),
    Attribute(0x00324000, "LT", "StudyComments", "STUDY"),
    Attribute(0x0032000A, "CS", "StudyStatusID", "STUDY"),
    Attribute(0x0032000C, "CS", "StudyPriorityID", "STUDY"),
    Attribute(0x00321060, "LO", "RequestedProcedureDescription", "STUDY"),
    Attribute(0x00321064, "SQ", "RequestedProcedureCodeSequence", "STUDY"),
    Attribute(0x00401012, "SQ", "ReasonForPerformedProcedureCodeSequence", "STUDY"),
    Attribute(0x00080201, "SH", "TimezoneOffsetFromUTC", "STUDY"),
    Attribute(0x00080060, "CS", "Modality", "SERIES", "R"),
    Attribute(0x00200011, "IS", "SeriesNumber", "SERIES", "R"),
    Attribute(0x0020000E, "UI", "SeriesInstanceUID", "SERIES", "U"),
    Attribute(0x00080021, "DA", "SeriesDate", "SERIES"),
    Attribute(0x00080031, "TM", "SeriesTime", "SERIES"),
    Attribute(0x0008103E, "LO", "SeriesDescription", "SERIES"),
    Attribute(0x0008103F, "SQ", "SeriesDescriptionCodeSequence", "SERIES"),
    Attribute(0x00080070, "LO", "Manufacturer", "SERIES"),
    Attribute(0x00081090, "LO", "ManufacturerModelName", "SERIES"),
    Attribute(0x00080080, "LO", "InstitutionName", "SERIES"),
    Attribute(0x00081040, "LO", "InstitutionalDepartmentName", "SERIES"),
    Attribute(0x00081010, "SH", "StationName", "SERIES"),
    Attribute(0x00081050, "PN", "PerformingPhysicianName", "SERIES"),
    Attribute(0x00081070, "PN", "OperatorsName", "SERIES"),
    Attribute(0x00180015, "CS", "BodyPartExamined", "SERIES"),
    Attribute(0x00200060, "CS", "Laterality", "SERIES"),
    Attribute(0x00181030, "LO", "ProtocolName", "SERIES"),
    Attribute(0x00185100, "CS", "PatientPosition", "SERIES"),
    Attribute(0x00181020, "LO", "SoftwareVersions", "SERIES"),
    Attribute(0x00181000, "LO", "DeviceSerialNumber", "SERIES"),
    Attribute(0x00200052, "UI", "FrameOfReferenceUID", "SERIES"),
    Attribute(0x00400244, "DA", "PerformedProcedureStepStartDate", "SERIES"),
    Attribute(0x00400245, "TM", "PerformedProcedureStepStartTime", "SERIES"),
    Attribute(0x00400253, "SH", "PerformedProcedureStepID", "SERIES"),
    Attribute(0x00400254, "LO", "PerformedProcedureStepDescription", "SERIES"),
    Attribute(0x00400275, "SQ", "RequestAttributesSequence", "SERIES"),
    Attribute(0x00081111, "SQ", "ReferencedPerformedProcedureStepSequence", "SERIES"),
    Attribute(0x00081115, "SQ", "ReferencedSeriesSequence", "SERIES"),
    Attribute(0x00541000, "CS", "SeriesType", "SERIES"),
    Attribute(0x00080068, "CS", "PresentationIntentType", "SERIES"),
    Attribute(0x00180010, "LO", "ContrastBolusAgent", "SERIES"),
    Attribute(0x00080016, "UI", "SOPClassUID", "IMAGE"),
    Attribute(0x00080018, "UI", "SOPInstanceUID", "IMAGE", "U"),
    Attribute(0x00200013, "IS", "InstanceNumber", "IMAGE", "R"),
    Attribute(0x00080008, "CS", "ImageType", "IMAGE"),
    Attribute(0x00080012, "DA", "InstanceCreationDate", "IMAGE"),
    Attribute(0x00080013, "TM", "InstanceCreationTime", "IMAGE"),
    Attribute(0x00080022, "DA", "AcquisitionDate", "IMAGE"),
    Attribute(0x00080032, "TM", "AcquisitionTime", "IMAGE"),
    Attribute(0x0008002A, "DT", "AcquisitionDateTime", "IMAGE"),
    Attribute(0x00200012, "IS", "AcquisitionNumber", "IMAGE"),
    Attribute(0x00080023, "DA", "ContentDate", "IMAGE"),
    Attribute(0x00080033, "TM", "ContentTime", "IMAGE"),
    Attribute(0x00700080, "CS", "ContentLabel", "IMAGE"),
    Attribute(0x00700081, "LO", "ContentDescription", "IMAGE"),
    Attribute(0x00700084, "PN", "ContentCreatorName", "IMAGE"),
    Attribute(0x0040A043, "SQ", "ConceptNameCodeSequence", "IMAGE"),
    Attribute(0x0040A491, "CS", "CompletionFlag", "IMAGE"),
    Attribute(0x0040A493, "CS", "VerificationFlag", "IMAGE"),
    Attribute(0x00420010, "ST", "DocumentTitle", "IMAGE"),
    Attribute(0x00420012, "LO", "MIMETypeOfEncapsulatedDocument", "IMAGE"),
    Attribute(0x00081250, "SQ", "RelatedSeriesSequence", "IMAGE"),
    Attribute(0x00081140, "SQ", "ReferencedImageSequence", "IMAGE"),
    Attribute(0x0040A370, "SQ", "ReferencedRequestSequence", "IMAGE"),
    Attribute(0x0040A073, "SQ", "VerifyingObserverSequence", "IMAGE"),
    Attribute(0x00204000, "LT", "ImageComments", "IMAGE"),
    Attribute(0x00200062, "CS", "ImageLaterality", "IMAGE"),
    Attribute(0x00185101, "CS", "ViewPosition", "IMAGE"),
    Attribute(0x00201041, "DS", "SliceLocation", "IMAGE"),
    Attribute(0x00280008, "IS", "NumberOfFrames", "IMAGE"),
    Attribute(0x00280002, "US", "SamplesPerPixel", "IMAGE"),
    Attribute(0x00280004, "CS", "PhotometricInterpretation", "IMAGE"),
    Attribute(0x00280010, "US", "Rows", "IMAGE"),
    Attribute(0x00280011, "US", "Columns", "IMAGE"),
    Attribute(0x00280100, "US", "BitsAllocated", "IMAGE"),
    Attribute(0x00280101, "US", "BitsStored", "IMAGE"),
    Attribute(0x00280103, "US", "PixelRepresentation", "IMAGE"),
    Attribute(0x00282110, "CS", "LossyImageCompression", "IMAGE"),
    Attribute(0x00700082, "DA", "PresentationCreationDate", "IMAGE"),
    Attribute(0x00700083, "TM", "PresentationCreationTime", "IMAGE"),
    Attribute(0x300A0002, "SH", "RTPlanLabel", "IMAGE"),
    Attribute(0x30060002, "SH", "StructureSetLabel", "IMAGE"),
)

BY_TAG: dict[int, Attribute] = {row.tag: row for row in ATTRIBUTES}
BY_KEYWORD: dict[str, Attribute] = {row.keyword: row for row in ATTRIBUTES}
