"""What can be served: signatures, tensors, and the platforms that load and run them."""
