"""Sizes and bounds that the sections share."""

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
COUNT_MAX = 1 << 31
