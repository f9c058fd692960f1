"""Models that are a class of a user's module."""
