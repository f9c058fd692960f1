"""Merges requests into batches: who waits where, what runs next, and whose rows are whose."""
