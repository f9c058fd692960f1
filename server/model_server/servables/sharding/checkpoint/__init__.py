"""Checkpoints as bytes: their index, their checksums, and where rows lie."""
