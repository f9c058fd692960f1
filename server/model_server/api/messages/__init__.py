"""TensorFlow Serving's messages of what the service knows, for whoever sends or records them."""
