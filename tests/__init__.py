"""The tests of fastdicom."""
