"""Requests with their answers, a sample of them, on their way to files or elsewhere."""
