"""The Storage SOP classes that we serve, as a table.

CONFORMANCE rows: the conformance statement; UIDs from PS3.6 Table A-1, the trial-use ("draft") and
retired ones from DCMTK's dcuid.h of July 2014. FURTHER rows: the Storage classes that PS3.6 has today
beyond these, from the UID dictionary of pydicom 3.0. An implant template or a protocol is no patient's
object: NON_PATIENT lists the classes whose IODs have no Patient, Study or Series module (PS3.3 A.1.2.16).
"""

from __future__ import annotations

from typing import NamedTuple


class SopClass(NamedTuple):
    """A Storage SOP class. status: "current", "retired" or "draft"."""

    uid: str
    keyword: str
    name: str
    status: str


CONFORMANCE: tuple[SopClass, ...] = (
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.1.3",
        "AmbulatoryECGWaveformStorage",
        "Ambulatory ECG Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.5.1",
        "ArterialPulseWaveformStorage",
        "Arterial Pulse Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.78.2",
        "AutorefractionMeasurementsStorage",
        "Autorefraction Measurements Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.131",
        "BasicStructuredDisplayStorage",
        "Basic Structured Display Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.88.11", "BasicTextSRStorage", "Basic Text SR Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.4.1",
        "BasicVoiceAudioWaveformStorage",
        "Basic Voice Audio Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.4",
        "BlendingSoftcopyPresentationStateStorage",
        "Blending Softcopy Presentation State Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.13.1.3",
        "BreastTomosynthesisImageStorage",
        "Breast Tomosynthesis Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.3.1",
        "CardiacElectrophysiologyWaveformStorage",
        "Cardiac Electrophysiology Waveform Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.88.65", "ChestCADSRStorage", "Chest CAD SR Storage", "current"),
    SopClass("1.2.840.10008.5.1.4.1.1.88.69", "ColonCADSRStorage", "Colon CAD SR Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.2",
        "ColorSoftcopyPresentationStateStorage",
        "Color Softcopy Presentation State Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.33",
        "ComprehensiveSRStorage",
        "Comprehensive SR Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1",
        "ComputedRadiographyImageStorage",
        "Computed Radiography Image Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.2", "CTImageStorage", "CT Image Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.66.3",
        "DeformableSpatialRegistrationStorage",
        "Deformable Spatial Registration Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1.3",
        "DigitalIntraOralXRayImageStorageForPresentation",
        "Digital Intra-Oral X-Ray Image Storage - For Presentation",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1.3.1",
        "DigitalIntraOralXRayImageStorageForProcessing",
        "Digital Intra-Oral X-Ray Image Storage - For Processing",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1.2",
        "DigitalMammographyXRayImageStorageForPresentation",
        "Digital Mammography X-Ray Image Storage - For Presentation",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1.2.1",
        "DigitalMammographyXRayImageStorageForProcessing",
        "Digital Mammography X-Ray Image Storage - For Processing",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1.1",
        "DigitalXRayImageStorageForPresentation",
        "Digital X-Ray Image Storage - For Presentation",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1.1.1",
        "DigitalXRayImageStorageForProcessing",
        "Digital X-Ray Image Storage - For Processing",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.104.2",
        "EncapsulatedCDAStorage",
        "Encapsulated CDA Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.104.1",
        "EncapsulatedPDFStorage",
        "Encapsulated PDF Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.2.1", "EnhancedCTImageStorage", "Enhanced CT Image Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.4.3",
        "EnhancedMRColorImageStorage",
        "Enhanced MR Color Image Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.4.1", "EnhancedMRImageStorage", "Enhanced MR Image Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.130",
        "EnhancedPETImageStorage",
        "Enhanced PET Image Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.88.22", "EnhancedSRStorage", "Enhanced SR Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.6.2",
        "EnhancedUSVolumeStorage",
        "Enhanced US Volume Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.12.1.1",
        "EnhancedXAImageStorage",
        "Enhanced XA Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.12.2.1",
        "EnhancedXRFImageStorage",
        "Enhanced XRF Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.4.2",
        "GeneralAudioWaveformStorage",
        "General Audio Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.1.2",
        "GeneralECGWaveformStorage",
        "General ECG Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.43.1",
        "GenericImplantTemplateStorage",
        "Generic Implant Template Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.1",
        "GrayscaleSoftcopyPresentationStateStorage",
        "Grayscale Softcopy Presentation State Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.2.1",
        "HemodynamicWaveformStorage",
        "Hemodynamic Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.44.1",
        "ImplantAssemblyTemplateStorage",
        "Implant Assembly Template Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.70",
        "ImplantationPlanSRDocumentStorage",
        "Implantation Plan SR Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.45.1",
        "ImplantTemplateGroupStorage",
        "Implant Template Group Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.78.8",
        "IntraocularLensCalculationsStorage",
        "Intraocular Lens Calculations Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.78.3",
        "KeratometryMeasurementsStorage",
        "Keratometry Measurements Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.59",
        "KeyObjectSelectionDocumentStorage",
        "Key Object Selection Document Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.78.1",
        "LensometryMeasurementsStorage",
        "Lensometry Measurements Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.79.1",
        "MacularGridThicknessAndVolumeReportStorage",
        "Macular Grid Thickness and Volume Report Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.50",
        "MammographyCADSRStorage",
        "Mammography CAD SR Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.4", "MRImageStorage", "MR Image Storage", "current"),
    SopClass("1.2.840.10008.5.1.4.1.1.4.2", "MRSpectroscopyStorage", "MR Spectroscopy Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.7.2",
        "MultiframeGrayscaleByteSecondaryCaptureImageStorage",
        "Multi-frame Grayscale Byte Secondary Capture Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.7.3",
        "MultiframeGrayscaleWordSecondaryCaptureImageStorage",
        "Multi-frame Grayscale Word Secondary Capture Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.7.1",
        "MultiframeSingleBitSecondaryCaptureImageStorage",
        "Multi-frame Single Bit Secondary Capture Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.7.4",
        "MultiframeTrueColorSecondaryCaptureImageStorage",
        "Multi-frame True Color Secondary Capture Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.20",
        "NuclearMedicineImageStorage",
        "Nuclear Medicine Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.78.7",
        "OphthalmicAxialMeasurementsStorage",
        "Ophthalmic Axial Measurements Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.5.2",
        "OphthalmicPhotography16BitImageStorage",
        "Ophthalmic Photography 16 Bit Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.5.1",
        "OphthalmicPhotography8BitImageStorage",
        "Ophthalmic Photography 8 Bit Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.5.4",
        "OphthalmicTomographyImageStorage",
        "Ophthalmic Tomography Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.80.1",
        "OphthalmicVisualFieldStaticPerimetryMeasurementsStorage",
        "Ophthalmic Visual Field Static Perimetry Measurements Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.128",
        "PositronEmissionTomographyImageStorage",
        "Positron Emission Tomography Image Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.88.40", "ProcedureLogStorage", "Procedure Log Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.3",
        "PseudoColorSoftcopyPresentationStateStorage",
        "Pseudo-Color Softcopy Presentation State Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.66", "RawDataStorage", "Raw Data Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.67",
        "RealWorldValueMappingStorage",
        "Real World Value Mapping Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.6.1",
        "RespiratoryWaveformStorage",
        "Respiratory Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.4",
        "RTBeamsTreatmentRecordStorage",
        "RT Beams Treatment Record Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.6",
        "RTBrachyTreatmentRecordStorage",
        "RT Brachy Treatment Record Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.481.2", "RTDoseStorage", "RT Dose Storage", "current"),
    SopClass("1.2.840.10008.5.1.4.1.1.481.1", "RTImageStorage", "RT Image Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.9",
        "RTIonBeamsTreatmentRecordStorage",
        "RT Ion Beams Treatment Record Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.481.8", "RTIonPlanStorage", "RT Ion Plan Storage", "current"),
    SopClass("1.2.840.10008.5.1.4.1.1.481.5", "RTPlanStorage", "RT Plan Storage", "current"),
    SopClass("1.2.840.10008.5.1.4.1.1.481.3", "RTStructureSetStorage", "RT Structure Set Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.7",
        "RTTreatmentSummaryRecordStorage",
        "RT Treatment Summary Record Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.7",
        "SecondaryCaptureImageStorage",
        "Secondary Capture Image Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.66.4", "SegmentationStorage", "Segmentation Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.66.2",
        "SpatialFiducialsStorage",
        "Spatial Fiducials Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.66.1",
        "SpatialRegistrationStorage",
        "Spatial Registration Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.78.6",
        "SpectaclePrescriptionReportStorage",
        "Spectacle Prescription Report Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.5.3",
        "StereometricRelationshipStorage",
        "Stereometric Relationship Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.78.4",
        "SubjectiveRefractionMeasurementsStorage",
        "Subjective Refraction Measurements Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.66.5",
        "SurfaceSegmentationStorage",
        "Surface Segmentation Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.1.1",
        "TwelveLeadECGWaveformStorage",
        "12-lead ECG Waveform Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.6.1", "UltrasoundImageStorage", "Ultrasound Image Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.3.1",
        "UltrasoundMultiframeImageStorage",
        "Ultrasound Multi-frame Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.1.1",
        "VideoEndoscopicImageStorage",
        "Video Endoscopic Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.2.1",
        "VideoMicroscopicImageStorage",
        "Video Microscopic Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.4.1",
        "VideoPhotographicImageStorage",
        "Video Photographic Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.78.5",
        "VisualAcuityMeasurementsStorage",
        "Visual Acuity Measurements Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.1",
        "VLEndoscopicImageStorage",
        "VL Endoscopic Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.2",
        "VLMicroscopicImageStorage",
        "VL Microscopic Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.4",
        "VLPhotographicImageStorage",
        "VL Photographic Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.3",
        "VLSlideCoordinatesMicroscopicImageStorage",
        "VL Slide-Coordinates Microscopic Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.6",
        "VLWholeSlideMicroscopyImageStorage",
        "VL Whole Slide Microscopy Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.5",
        "XAXRFGrayscaleSoftcopyPresentationStateStorage",
        "XA/XRF Grayscale Softcopy Presentation State Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.13.1.1",
        "XRay3DAngiographicImageStorage",
        "X-Ray 3D Angiographic Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.13.1.2",
        "XRay3DCraniofacialImageStorage",
        "X-Ray 3D Craniofacial Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.12.1",
        "XRayAngiographicImageStorage",
        "X-Ray Angiographic Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.67",
        "XRayRadiationDoseSRStorage",
        "X-Ray Radiation Dose SR Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.12.2",
        "XRayRadiofluoroscopicImageStorage",
        "X-Ray Radiofluoroscopic Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.1.30",
        "RETIRED_HardcopyColorImageStorage",
        "Hardcopy Color Image Storage SOP Class (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.1.29",
        "RETIRED_HardcopyGrayscaleImageStorage",
        "Hardcopy Grayscale Image Storage SOP Class (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.5",
        "RETIRED_NuclearMedicineImageStorage",
        "Nuclear Medicine Image Storage (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9",
        "RETIRED_StandaloneCurveStorage",
        "Standalone Curve Storage (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.10",
        "RETIRED_StandaloneModalityLUTStorage",
        "Standalone Modality LUT Storage (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.8",
        "RETIRED_StandaloneOverlayStorage",
        "Standalone Overlay Storage (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.129",
        "RETIRED_StandalonePETCurveStorage",
        "Standalone PET Curve Storage (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11",
        "RETIRED_StandaloneVOILUTStorage",
        "Standalone VOI LUT Storage (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.1.27",
        "RETIRED_StoredPrintStorage",
        "Stored Print Storage SOP Class (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.6",
        "RETIRED_UltrasoundImageStorage",
        "Ultrasound Image Storage (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.3",
        "RETIRED_UltrasoundMultiframeImageStorage",
        "Ultrasound Multi-frame Image Storage (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1",
        "RETIRED_VLImageStorage",
        "VL Image Storage - Trial (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.2",
        "RETIRED_VLMultiFrameImageStorage",
        "VL Multi-frame Image Storage - Trial (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.12.3",
        "RETIRED_XRayAngiographicBiPlaneImageStorage",
        "X-Ray Angiographic Bi-Plane Image Storage (Retired)",
        "retired",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.2",
        "DRAFT_SRAudioStorage",
        "Audio SR Storage - Trial (Retired)",
        "draft",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.4",
        "DRAFT_SRComprehensiveStorage",
        "Comprehensive SR Storage - Trial (Retired)",
        "draft",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.3",
        "DRAFT_SRDetailStorage",
        "Detail SR Storage - Trial (Retired)",
        "draft",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.1",
        "DRAFT_SRTextStorage",
        "Text SR Storage - Trial (Retired)",
        "draft",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.1",
        "DRAFT_WaveformStorage",
        "Waveform Storage - Trial (Retired)",
        "draft",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.34.1",
        "DRAFT_RTBeamsDeliveryInstructionStorage",
        "RT Beams Delivery Instruction Storage - Trial (Retired)",
        "draft",
    ),
)

FURTHER: tuple[SopClass, ...] = (
    SopClass(
        "1.2.840.10008.5.1.4.1.1.2.2",
        "LegacyConvertedEnhancedCTImageStorage",
        "Legacy Converted Enhanced CT Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.4.4",
        "LegacyConvertedEnhancedMRImageStorage",
        "Legacy Converted Enhanced MR Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.6.3",
        "PhotoacousticImageStorage",
        "Photoacoustic Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.1.4",
        "General32bitECGWaveformStorage",
        "General 32-bit ECG Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.6.2",
        "MultichannelRespiratoryWaveformStorage",
        "Multi-channel Respiratory Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.7.1",
        "RoutineScalpElectroencephalogramWaveformStorage",
        "Routine Scalp Electroencephalogram Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.7.2",
        "ElectromyogramWaveformStorage",
        "Electromyogram Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.7.3",
        "ElectrooculogramWaveformStorage",
        "Electrooculogram Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.7.4",
        "SleepElectroencephalogramWaveformStorage",
        "Sleep Electroencephalogram Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.9.8.1",
        "BodyPositionWaveformStorage",
        "Body Position Waveform Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.6",
        "GrayscalePlanarMPRVolumetricPresentationStateStorage",
        "Grayscale Planar MPR Volumetric Presentation State Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.7",
        "CompositingPlanarMPRVolumetricPresentationStateStorage",
        "Compositing Planar MPR Volumetric Presentation State Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.8",
        "AdvancedBlendingPresentationStateStorage",
        "Advanced Blending Presentation State Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.9",
        "VolumeRenderingVolumetricPresentationStateStorage",
        "Volume Rendering Volumetric Presentation State Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.10",
        "SegmentedVolumeRenderingVolumetricPresentationStateStorage",
        "Segmented Volume Rendering Volumetric Presentation State Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.11",
        "MultipleVolumeRenderingVolumetricPresentationStateStorage",
        "Multiple Volume Rendering Volumetric Presentation State Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.12",
        "VariableModalityLUTSoftcopyPresentationStateStorage",
        "Variable Modality LUT Softcopy Presentation State Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.13.1.4",
        "BreastProjectionXRayImageStorageForPresentation",
        "Breast Projection X-Ray Image Storage - For Presentation",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.13.1.5",
        "BreastProjectionXRayImageStorageForProcessing",
        "Breast Projection X-Ray Image Storage - For Processing",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.14.1",
        "IntravascularOpticalCoherenceTomographyImageStorageForPresentation",
        "Intravascular Optical Coherence Tomography Image Storage - For Presentation",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.14.2",
        "IntravascularOpticalCoherenceTomographyImageStorageForProcessing",
        "Intravascular Optical Coherence Tomography Image Storage - For Processing",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.30", "ParametricMapStorage", "Parametric Map Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.66.6",
        "TractographyResultsStorage",
        "Tractography Results Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.66.7",
        "LabelMapSegmentationStorage",
        "Label Map Segmentation Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.66.8",
        "HeightMapSegmentationStorage",
        "Height Map Segmentation Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.68.1",
        "SurfaceScanMeshStorage",
        "Surface Scan Mesh Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.68.2",
        "SurfaceScanPointCloudStorage",
        "Surface Scan Point Cloud Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.5.5",
        "WideFieldOphthalmicPhotographyStereographicProjectionImageStorage",
        "Wide Field Ophthalmic Photography Stereographic Projection Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.5.6",
        "WideFieldOphthalmicPhotography3DCoordinatesImageStorage",
        "Wide Field Ophthalmic Photography 3D Coordinates Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.5.7",
        "OphthalmicOpticalCoherenceTomographyEnFaceImageStorage",
        "Ophthalmic Optical Coherence Tomography En Face Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.5.8",
        "OphthalmicOpticalCoherenceTomographyBscanVolumeAnalysisStorage",
        "Ophthalmic Optical Coherence Tomography B-scan Volume Analysis Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.7",
        "DermoscopicPhotographyImageStorage",
        "Dermoscopic Photography Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.8",
        "ConfocalMicroscopyImageStorage",
        "Confocal Microscopy Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.9",
        "ConfocalMicroscopyTiledPyramidalImageStorage",
        "Confocal Microscopy Tiled Pyramidal Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.81.1",
        "OphthalmicThicknessMapStorage",
        "Ophthalmic Thickness Map Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.82.1",
        "CornealTopographyMapStorage",
        "Corneal Topography Map Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.34",
        "Comprehensive3DSRStorage",
        "Comprehensive 3D SR Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.88.35", "ExtensibleSRStorage", "Extensible SR Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.68",
        "RadiopharmaceuticalRadiationDoseSRStorage",
        "Radiopharmaceutical Radiation Dose SR Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.71",
        "AcquisitionContextSRStorage",
        "Acquisition Context SR Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.72",
        "SimplifiedAdultEchoSRStorage",
        "Simplified Adult Echo SR Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.73",
        "PatientRadiationDoseSRStorage",
        "Patient Radiation Dose SR Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.74",
        "PlannedImagingAgentAdministrationSRStorage",
        "Planned Imaging Agent Administration SR Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.75",
        "PerformedImagingAgentAdministrationSRStorage",
        "Performed Imaging Agent Administration SR Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.76",
        "EnhancedXRayRadiationDoseSRStorage",
        "Enhanced X-Ray Radiation Dose SR Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.77",
        "WaveformAnnotationSRStorage",
        "Waveform Annotation SR Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.90.1",
        "ContentAssessmentResultsStorage",
        "Content Assessment Results Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.91.1",
        "MicroscopyBulkSimpleAnnotationsStorage",
        "Microscopy Bulk Simple Annotations Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.104.3",
        "EncapsulatedSTLStorage",
        "Encapsulated STL Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.104.4",
        "EncapsulatedOBJStorage",
        "Encapsulated OBJ Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.104.5",
        "EncapsulatedMTLStorage",
        "Encapsulated MTL Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.128.1",
        "LegacyConvertedEnhancedPETImageStorage",
        "Legacy Converted Enhanced PET Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.200.1",
        "CTDefinedProcedureProtocolStorage",
        "CT Defined Procedure Protocol Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.200.2",
        "CTPerformedProcedureProtocolStorage",
        "CT Performed Procedure Protocol Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.200.3",
        "ProtocolApprovalStorage",
        "Protocol Approval Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.200.7",
        "XADefinedProcedureProtocolStorage",
        "XA Defined Procedure Protocol Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.200.8",
        "XAPerformedProcedureProtocolStorage",
        "XA Performed Procedure Protocol Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.201.1", "InventoryStorage", "Inventory Storage", "current"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.10",
        "RTPhysicianIntentStorage",
        "RT Physician Intent Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.11",
        "RTSegmentAnnotationStorage",
        "RT Segment Annotation Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.12",
        "RTRadiationSetStorage",
        "RT Radiation Set Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.13",
        "CArmPhotonElectronRadiationStorage",
        "C-Arm Photon-Electron Radiation Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.14",
        "TomotherapeuticRadiationStorage",
        "Tomotherapeutic Radiation Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.15",
        "RoboticArmRadiationStorage",
        "Robotic-Arm Radiation Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.16",
        "RTRadiationRecordSetStorage",
        "RT Radiation Record Set Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.17",
        "RTRadiationSalvageRecordStorage",
        "RT Radiation Salvage Record Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.18",
        "TomotherapeuticRadiationRecordStorage",
        "Tomotherapeutic Radiation Record Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.19",
        "CArmPhotonElectronRadiationRecordStorage",
        "C-Arm Photon-Electron Radiation Record Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.20",
        "RoboticRadiationRecordStorage",
        "Robotic Radiation Record Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.21",
        "RTRadiationSetDeliveryInstructionStorage",
        "RT Radiation Set Delivery Instruction Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.22",
        "RTTreatmentPreparationStorage",
        "RT Treatment Preparation Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.23",
        "EnhancedRTImageStorage",
        "Enhanced RT Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.24",
        "EnhancedContinuousRTImageStorage",
        "Enhanced Continuous RT Image Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.481.25",
        "RTPatientPositionAcquisitionInstructionStorage",
        "RT Patient Position Acquisition Instruction Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.34.7",
        "RTBeamsDeliveryInstructionStorage",
        "RT Beams Delivery Instruction Storage",
        "current",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.34.10",
        "RTBrachyApplicationSetupDeliveryInstructionStorage",
        "RT Brachy Application Setup Delivery Instruction Storage",
        "current",
    ),
    SopClass("1.2.840.10008.5.1.4.38.1", "HangingProtocolStorage", "Hanging Protocol Storage", "current"),
    SopClass("1.2.840.10008.5.1.4.39.1", "ColorPaletteStorage", "Color Palette Storage", "current"),
)

STORAGE: dict[str, SopClass] = {row.uid: row for row in CONFORMANCE + FURTHER}

NON_PATIENT: frozenset[str] = frozenset(
    {
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol Storage
        "1.2.840.10008.5.1.4.39.1",  # Color Palette Storage
        "1.2.840.10008.5.1.4.43.1",  # Generic Implant Template Storage
        "1.2.840.10008.5.1.4.44.1",  # Implant Assembly Template Storage
        "1.2.840.10008.5.1.4.45.1",  # Implant Template Group Storage
        "1.2.840.10008.5.1.4.1.1.200.1",  # CT Defined Procedure Protocol Storage
        "1.2.840.10008.5.1.4.1.1.200.7",  # XA Defined Procedure Protocol Storage
        "1.2.840.10008.5.1.4.1.1.201.1",  # Inventory Storage
    }
)

VERIFICATION = "1.2.840.10008.1.1"
PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"

FIND_CLASSES = frozenset({PATIENT_ROOT_FIND, STUDY_ROOT_FIND})
MOVE_CLASSES = frozenset({PATIENT_ROOT_MOVE, STUDY_ROOT_MOVE})
GET_CLASSES = frozenset({PATIENT_ROOT_GET, STUDY_ROOT_GET})
PATIENT_ROOT_CLASSES = frozenset({PATIENT_ROOT_FIND, PATIENT_ROOT_MOVE, PATIENT_ROOT_GET})
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

# For a C-GET as SCU, whose association has room for about sixty classes: what archives hold most of.
_MOST_USED_TAILS = (
    "1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "2", "2.1", "2.2", "3.1", "4", "4.1", "4.2", "4.3",
    "4.4", "6.1", "6.2", "7", "7.1", "7.2", "7.3", "7.4", "9.1.1", "9.1.2", "11.1", "11.2", "12.1", "12.1.1",
    "12.2", "12.2.1", "13.1.3", "20", "30", "66", "66.1", "66.4", "66.5", "77.1.1", "77.1.2", "77.1.4",
    "77.1.5.1", "77.1.5.4", "77.1.6", "88.11", "88.22", "88.33", "88.34", "88.50", "88.59", "88.67", "91.1",
    "104.1", "128", "130", "481.1", "481.2", "481.3", "481.4", "481.5", "481.8",
)  # fmt: skip
MOST_USED: tuple[str, ...] = tuple(f"1.2.840.10008.5.1.4.1.1.{tail}" for tail in _MOST_USED_TAILS)
