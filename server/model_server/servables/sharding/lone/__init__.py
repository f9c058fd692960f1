"""Whole models on one server, of which equal tables are in memory once."""
