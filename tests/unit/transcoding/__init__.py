"""Tests of fastdicom.transcoding."""
