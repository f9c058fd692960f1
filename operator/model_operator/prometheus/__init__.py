"""What a Prometheus knows of revisions: numbers that users ask for in PromQL."""
