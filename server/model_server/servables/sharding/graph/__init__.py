"""A SavedModel as one flat graph: what is in it, and who reads its variables."""
