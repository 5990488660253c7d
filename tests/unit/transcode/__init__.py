"""Tests of fastdicom.transcode."""
