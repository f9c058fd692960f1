"""What is counted and measured: TensorFlow Serving's metrics by their names, and some of ours."""
