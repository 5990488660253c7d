"""An embedded DICOM engine for appliances."""
