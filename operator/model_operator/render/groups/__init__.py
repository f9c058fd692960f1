"""The objects of groups of pods that hold a model together."""
