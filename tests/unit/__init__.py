"""Tests of the rooms, file by file."""
