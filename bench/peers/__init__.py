"""What the node costs and reaches beside DCMTK, Orthanc and pynetdicom: `python -m bench.peers --help`."""
