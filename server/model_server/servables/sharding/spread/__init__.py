"""Engine tf: a graph that lies on all members, run by the distributed session of TensorFlow."""
