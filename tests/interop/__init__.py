"""Real peers against our node, in both directions."""
