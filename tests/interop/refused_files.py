"""The shared files that a node refuses, and why: all others must come back byte for byte."""

from __future__ import annotations

_BY_REASON: dict[tuple[str, str], tuple[str, ...]] = {
    ("A900H", "a UID with characters that no UID has"): (
        "modalities/gdcm-CT-MONO2-8-abdo.dcm",
        "odd/bad_sequence.dcm",
    ),
    ("A900H", "no SOP Class UID in the Data Set"): (
        "charsets/chrSQEncoding.dcm",
        "charsets/chrSQEncoding1.dcm",
        "odd/UN_sequence.dcm",
        "odd/no_meta_group_length.dcm",
        "odd/priv_SQ.dcm",
        "odd/priv_SQ_2.dcm",
    ),
    ("A900H", "no Study Instance UID"): (
        "odd/undefined-length-test.dcm",
        "transfer_syntaxes/htj2k_201/HTJ2KLossless_08_RGB.dcm",
        "transfer_syntaxes/htj2k_203/HTJ2K_08_RGB.dcm",
        "transfer_syntaxes/jls_80_lossless/JLSL_08_07_0_1F.dcm",
        "transfer_syntaxes/jls_80_lossless/JLSL_16_15_1_1F.dcm",
        "transfer_syntaxes/jls_81_near/JPEGLSNearLossless_08.dcm",
        "transfer_syntaxes/jls_81_near/SC_rgb_jls_lossy_sample.dcm",
    ),
    ("C000H", "Implicit VR inside a file that says JPEG (Explicit VR)"): (
        "transfer_syntaxes/jpeg_50_baseline/SC_rgb_jpeg.dcm",
    ),
    ("C000H", "ends inside an element"): (
        "odd/MR_truncated.dcm",
        "odd/emri_small_jpeg_2k_lossless_too_short.dcm",
        "odd/rtplan_truncated.dcm",
        "odd/zero-length-US.dcm",
    ),
    ("SOP class refused", "no Storage SOP class of the conformance statement"): (
        "dicomdir/DICOMDIR",
        "dicomdir/DICOMDIR-bigEnd",
        "dicomdir/DICOMDIR-empty.dcm",
        "dicomdir/DICOMDIR-implicit",
        "dicomdir/DICOMDIR-nooffset",
        "dicomdir/DICOMDIR-nopatient",
        "dicomdir/DICOMDIR-reordered",
        "modalities/MWLCFind.dcm",
        "odd/GH220.dcm",
        "odd/OD-single-word-example.dcm",
    ),
    ("names no SOP class or instance", "nothing that a C-STORE-RQ could be made of"): (
        "charsets/empty_charset_LEI.dcm",
        "odd/dwv-test-sequence.dcm",
        "odd/dwv-test_no-number-rows.dcm",
        "odd/meta_missing_tsyntax.dcm",
        "odd/nested_priv_SQ.dcm",
        "odd/no_meta.dcm",
        "odd/no_preamble_dicm_in_data",
        "transfer_syntaxes/jls_80_lossless/JLSL_RGB_ILV1.dcm",
        "transfer_syntaxes/jls_81_near/JLSN_RGB_ILV0.dcm",
    ),
}

REFUSED = {name: code for (code, _), names in _BY_REASON.items() for name in names}
