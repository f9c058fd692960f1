"""TensorFlow Lite models, run by LiteRT's interpreter once a process of its own has tried them."""
