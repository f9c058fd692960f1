"""TensorFlow's ops that batch inside a graph: found, named, mended and cut; pure protobuf."""
