"""A graph cut along a plan: what an entry runs, and what members run for it."""
