"""The router's two inputs as values: what a model's traffic should do, and which pods answer."""
