"""What the router knows of the world outside Envoy: records and endpoints."""
