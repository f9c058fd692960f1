"""Rows of split tables in memory: read once, kept once whoever has them, and gathered from."""
