"""Which groups of pods a model that is divided has."""
