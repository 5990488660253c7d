"""Properties that hold for all inputs, with Hypothesis."""
