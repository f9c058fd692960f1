"""Rewrites SavedModels so that a part of their graph runs batched across requests."""
