"""Measures servers of TensorFlow models side by side: one model, one load generator, one run."""
