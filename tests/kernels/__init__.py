"""Each kernel against a short Python reference."""
