"""Which member of a group holds what of a model."""
