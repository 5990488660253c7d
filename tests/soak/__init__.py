"""A node under mixed load for long: nothing grows, every count is right."""
