"""What several tests and the benches share: an independent DICOM peer, real peers, synthetic instances."""
