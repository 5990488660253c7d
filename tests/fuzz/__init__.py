"""Mutational harnesses, one per entry point that takes bytes from outside."""
